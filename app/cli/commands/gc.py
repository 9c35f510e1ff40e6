"""`ctl gc`: removes worktrees, private repositories and outputs of runs that are over.

Never a stream's segments, a journal, a result or a branch; never anything of a run that is not ended.
"""

import json as codec
import os
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.commands.common import in_bytes, run_of, say
from app.cli.output import JsonFlag, note, print_json
from app.errors import UserError
from app.stream.files import STREAMS

if TYPE_CHECKING:
    from app.domain.run import RunView
    from app.settings import Settings

gc_app = typer.Typer(add_completion=False)


@gc_app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    days: Annotated[
        int | None,
        typer.Option("--days", min=0, help="Keep runs without a branch for that long; default: `keep_days`."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Remove what finished, merged or discarded runs left; conversations, journals and branches stay."""
    from app.cli.commands.checks import journals
    from app.settings import load

    settings = load()
    known = _views(settings.data_dir)
    names = {*known, *journals(settings.data_dir)}  # a run whose view is lost keeps what is its own
    limit = datetime.now(UTC) - timedelta(days=settings.keep_days if days is None else days)
    removed: dict[str, int] = {}
    for view in known.values():
        paths = _left(settings.data_dir, view.run, names)
        if not paths or not _over(view, limit):
            continue
        size = sum(_size(path) for path in paths)
        if dry_run or _remove(settings, view, paths):
            removed[view.run] = size
    total = sum(removed.values())
    if json:
        print_json({"dry_run": dry_run, "bytes": total, "runs": removed})
        return
    for run, size in removed.items():
        say(f"{run}  {in_bytes(size)}")
    would = "would be freed" if dry_run else "freed"
    say(f"{in_bytes(total)} {would} from {len(removed)} runs" if removed else "there is nothing to remove")


def _views(data: Path) -> "dict[str, RunView]":
    from app.stream.journal import load_view
    from app.stream.listing import runs

    found = (load_view(data, str(row["run"])) for row in runs(data))
    return {view.run: view for view in found if view is not None}


def _over(view: "RunView", limit: datetime) -> bool:
    """Whether nothing needs the run's files any more: merged, discarded, or long ended without a branch."""
    if view.result is None:
        return False
    if view.merged:
        return True
    if view.result.branch:
        return _merged_by_hand(view)
    return datetime.fromisoformat(view.updated_at) < limit


def _merged_by_hand(view: "RunView") -> bool:
    from app.workspace import merged_into_head

    assert view.result is not None
    try:
        return merged_into_head(Path(view.repo), view.result.branch)
    except UserError:  # their repository is gone: what is here may be all that is left of the work
        return False


def _left(data: Path, run: str, names: Collection[str]) -> list[Path]:
    """What there is to remove of the run: its repository, worktrees, outputs, notes of ended processes."""
    from app.workspace.places import private_dir, run_folder

    places = [private_dir(data, run), run_folder(data, run)]
    folders = (data / STREAMS).glob("*/output")
    places += [folder for folder in folders if run_of(folder.parent.name, names) == run]
    notes = (data / "processes").glob("*.json")
    places += [file for file in notes if run_of(file.stem.removeprefix("merge-"), names) == run and _stale(file)]
    return [place for place in places if place.exists()]


def _stale(file: Path) -> bool:
    """Whether the process that the note names is gone."""
    from app.pids import boot_id, start_time

    try:
        told = codec.loads(file.read_bytes())
        return told["boot"] != boot_id() or start_time(told["pid"]) != told["started"]
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError):
        return True


def _remove(settings: "Settings", view: "RunView", paths: Iterable[Path]) -> bool:
    from app.workspace import remove_run_files
    from app.workspace.files import remove

    try:
        remove_run_files(settings.data_dir, Path(view.repo), view.run)
        for path in paths:
            remove(path)
    except (OSError, UserError) as error:
        note(f"{view.run} is left as it is: {error}")
        return False
    return True


def _size(path: Path) -> int:
    """Bytes of a file or of all files below a folder, links not followed."""
    return sum(_bytes(file) for file in _files(path))


def _files(path: Path) -> Iterator[Path]:
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (Path(folder) / name for name in names)


def _bytes(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0
