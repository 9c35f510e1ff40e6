"""`give_score`: how a judging agent answers."""

from pydantic import Field

from app.domain.base import Model
from app.tools.base import NOBODY, Tool


class Score(Model):
    """A judgement with its evidence."""

    score: float = Field(ge=0, le=1, description="0: not at all, 1: completely")
    evidence: str = Field(min_length=1, max_length=1500, description="One sentence that names files")


GIVE_SCORE = Tool(
    name="give_score",
    description="Ends your work with a score and the evidence for it.",
    arguments=Score,
    effect="answer",
    run=None,
    runs_as="answer",
    agents=NOBODY,
)
