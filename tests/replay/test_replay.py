"""Recorded histories replay on today's workflows: determinism is a contract."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from app.runs.plugin import PLUGIN
from worker import WORKFLOWS

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))
EXPECTED = {"go", "go-cancelled", "direct", "relay", "relay-continued", "agent", "agent-continued", "draft-agent"}
EXPECTED |= {"agent-jobs", "agent-jobs-continued"}


def test_every_kind_of_workflow_is_recorded() -> None:
    assert {file.stem.partition("@")[0] for file in HISTORIES} >= EXPECTED


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
async def test_a_recorded_history_replays(file: Path) -> None:
    history = WorkflowHistory.from_json(file.stem, file.read_text())
    await Replayer(workflows=WORKFLOWS, plugins=[PLUGIN]).replay_workflow(history)


async def test_a_changed_history_is_noticed() -> None:
    text = next(file for file in HISTORIES if file.stem == "agent").read_text()
    history = WorkflowHistory.from_json("agent", text.replace('"agent.turn"', '"agent.turned"'))
    with pytest.raises(Exception, match=r"[Nn]ondetermin|TMPRL1100"):
        await Replayer(workflows=WORKFLOWS, plugins=[PLUGIN]).replay_workflow(history)
