"""`propose_okr`: how a drafting agent answers."""

import re

from pydantic import Field

from app.domain.base import Model
from app.domain.okr import KeyResult, Measure, Member, Okr
from app.tools.base import NOBODY, Tool


class ProposedKeyResult(Model):
    """One measurable outcome."""

    title: str = Field(min_length=1, max_length=300, description="What is better for the person when it is met")
    measure: Measure = Field(description="How the value is read in a clean checkout")
    direction: str = Field(pattern="^(up|down)$", description="`down` when lower is better")
    target: float
    unit: str = Field(default="", max_length=20)


class Proposal(Model):
    """The objective, one to seven key results, and the team that will work on it."""

    objective: str = Field(min_length=1, max_length=500)
    key_results: tuple[ProposedKeyResult, ...] = Field(min_length=1, max_length=7)
    team: tuple[Member, ...] = Field(default=(), max_length=8, description="Two or more agents, in working order")


def okr_of(proposal: Proposal, *, id: str, intent: str, draft: int) -> Okr:
    """The OKR of a proposal. Raises pydantic's `ValidationError`, e.g. for members of one name."""
    key_results = tuple(
        KeyResult(
            id=f"KR-{number}",
            title=kr.title,
            measure=kr.measure,
            direction="up" if kr.direction == "up" else "down",
            target=kr.target,
            unit=kr.unit,
        )
        for number, kr in enumerate(proposal.key_results, 1)
    )
    return Okr(
        id=id,
        intent=intent,
        objective=_one_line(proposal.objective),
        key_results=key_results,
        team=_distinct(proposal.team),
        draft=draft,
    )


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _distinct(team: tuple[Member, ...]) -> tuple[Member, ...]:
    """Members with different names: they name sessions and worktrees."""
    seen: dict[str, int] = {}
    members: list[Member] = []
    for member in team:
        seen[member.name] = seen.get(member.name, 0) + 1
        name = member.name if seen[member.name] == 1 else f"{member.name[:36]}-{seen[member.name]}"
        members.append(member.model_copy(update={"name": name}))
    return tuple(members)


PROPOSE_OKR = Tool(
    name="propose_okr",
    description="Ends your work with the proposed objective, its measurable key results and the team.",
    arguments=Proposal,
    effect="answer",
    run=None,
    runs_as="answer",
    agents=NOBODY,
)
