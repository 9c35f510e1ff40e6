"""Between the records of a stream, the messages of a model, and the turn that a workflow sees.

Bodies of records:
system      Brief
user        {text, origin: task | person | hook | repository, files: what was loaded}
assistant   {message: the provider's own, text, calls: [{id, name, arguments}], finish, model, usage, usd, seconds}
tool_result {call_id, name, status, text, step_id, seen: {path: SHA-256}, images: references to images}
closed      {reason}
compacted   see app/stream/view.py
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from activities import lost
from app.context import agent as context
from app.context.record import words_of
from app.domain.activities import Brief, CloseInput, CompactInput, Turn, TurnInput
from app.domain.budget import Spent
from app.domain.session import EventRange, NewRecord, Record, Usage
from app.domain.tool import ToolCall, ToolInput, ToolResult
from app.llm import Answer, tool_result_message, user_message, window_of
from app.remember import by_identity
from app.stream import Damaged, StoredResult, read_result
from app.stream.images import LEFT_OUT, weight_of
from app.stream.view import seen
from app.tools.execute import paths_of
from app.tools.gate.permission import judge
from app.tools.gate.sandbox import probe
from app.tools.memory import remembered
from app.tools.registry import named
from app.workspace import worktree_path

Pictures = Sequence[tuple[str, bytes]]
"""Images as media type and bytes."""
NONE: Mapping[str, Pictures] = {}
TEXT_CAP = 4000
BEGINNING = 200
"""Characters of the text of an answer that goes on: the workflow only needs it if no other comes."""
CALL_LIMIT = 32
"""Calls of one answer that are run; the others get an error result, for every call needs one."""
TOO_MANY = f"error: only the first {CALL_LIMIT} calls of one answer are run"
CUT_OFF = "this call was cut off before it gave a result; it may have had effects"


def question(data: Path, config_dir: Path, order: TurnInput, history: Sequence[Record]) -> list[NewRecord]:
    """What this turn tells the model: who it is and the task, pending results in call order, a person's words."""
    records: list[NewRecord] = []
    if order.brief is not None:
        settled = _settled(data, config_dir, order.brief)
        records.append(NewRecord(kind="system", body=settled.model_dump(mode="json")))
    records += [NewRecord(kind="user", body={"text": order.task, "origin": "task"})] if order.task else []
    records += results_of_calls(data, order, history)
    records += _nearer(data, history)
    step = order.step_id.rpartition(":")[0]
    said = (words_of(data, order.session.session_id, f"{step}:{name}") for name in order.notes)
    records += [NewRecord(kind="user", body={"text": text, "origin": "hook"}) for text in said if text]
    records += [NewRecord(kind="user", body={"text": text, "origin": "person"}) for text in order.told]
    return records


def _settled(data: Path, config_dir: Path, brief: Brief) -> Brief:
    """What this agent is for as long as it works: a tool that is added meanwhile is for the next one."""
    notes = remembered(data, brief.workspace.root)
    begun = context.begin(data, config_dir, brief.workspace)
    tools = tuple(name for name in named(brief.tools) if name != "skill" or begun.skills)
    return brief.model_copy(update={"tools": tools, "memory": notes, "context": begun})


def _nearer(data: Path, history: Sequence[Record]) -> Iterator[NewRecord]:
    """The instruction files of folders that the last answer came to first."""
    last = next((record for record in reversed(history) if record.kind == "assistant"), None)
    if last is None or not (calls := last.body["calls"]):
        return
    brief = brief_of(history)
    told = (record for record in seen(history) if record.kind == "user")
    files = (file["path"] for record in told for file in record.body.get("files", ()))
    paths = [path for call in calls for path in paths_of(call["name"], call["arguments"])]
    known = chain((file.path for file in brief.context.files), files)
    found = context.nearer(data, brief.workspace, paths, known)
    if found is not None:
        body = {"text": found.text, "origin": "repository", **found.model_dump(mode="json", include={"files", "notes"})}
        yield NewRecord(kind="user", body=body)


def brief_of(history: Iterable[Record | NewRecord]) -> Brief:
    """Who the agent of this conversation is: its last `system` record. Raises `Damaged` without one."""
    for record in reversed(list(history)):
        if record.kind == "system":
            return _brief(record.body)
    raise Damaged("this conversation does not say whose it is: its `system` record is missing")


@by_identity(256)
def _brief(body: dict[str, Any]) -> Brief:
    return Brief.model_validate(body)


def results_of_calls(
    data: Path, order: TurnInput | CloseInput | CompactInput, history: Sequence[Record], missing: Iterable[str] = ()
) -> list[NewRecord]:
    """A `tool_result` for every call of the last answer: its own, or a synthetic one."""
    last = history[-1] if history else None
    if last is None or last.kind != "assistant":
        return []
    session, step = order.session.session_id, order.step_id.rpartition(":")[0]
    told = [_text_of(data, session, f"{step}:{result.id}", result) for result in order.results]
    told += [_late(data, session, f"{step}:{name}") for name in missing]
    records: list[NewRecord] = []
    for index, call in enumerate(last.body["calls"]):
        body = told[index] if index < len(told) else {"status": "error", "text": TOO_MANY, "step_id": ""}
        records.append(NewRecord(kind="tool_result", body={"call_id": call["id"], "name": call["name"], **body}))
    return records


def cut_off_results(history: Sequence[Record]) -> list[NewRecord]:
    """A synthetic `tool_result` for every call of an answer whose calls were never begun."""
    last = history[-1] if history else None
    if last is None or last.kind != "assistant":
        return []
    told = {"status": "cut_off", "text": CUT_OFF, "step_id": ""}
    calls = last.body["calls"]
    return [NewRecord(kind="tool_result", body={"call_id": call["id"], "name": call["name"], **told}) for call in calls]


def _text_of(data: Path, session_id: str, step_id: str, result: ToolResult) -> dict[str, Any]:
    stored = read_result(data, session_id, step_id)
    if stored is None:
        return {"status": result.status, "text": result.preview, "step_id": step_id}
    return _told(step_id, result.status, stored)


def _late(data: Path, session_id: str, step_id: str) -> dict[str, Any]:
    """A call whose result never reached the workflow: it may stand in the results folder all the same."""
    stored = read_result(data, session_id, step_id)
    if stored is None:
        return {"status": "cut_off", "text": CUT_OFF, "step_id": step_id}
    return _told(step_id, stored.status, stored)


def _told(step_id: str, status: str, stored: StoredResult) -> dict[str, Any]:
    body: dict[str, Any] = {"status": status, "text": stored.text, "step_id": step_id}
    body |= {"seen": stored.seen} if stored.seen else {}
    return body | ({"images": [image.model_dump() for image in stored.images]} if stored.images else {})


def seen_in(data: Path, records: Sequence[Record], order: ToolInput, path: str) -> str | None:
    """What a file was when this conversation last read or wrote it: a SHA-256; empty: gone; None: never seen.

    Looks at recorded results alone: those of this answer's earlier calls, then the conversation's.
    """
    step, _, own = order.step_id.rpartition(":")
    turn = own.split("-")[0]
    for index in reversed(range(order.index)):
        name = f"{turn}-s{index}-{records[-1].body['calls'][index]['name']}"[:120]
        stored = read_result(data, order.turn.session_id, f"{step}:{name}")
        if stored is not None and path in stored.seen:
            return stored.seen[path]
    for record in reversed(records):
        if record.kind == "tool_result" and path in record.body.get("seen", {}):
            return str(record.body["seen"][path])
    return None


def messages_of(records: Iterable[Record | NewRecord], images: Mapping[str, Pictures] = NONE) -> list[dict[str, Any]]:
    """The conversation as the model layer takes it. `images`: those that are shown, by the step of their result."""
    messages: list[dict[str, Any]] = []
    for record in records:
        body = record.body
        match record.kind:
            case "user" | "compacted":
                messages.append(_said(body))
            case "tool_result":
                messages.append(_shown(body, images) if "images" in body else _result(body))
            case "assistant":
                messages.append(body["message"])
            case _:
                pass
    return messages


@by_identity(1024)
def _said(body: dict[str, Any]) -> dict[str, Any]:
    return user_message(body["text"])


@by_identity(1024)
def _result(body: dict[str, Any]) -> dict[str, Any]:
    return tool_result_message(body["call_id"], body["name"], body["text"], body["status"] == "ok")


def _shown(body: dict[str, Any], images: Mapping[str, Pictures]) -> dict[str, Any]:
    """A result with images, or with the word that they are left out."""
    given = images.get(body["step_id"], ())
    text = body["text"] + ("" if given else LEFT_OUT)
    return tool_result_message(body["call_id"], body["name"], text, body["status"] == "ok", given)


def answer_record(answer: Answer, model: str, seconds: float) -> NewRecord:
    """What is recorded of an answer: the provider's own message, and what we read from it."""
    return NewRecord(
        kind="assistant",
        body={
            "message": answer.message,
            "text": answer.text,
            "calls": [call.model_dump() for call in answer.calls],
            "finish": answer.finish,
            "model": model,
            "usage": answer.usage.model_dump(),
            "usd": answer.cost.usd,
            "seconds": round(seconds, 3),
        },
    )


def turn_of(
    data: Path, order: TurnInput, brief: Brief, batch: EventRange, answer: dict[str, Any], *, replayed: bool
) -> Turn:
    """The turn whose recorded answer has this body, with the policy's verdict on each of its calls."""
    sandbox = probe()
    worktree = worktree_path(data, brief.workspace)
    calls: tuple[ToolCall, ...] = tuple(
        judge(
            call["name"],
            call["arguments"],
            index=index,
            offered=brief.tools,
            workspace=brief.workspace,
            worktree=worktree,
            mode=order.mode or brief.mode,
            rules=order.rules,
            sandbox=sandbox,
            data=data,
            plugins=brief.plugins,
        )
        for index, call in enumerate(answer["calls"][:CALL_LIMIT])
    )
    cap = TEXT_CAP if all(call.runs_as == "answer" for call in calls) else BEGINNING
    spent = spent_of(answer)
    return Turn(
        batch=batch,
        calls=calls,
        text=answer["text"][:cap],
        spent=spent + lost.spent(data, order.session.session_id, order.step_id),
        replayed=replayed,
        context=spent.usage.tokens,
        window=order.window or window_of(order.model or brief.model),
    )


def estimate(view: Sequence[Record], new: Sequence[NewRecord]) -> int:
    """About how many tokens a question has: what its last answer was counted with, and a quarter of the rest."""
    count, characters = 0, sum(_characters(record.body) for record in new)
    for record in reversed(view):
        usage = record.body.get("usage") if record.kind == "assistant" else None
        if usage and usage["input"]:
            count = usage["input"] + usage["output"]
            break
        characters += _characters(record.body)
    # After a compaction the last answer was counted with what is gone.
    if any(record.kind == "compacted" for record in view):
        whole = sum(_characters(record.body) for record in (*view, *new)) // 4
        return min(whole, count + characters // 4) if count else whole
    return count + characters // 4


def _characters(body: dict[str, Any]) -> int:
    return len(body.get("text", "")) + sum(len(call["arguments"]) for call in body.get("calls", ())) + weight_of(body)


def spent_of(answer: dict[str, Any]) -> Spent:
    """What the recorded answer with this body used."""
    usd = answer.get("usd")
    return Spent(
        usage=Usage.model_validate(answer["usage"]),
        usd=usd or 0.0,
        unpriced=1 if usd is None else 0,
        seconds=float(answer.get("seconds", 0.0)),
        calls=1,
    )
