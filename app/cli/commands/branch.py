"""`ctl diff`, `ctl merge`, `ctl patch`, `ctl discard`: what a run changed, and what becomes of it."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import JsonFlag, RunArgument, coloured, console, interactive, note, print_json
from app.errors import UserError

if TYPE_CHECKING:
    from app.domain.okr import KeyResult, Reading
    from app.domain.run import RunView
    from app.settings import Settings

diff_app = typer.Typer(add_completion=False)
merge_app = typer.Typer(add_completion=False)
patch_app = typer.Typer(add_completion=False)
discard_app = typer.Typer(add_completion=False)


@diff_app.command()
def diff(
    run: RunArgument = None,
    stat: Annotated[bool, typer.Option("--stat", help="A line for each file.")] = False,
    json: JsonFlag = False,
) -> None:
    """What a run changed, also while it works."""
    from app.workspace import diff_text

    settings, view = _meant(run)
    base, commit = _commits(view)
    color = sys.stdout.isatty() and not json
    text = diff_text(settings.data_dir, view.run, base, commit, repo=Path(view.repo), stat=stat, color=color)
    if json:
        print_json({"run": view.run, "base": base, "commit": commit, "diff": text})
    elif text:
        sys.stdout.write(coloured(text) if color else text)
    elif view.result is None:
        note(f"{view.run} has committed no change yet; it commits after each turn: ctl watch {view.run}")
    else:
        note(f"{view.run} has changed nothing")


@patch_app.command()
def patch(
    run: RunArgument = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; default: stdout.")] = None,
) -> None:
    """A run's changes as a patch, for `git apply`."""
    from app.workspace import patch as patch_of

    settings, view = _meant(run)
    base, commit = _commits(view)
    content = patch_of(settings.data_dir, view.run, base, commit, repo=Path(view.repo))
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise UserError(f"cannot write `{output}`: {error.strerror}; name another file with `--output`", 1) from error
    note(f"wrote {output}; apply it with: git apply {output}")


@merge_app.command()
def merge(
    run: RunArgument = None,
    squash: Annotated[bool, typer.Option("--squash", help="One commit of yours instead of a merge.")] = False,
    json: JsonFlag = False,
) -> None:
    """Merge a run's branch into yours, with your own identity, hooks and signing."""
    settings, view = _meant(run, changes=True)
    if view.result is None:
        raise UserError(f"run `{view.run}` has not ended; watch it: `ctl watch {view.run}`", 1)
    if not view.result.branch:
        raise UserError(f"run `{view.run}` changed nothing, there is nothing to merge", 1)
    if view.merged == "discarded":
        raise UserError(f"run `{view.run}` was discarded with its branch; start it again: `ctl go` or `ctl run`", 1)
    commit = merge_run(settings, view, squash=squash, quiet=json)
    if json:
        print_json({"run": view.run, "branch": view.result.branch, "commit": commit})


@discard_app.command()
def discard(
    run: RunArgument = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Do not ask.")] = False,
    json: JsonFlag = False,
) -> None:
    """Remove a run's branch, worktrees and private repository; its conversation stays."""
    from app.stream.journal import update_view
    from app.workspace import discard as remove
    from app.workspace import merged_into_head

    settings, view = _meant(run, changes=True)
    if view.result is None:
        raise UserError(f"run `{view.run}` has not ended; end it first: `ctl cancel {view.run}`", 1)
    branch = view.result.branch
    gone = not branch or view.merged == "discarded"
    unmerged = not gone and not merged_into_head(Path(view.repo), branch, view.merged)
    if unmerged and not force:
        if not interactive():
            raise UserError(f"branch `{branch}` is not merged; discard it with `ctl discard {view.run} --force`", 2)
        typer.confirm(f"{branch} is not merged. Discard its work?", abort=True)
    remove(settings.data_dir, Path(view.repo), view.run)
    update_view(settings.data_dir, view.run, lambda old: old.model_copy(update={"merged": old.merged or "discarded"}))
    print_json({"run": view.run, "discarded": True}) if json else console().print(f"{view.run} is discarded")


def merge_run(settings: "Settings", view: "RunView", *, squash: bool, quiet: bool = False) -> str:
    """Merges the branch of an ended run; returns HEAD. What was not what the run started from is measured again."""
    from app.stream.journal import update_view
    from app.workspace import locate
    from app.workspace import merge as merge_branch

    result = view.result
    assert result is not None
    repo = Path(view.repo)
    before = locate(repo).head
    title = view.okr.objective if view.okr else " ".join(view.intent.split())[:72]
    done = merge_branch(repo, result.branch, squash=squash, message=f"{title}\n\nCodetether-Run: {view.run}")
    update_view(settings.data_dir, view.run, lambda old: old.model_copy(update={"merged": done.commit}))
    say = note if quiet else console().print
    say(f"{result.branch} was merged already" if done.already else f"merged {result.branch} into {done.commit[:12]}")
    if result.key_results and before != result.base and not done.already:
        _measure_again(settings, view, done.commit, say)
    return done.commit


def _measure_again(settings: "Settings", view: "RunView", commit: str, say: object) -> None:
    """The repository moved on since the run began: its key results are read once more, on the merged commit."""
    from app.cli.draft import number

    assert view.result is not None and callable(say)
    say("your branch had moved on since this run began: its key results are measured on the merged commit")
    worse = False
    for kr in view.result.key_results:
        if kr.measure.kind == "judge":
            continue
        reading = asyncio.run(_measure(settings, view, kr, commit))
        met = kr.reached(reading.value)
        worse = worse or not met
        say(f"  {kr.title}: {number(reading)} {'met' if met else reading.problem or 'NOT met any more'}")
    if worse:
        raise UserError(
            f"the merge `{commit[:12]}` does not meet every key result of `{view.run}`; look at it, or take it back: "
            "`git reset --keep HEAD~1`",
            5,
        )


async def _measure(settings: "Settings", view: "RunView", kr: "KeyResult", commit: str) -> "Reading":
    from app.domain.activities import MeasureInput
    from app.domain.tool import Workspace
    from app.stack.identity import data_id
    from app.workspace import measure

    assert view.result is not None
    space = Workspace(
        data_id=data_id(settings.data_dir),
        run=view.run,
        name="main",
        root=view.repo,
        subdir=view.subdir,
        base=view.result.base,
    )
    order = MeasureInput(
        step_id=f"merge-{view.run}-{kr.id}-{commit[:12]}",
        ids=view.ids,
        run=view.run,
        key_result=kr,
        workspace=space,
        commit=commit,
        approved=commit,
    )
    return await measure(settings.data_dir, order, settings, allowed=True)


def _meant(run: str | None, *, changes: bool = False) -> "tuple[Settings, RunView]":
    from app.cli.session import meant
    from app.settings import load

    settings = load()
    return settings, meant(settings, run, changes=changes)


def _commits(view: "RunView") -> tuple[str, str]:
    """The run's base, and its last commit so far."""
    base = (view.result.base if view.result else "") or view.base
    commit = (view.result.commit if view.result else "") or view.checkpoint.commit
    if not base or not commit:
        raise UserError(f"run `{view.run}` has no commit yet; watch it: `ctl watch {view.run}`", 1)
    return base, commit
