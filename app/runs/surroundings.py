"""What a repository brings along for a run: whether it has hooks that may run, and what is not used and why."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from app.context import hooks, skills, trust
from app.context.instructions import plain
from app.context.source import Commit
from app.settings import Settings
from app.workspace.places import private_dir, private_git
from app.workspace.repository import borrowed, locate
from app.workspace.staging import stage


class Surroundings(TypedDict):
    """Fields of a `RunInput`."""

    hooks: tuple[str, ...]
    notes: tuple[str, ...]


def surroundings(
    settings: Settings, top: Path, *, include_dirty: bool = False, commit: str = "", run: str = ""
) -> Surroundings:
    """What a run of the repository at `top` is started with. Raises `UserError` for hooks that cannot be read.

    `commit`: what the run starts from, which may lie in the private repository of an earlier `run`.
    """
    with source_of(settings.data_dir, top, include_dirty=include_dirty, commit=commit, run=run) as source:
        found = trust.standing(settings.data_dir, str(top), source)
        there = hooks.of_run(source, settings.config_dir, trusted=found.usable)
        _, problems = skills.found(source, settings.config_dir, trusted=lambda: found.usable)
    told = trust.sentence(found, str(top))
    notes = tuple(plain(text)[:600] for text in (*([told] if told else []), *problems)[:20])
    return {"hooks": hooks.events_of(there), "notes": notes}


@contextmanager
def source_of(
    data: Path, top: Path, *, include_dirty: bool = False, commit: str = "", run: str = ""
) -> Generator[Commit]:
    """The files that a run would start from, readable for the length of the block."""
    repo = locate(top)
    if include_dirty:
        with borrowed(repo) as git:
            yield Commit(git, stage(git))
    elif commit and not repo.git.resolve(commit) and private_dir(data, run).is_dir():
        yield Commit(private_git(data, run), commit)
    else:
        yield Commit(repo.git, commit or repo.head)
