"""Kills the worker that runs it at named points. Installed by the chaos tests' worker, by nothing else.

A plan is a folder with one JSON file per kill: {"match": regex, "point": before | done | after}.
`match` is searched in `type id kinds`, such as `agent.turn t0-model` or `run.record record-3 decision`.
before: the work has not begun · done: it is done but not recorded · after: recorded, not acknowledged.
A plan's file is renamed to `.fired` before the kill, so that each one kills exactly once.
"""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.host import fault_point


class KillAt(Interceptor):
    """The interceptor of a worker that is to die."""

    def __init__(self, plan: Path) -> None:
        self.plan = plan

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Inbound(next, self.plan)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, plan: Path) -> None:
        super().__init__(next)
        self.plan = plan

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        events = getattr(input.args[0], "events", ()) if input.args else ()
        name = f"{info.activity_type} {info.activity_id} {' '.join(event.kind for event in events)}"
        fault_point.set(lambda point: self._reach(name, point))
        self._reach(name, "before")
        result = await self.next.execute_activity(input)
        self._reach(name, "after")
        return result

    def _reach(self, name: str, point: str) -> None:
        for file in sorted(self.plan.glob("*.json")):
            order = json.loads(file.read_text())
            if order["point"] == point and re.search(order["match"], name):
                file.rename(file.with_suffix(".fired"))
                os.kill(os.getpid(), signal.SIGKILL)


def write_plan(folder: Path, kills: list[tuple[str, str]]) -> Path:
    """A plan that kills once at each (match, point)."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (match, point) in enumerate(kills):
        (folder / f"{number:03}.json").write_text(json.dumps({"match": match, "point": point}))
    return folder
