"""What each journal event does to the view of a run: the one place, for workflow and projection.

| event        | body                                             | changes                                |
|--------------|--------------------------------------------------|----------------------------------------|
| started      | {input: RunInput}                                | everything, from the order             |
| prepared     | {base}                                           | base, checkpoint                       |
| draft        | {okr, problem}                                   | okr, status `drafting`                 |
| baseline     | {key_results}                                    | key results                            |
| asked        | Request                                          | requests, `waiting`                    |
| decision     | Decision                                         | requests, decisions                    |
| turn_started | {agent, turn, session_id, agent_id}              | turn, agent, `working`                 |
| turn_ended   | {agent, turn, session_id, status, text, spent, checkpoint} | spent, checkpoint            |
| reading      | {key_results}                                    | last readings                          |
| told         | Tell                                             | nothing: it is kept for readers        |
| paused       | {}                                               | `paused`                               |
| resumed      | {budget}                                         | budget, `working`                      |
| mode         | {mode, by, agent}                                | mode, or planning where an agent says  |
| warned       | {text}                                           | warnings                               |
| outcome      | RunResult                                        | result, `ended`                        |
"""

from typing import Any

from app.domain.budget import Budget, Spent
from app.domain.event import RunEvent
from app.domain.okr import KeyResult, Okr
from app.domain.run import Checkpoint, Decision, Request, RunInput, RunResult, RunView


def apply(view: RunView | None, event: RunEvent, at: str) -> RunView:
    """The view after `event`, which happened at `at` (RFC 3339, UTC).

    Raises `ValueError` when a journal does not begin with `started`.
    """
    if event.kind == "started":
        return _started(event.body, at)
    if view is None:
        raise ValueError(f"a journal begins with `started`, not with `{event.kind}`")
    changes = _changes(view, event)
    if view.status == "paused" and event.kind not in ("resumed", "outcome"):
        changes.pop("status", None)  # a pause lasts until somebody ends it
    return view.model_copy(update=changes | {"updated_at": at})


def _started(body: dict[str, Any], at: str) -> RunView:
    order = RunInput.model_validate(body["input"])
    return RunView(
        **{name: getattr(order, name) for name in RunView.model_fields if name in RunInput.model_fields},
        status="drafting" if order.kind == "go" and order.resume is None else "working",
        okr=order.resume,
        checkpoint=Checkpoint(commit=order.resume_commit),
        warnings=order.notes,
        started_at=at,
        updated_at=at,
    )


def _changes(view: RunView, event: RunEvent) -> dict[str, Any]:
    body = event.body
    match event.kind:
        case "prepared":
            base = str(body["base"])
            return {"base": base, "checkpoint": Checkpoint(commit=view.checkpoint.commit or base)}
        case "draft":
            okr = Okr.model_validate(body["okr"]) if body.get("okr") else view.okr
            return {"okr": okr, "status": "drafting", "detail": str(body.get("problem", ""))}
        case "baseline" | "reading":
            return {"okr": _with(view.okr, body), "status": "drafting" if event.kind == "baseline" else "working"}
        case "asked":
            request = Request.model_validate(body)
            others = tuple(r for r in view.requests if r.id != request.id)
            return {"requests": (*others, request), "status": "waiting", "detail": request.title}
        case "decision":
            decision = Decision.model_validate(body)
            left = tuple(r for r in view.requests if r.id != decision.request_id)
            status = "waiting" if left else "drafting" if decision.verdict == "amend" else "working"
            return {"requests": left, "decisions": (*view.decisions, decision), "status": status, "detail": ""}
        case "turn_started":
            return {"turn": int(body["turn"]), "agent": str(body["agent"]), "status": "working", "detail": ""}
        case "turn_ended":
            spent = view.spent + Spent.model_validate(body.get("spent", {}))
            point = Checkpoint.model_validate(body["checkpoint"]) if body.get("checkpoint") else view.checkpoint
            return {"spent": spent, "checkpoint": point, "planning": False}
        case "paused":
            return {"status": "paused"}
        case "resumed":
            budget = Budget.model_validate(body["budget"]) if body.get("budget") else view.budget
            return {"status": "waiting" if view.requests else "working", "budget": budget}
        case "mode":
            return (
                {"planning": body["mode"] == "plan"} if body.get("agent") else {"mode": body["mode"], "planning": False}
            )
        case "warned":
            return {"warnings": (*view.warnings, str(body.get("text", "")))[-20:]}
        case "outcome":
            result = RunResult.model_validate(body)
            okr = _with(view.okr, {"key_results": body.get("key_results", ())})
            return {"result": result, "status": "ended", "requests": (), "okr": okr, "spent": result.spent}
        case _:
            return {}


def _with(okr: Okr | None, body: dict[str, Any]) -> Okr | None:
    if okr is None or not body.get("key_results"):
        return okr
    return okr.model_copy(update={"key_results": tuple(KeyResult.model_validate(kr) for kr in body["key_results"])})
