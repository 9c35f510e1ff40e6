"""The other ways to show a run: nothing until the end, and Claude Code's stream of JSON lines."""

import json
import sys
from pathlib import Path
from typing import Any

from app.cli.events import AssistantEvent, InitEvent, ResultEvent, UserEvent
from app.domain.run import RunView
from app.domain.session import EventRange, Record
from app.runs.watch import Update
from app.stream import Stream


class Quiet:
    """Shows nothing: `--json` prints the result at the end."""

    def on(self, update: Update) -> None:
        """Nothing."""

    def pause(self) -> None:
        """Nothing."""

    def go_on(self) -> None:
        """Nothing."""


class JsonLines(Quiet):
    """`--output-format stream-json`: one event a line, under the names that Claude Code uses."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.read: dict[str, int] = {}
        self.session = ""

    def on(self, update: Update) -> None:
        """Prints what the event, and the agent's stream since the last one, add."""
        event, view = update.event, update.view
        if event is None or view is None:
            if update.delta is not None and update.delta.kind in ("model_started", "tool_started"):
                self.session = update.delta.session_id
                self._catch_up(update.delta.session_id)
            return
        if event.kind == "started":
            _print(InitEvent(session_id=view.run, cwd=view.repo, model=view.model.id))
        if event.kind == "turn_ended":
            self._catch_up(str(event.body["session_id"]))
        if event.kind == "outcome":
            _print(result_event(view))

    def _catch_up(self, session_id: str) -> None:
        stream = Stream(self.data, session_id)
        start, end = self.read.get(session_id, 0), stream.end()
        if end > start:
            for record in stream.read(EventRange(session_id=session_id, start=start, end=end)):
                self._record(record, session_id)
            self.read[session_id] = end

    def _record(self, record: Record, session_id: str) -> None:
        body = record.body
        if record.kind == "assistant":
            content: list[dict[str, Any]] = [{"type": "text", "text": body["text"]}] if body["text"] else []
            content += [
                {"type": "tool_use", "id": call["id"], "name": call["name"], "input": _parsed(call["arguments"])}
                for call in body["calls"]
            ]
            usage = {"input_tokens": body["usage"]["input"], "output_tokens": body["usage"]["output"]}
            message = {"role": "assistant", "model": body["model"], "content": content, "usage": usage}
            _print(AssistantEvent(session_id=session_id, message=message))
        elif record.kind == "tool_result":
            part = {
                "type": "tool_result",
                "tool_use_id": body["call_id"],
                "content": body["text"],
                "is_error": body["status"] != "ok",
            }
            _print(UserEvent(session_id=session_id, message={"role": "user", "content": [part]}))


def result_event(view: RunView) -> ResultEvent:
    """The last event: how the run ended."""
    result = view.result
    assert result is not None
    subtypes = {"completed": "success", "needs_review": "success", "max_iterations": "error_max_turns"}
    return ResultEvent(
        subtype=subtypes.get(result.outcome, "error_during_execution"),
        is_error=result.outcome not in ("completed", "needs_review"),
        outcome=result.outcome,
        session_id=view.run,
        num_turns=result.turns,
        result=result.text or result.reason,
        total_cost_usd=result.spent.cost.usd,
        branch=result.branch,
    )


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return {"_malformed": arguments}


def _print(event: InitEvent | AssistantEvent | UserEvent | ResultEvent) -> None:
    sys.stdout.write(event.model_dump_json() + "\n")
    sys.stdout.flush()
