"""What the Temporal UI shows of a run: its current details as Markdown."""

from app.domain.figures import figure, target
from app.domain.okr import KeyResult
from app.domain.run import RunView


def markdown(view: RunView) -> str:
    """Status, what is waited for, key results, cost. Written from the view alone."""
    lines = [f"**{view.status}**{' · ' + view.detail if view.detail else ''}", "", f"> {_line(view.intent, 300)}", ""]
    if view.turn:
        lines += [f"turn {view.turn} · {view.agent}", ""]
    if view.okr is not None:
        lines += [f"### {view.okr.objective}", "", "| key result | baseline | now | target |", "|---|---|---|---|"]
        lines += [_row(kr) for kr in view.okr.key_results] + [""]
    for request in view.requests:
        lines += [f"- waiting for a decision on `{request.id}`: {_line(request.title, 200)}"]
    cost = view.spent.cost.usd
    price = "cost unknown" if cost is None else f"${cost:.4f}"
    lines += ["", f"{view.spent.calls} model calls · {view.spent.usage.tokens} tokens · {price}"]
    if view.result is not None:
        lines += ["", f"**{view.result.outcome}** {view.result.reason} {view.result.branch}"]
    return "\n".join(lines)


def _row(kr: KeyResult) -> str:
    baseline = kr.baseline.value if kr.baseline else None
    now = kr.last.value if kr.last else baseline
    sign = "≥" if kr.direction == "up" else "≤"
    return f"| {_line(kr.title, 120)} | {_number(baseline)} | {_number(now)} | {target(sign, kr.target, kr.unit)} |"


def _number(value: float | None) -> str:
    return "not measured" if value is None else figure(value)


def _line(text: str, most: int) -> str:
    return text.replace("\n", " ").replace("|", "/")[:most]
