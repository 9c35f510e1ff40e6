"""From what a person typed to the input of a workflow."""

import os
from pathlib import Path

from pydantic import TypeAdapter

from app import llm, workspace
from app.domain.budget import Budget
from app.domain.plugin import PluginRef
from app.domain.run import ModelRef, RunInput, RunKind, RunView
from app.domain.session import Ids
from app.domain.tool import Mode
from app.errors import UserError
from app.runs import guard, names
from app.runs.permissions import standing
from app.runs.surroundings import surroundings
from app.settings import Settings
from app.stack.identity import data_id


def budget_of(model: ModelRef, *, usd: float | None, tokens: int | None, fallback: tuple[ModelRef, ...] = ()) -> Budget:
    """The budget of a run. A money limit needs a known price; without one only tokens are limited.

    Raises `UserError` when money was asked to be limited and cannot be counted.
    """
    default = Budget()
    for name, value in (("--budget-usd", usd), ("--budget-tokens", tokens)):
        if value is not None and value <= 0:
            raise UserError(f"`{name} {value:g}` is no budget; give a number above 0")
    unpriced = next((each for each in (model, *fallback) if not llm.priced(each)), None)
    known = unpriced is None
    if usd is not None and unpriced is not None:
        raise UserError(
            f"the price of `{unpriced.id}` is unknown, so money cannot be limited; use `--budget-tokens 500000`, "
            "or say the price in `[prices]` of `config.toml`"
        )
    return default.model_copy(
        update={
            "usd": (default.usd if usd is None else usd) if known else None,
            "tokens": default.tokens if tokens is None else tokens,
        }
    )


def place(repo: str) -> tuple[Path, str]:
    """The top of the repository that `repo` lies in, and the subfolder that agents start in.

    Raises `UserError` where there is no repository, or none with a commit.
    """
    folder = Path(os.path.abspath(Path(repo).expanduser()))  # noqa: PTH100 - resolve() would follow a linked folder
    found = workspace.locate(folder)
    _ = found.head
    return found.top, os.path.relpath(folder.resolve(), found.top.resolve())


def new(
    settings: Settings,
    *,
    kind: RunKind,
    intent: str,
    repo: str,
    model: ModelRef,
    budget: Budget,
    fallback: tuple[ModelRef, ...] = (),
    max_turns: int = 40,
    include_dirty: bool = False,
    interactive: bool = True,
    session: str = "",
    session_end: int = 0,
) -> RunInput:
    """The order for a new run. Raises `UserError` for whatever cannot work, before anything starts."""
    words = guard.intent(intent, kind)
    if not 1 <= max_turns <= 1000:
        raise UserError(f"`--max-turns {max_turns}` is not usable; give a number from 1 to 1000")
    top, subdir = place(repo)
    okr = names.okr_id(words) if kind == "go" else ""
    run = names.go_run(okr, 1) if kind == "go" else names.direct_run(kind, words)
    return RunInput(
        run=run,
        kind=kind,
        intent=words,
        repo=str(top),
        subdir=subdir,
        data_id=data_id(settings.data_dir),
        model=model,
        fallback=fallback,
        ids=Ids(okr_id=okr, okr_run_id=run),
        budget=budget,
        max_turns=max_turns,
        mode=TypeAdapter(Mode).validate_python(settings.mode),
        rules=standing(settings, str(top)),
        include_dirty=include_dirty,
        interactive=interactive,
        session=session,
        session_end=session_end,
        plugins=_plugins(settings.data_dir),
        **surroundings(settings, top, include_dirty=include_dirty),
    )


def again(settings: Settings, view: RunView, *, budget: Budget, taken: set[str]) -> RunInput:
    """The order that goes on where an ended run stopped: its OKR, its last commit, a fresh budget.

    `taken`: ids of runs that exist. Raises `UserError` for a run whose draft was never approved.
    """
    if view.kind == "go" and not any(d.verdict == "approve" for d in view.decisions) and view.run.endswith("-1"):
        raise UserError(f"run `{view.run}` was never approved; start a new one: `ctl go {view.intent!r}`")
    result = view.result
    base = (result.base if result else "") or view.base
    commit = (result.commit if result else "") or view.checkpoint.commit
    if view.kind == "go":
        number = 2
        while (run := names.go_run(view.ids.okr_id, number)) in taken:
            number += 1
    else:
        run = names.direct_run(view.kind, view.intent)
    return RunInput(
        run=run,
        kind=view.kind,
        intent=view.intent,
        repo=view.repo,
        subdir=view.subdir,
        data_id=data_id(settings.data_dir),
        model=view.model,
        fallback=view.fallback,
        ids=Ids(okr_id=view.ids.okr_id, okr_run_id=run),
        budget=budget,
        max_turns=view.max_turns,
        mode=view.mode,
        rules=standing(settings, view.repo),
        resume=view.okr if view.kind == "go" else None,
        resume_commit=commit,
        resume_base=base,
        plugins=_plugins(settings.data_dir),
        **surroundings(settings, Path(view.repo), commit=base, run=view.run),
    )


def _plugins(data: Path) -> tuple[PluginRef, ...]:
    """What is installed now: a run keeps to it until its end."""
    if not (data / "plugins" / "installed.json").exists():
        return ()
    from app.security.plugins import offered

    return offered(data)
