"""Which run a person means: its id, a unique beginning of it, or the latest of this repository."""

from pathlib import Path

from app.domain.run import RunView
from app.errors import UserError
from app.stream.journal import load_view
from app.stream.listing import runs


def find(data: Path, run: str | None, repo: str = "") -> RunView:
    """The view of the run that is meant. Raises `UserError` when none, or more than one, is."""
    name = run or _latest(data, repo)
    view = load_view(data, name)
    if view is not None:
        return view
    names = [str(row["run"]) for row in runs(data)]
    found = [known for known in names if known.startswith(name)]
    if len(found) > 1:
        raise UserError(f"`{name}` could be any of {', '.join(f'`{known}`' for known in found[:5])}; write more of it")
    view = load_view(data, found[0]) if found else None
    if view is None:
        raise UserError(f"there is no run `{name}`; `ctl okr runs` lists them")
    return view


def _latest(data: Path, repo: str) -> str:
    found = runs(data, repo)
    if not found:
        where = f" of `{repo}`" if repo else ""
        raise UserError(f'there is no run{where} yet; start one: `ctl go "make the import 2x faster"`')
    return str(found[0]["run"])
