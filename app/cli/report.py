"""`--out DIR`: what a build server keeps of a run."""

import json
import os
from pathlib import Path
from typing import Any

from app.domain.figures import counted, figure, target
from app.domain.run import RunView
from app.errors import UserError


def document(view: RunView) -> dict[str, Any]:
    """A run as one JSON object: what `--json` prints and `result.json` holds."""
    result = view.result
    told = view.model_dump(
        mode="json", include={"run", "kind", "intent", "repo", "status", "turn", "base", "requests", "warnings"}
    )
    told["model"] = view.model.id
    told["okr"] = view.okr.model_dump(mode="json") if view.okr else None
    told["result"] = result.model_dump(mode="json") if result else None
    spent = result.spent if result else view.spent
    told["cost"] = {"usd": spent.cost.usd, "tokens": spent.usage.tokens, "calls": spent.calls}
    return told


def prepare(folder: Path) -> None:
    """Makes the folder of `--out`. Raises `UserError` where it cannot hold files: sooner than a run is paid for."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"`--out {folder}` cannot be made: {error.strerror}; name another folder") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"`--out {folder}` cannot be written to; name another folder")


def write(folder: Path, view: RunView, patch: bytes) -> None:
    """Writes `result.json`, `changes.patch` and `report.md`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text(json.dumps(document(view), indent=2) + "\n", encoding="utf-8")
        (folder / "changes.patch").write_bytes(patch)
        (folder / "report.md").write_text(markdown(view), encoding="utf-8")
    except OSError as error:
        why = error.strerror
        raise UserError(f"cannot write to `{folder}`: {why}; the run itself is complete: `{view.run}`", 1) from error


def markdown(view: RunView) -> str:
    """The run for people who read it in a review."""
    result = view.result
    lines = [f"# {view.run}", "", f"> {view.intent}", ""]
    if result is not None:
        lines += [f"**{result.outcome}**: {result.reason}", ""]
    if view.okr is not None:
        lines += [f"## {view.okr.objective}", "", "| key result | baseline | now | target | met |"]
        lines.append("|---|---|---|---|---|")
        for kr in result.key_results if result and result.key_results else view.okr.key_results:
            values = [reading.value if reading else None for reading in (kr.baseline, kr.last)]
            shown = ["—" if value is None else figure(value) for value in values]
            sign = "≥" if kr.direction == "up" else "≤"
            met = "yes" if kr.met else "no"
            lines.append(f"| {kr.title} | {shown[0]} | {shown[1]} | {target(sign, kr.target, kr.unit)} | {met} |")
        lines.append("")
    if result is not None:
        usd = result.spent.cost.usd
        cost = "unknown" if usd is None else f"${usd:.4f}"
        stat = result.diffstat
        lines += [
            f"{counted(result.turns, 'turn')}, {counted(result.spent.calls, 'model call')}, "
            f"{counted(result.spent.usage.tokens, 'token')}, cost {cost}.",
            "",
            f"Branch `{result.branch or 'none'}`: {counted(stat.files, 'file')}, +{stat.added} -{stat.removed}.",
            "",
        ]
    return "\n".join(lines)
