"""A child never has more than its parent: neither mode nor rules, at its start or later."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.domain.budget import Budget
from app.domain.contracts import AgentInput, ModeChange, RelayInput
from app.domain.okr import Member
from app.domain.run import ModelRef
from app.domain.session import EventRange, Ids
from app.domain.tool import MODES, Mode, Rule, Workspace, rules_at_most
from workflows.agent import AgentWorkflow
from workflows.parts import child
from workflows.parts.child import within
from workflows.relay import RelayWorkflow

RULES = [Rule(tool="bash", pattern=p, verdict=v) for p in ("make", "git push *") for v in ("allow", "ask", "deny")]


def agent(mode: Mode = "full", rules: tuple[Rule, ...] = (), **more: object) -> AgentInput:
    return AgentInput.model_validate(
        {
            **{"run": "r", "top": "r", "name": "a", "ids": Ids(), "persona": "relay", "task": "t", "tools": ()},
            **{"session": EventRange(session_id="s"), "model": ModelRef(provider="demo", name="m")},
            **{"workspace": Workspace(data_id="d", run="r", name="main", root="/r"), "budget": Budget()},
            **{"mode": mode, "rules": rules, **more},
        }
    )


@pytest.mark.parametrize("parent", MODES)
@pytest.mark.parametrize("wanted", MODES)
def test_a_child_gets_the_lesser_mode(parent: Mode, wanted: Mode) -> None:
    given = within(agent(wanted), parent, ()).mode
    assert MODES.index(given) == min(MODES.index(parent), MODES.index(wanted))
    assert within(agent(wanted, most="ask"), parent, ()).mode in ("plan", "ask")


def test_only_what_the_parent_allows_is_allowed_and_what_it_denies_is_denied() -> None:
    (make, _, _, _, ask, deny) = RULES
    push = Rule(tool="bash", pattern="git push *", verdict="allow")
    found = within(agent(rules=(push, ask)), "full", (make, deny)).rules
    assert push not in found and make not in found and set(found) == {deny, ask}
    assert within(agent(rules=(make,)), "full", (make, deny)).rules == (make, deny)


@given(some.lists(some.sampled_from(RULES), unique=True), some.lists(some.sampled_from(RULES), unique=True))
def test_rules_never_widen(parent: list[Rule], wanted: list[Rule]) -> None:
    found = rules_at_most(tuple(parent), tuple(wanted))
    assert {rule for rule in found if rule.verdict == "allow"} <= set(parent) & set(wanted)
    assert {rule for rule in (*parent, *wanted) if rule.verdict != "allow"} <= set(found)
    assert rules_at_most(tuple(parent), tuple(parent)) == tuple(parent)


def test_a_mode_that_is_switched_reaches_it_and_stays_below_its_own_most() -> None:
    works, looks = AgentWorkflow(agent("full")), AgentWorkflow(agent("ask", most="ask"))
    for mode, working, looking in (("plan", "plan", "plan"), ("full", "full", "ask"), ("ask", "ask", "ask")):
        for each in (works, looks):
            each.on_mode(ModeChange.model_validate({"mode": mode}))
        assert (works.asking.mode, looks.asking.mode) == (working, looking)
    assert "`plan`" in works.told[0] and all("full" not in words for words in looks.told)


def test_agents_are_started_through_one_door() -> None:
    folder = Path(child.__file__).parents[1]
    starting = {file.name for file in folder.rglob("*.py") if "_child_workflow(" in file.read_text()}
    assert starting == {"child.py", "work.py"}, "work.py starts the relay, with its own mode and rules"


def test_a_pause_that_falls_on_a_new_history_is_carried_into_it() -> None:
    team = (Member(name="a", role="r"),)
    order = agent().model_dump(include={"run", "top", "ids", "task", "model", "workspace", "budget"})
    relay = RelayWorkflow(RelayInput.model_validate({**order, "team": team, "max_turns": 9}))
    alone = AgentWorkflow(agent())
    for each in (relay, alone):
        each.on_hold(True)
    assert RelayWorkflow(relay.carried()).held and AgentWorkflow(alone.carried()).held
