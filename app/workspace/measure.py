"""Reading a key result: a clean tree of a commit, protected files as they were approved, one command."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from app.domain.activities import MeasureInput
from app.domain.okr import Command, Judge, Reading, TestCount
from app.settings import Settings
from app.telemetry.clock import now
from app.workspace.dependencies import mounts, normal
from app.workspace.files import remove
from app.workspace.places import folder_name, private_git, run_folder
from app.workspace.protect import protected_changes
from app.workspace.values import middle, value_of
from app.workspace.worktrees import checkout, forget_worktree, tree_with

_SHOWN = 800
"""Characters of output that a reading keeps."""


@dataclass(frozen=True)
class _Bench:
    """Where one reading is taken."""

    data: Path
    order: MeasureInput
    settings: Settings
    measure: Command | TestCount
    sandboxed: bool
    attempt: int

    @property
    def repeat(self) -> int:
        return self.measure.repeat if isinstance(self.measure, Command) else 1

    @property
    def keys(self) -> list[str]:
        """One for each run of the command: those that decide, then those of the commit's own files."""
        return [f"{self.order.step_id}-a{self.attempt}-{number}" for number in range(2 * self.repeat)]

    @property
    def earlier(self) -> "list[_Bench]":
        """What attempts before this one may have left."""
        return [replace(self, attempt=number) for number in range(1, self.attempt)]

    @property
    def folder(self) -> Path:
        return run_folder(self.data, self.order.run) / f".measure-{folder_name(self.order.step_id)}-a{self.attempt}"

    def beside(self, end: str) -> Path:
        return self.folder.with_name(f"{self.folder.name}.{end}")


async def measure(
    data: Path, order: MeasureInput, settings: Settings, *, allowed: bool = False, attempt: int = 1
) -> Reading:
    """The reading; what cannot be measured is a reading without value whose `problem` says why.

    `attempt`: each has a folder of its own, and ends what earlier ones left: one that was frozen may wake.
    With changed protected files the value is read with the approved ones, `own_value` with the commit's.
    """
    from app.tools.gate.sandbox import probe  # it is above us: the gate uses worktrees

    what = order.key_result.measure
    if isinstance(what, Judge):
        return _unmeasured(order, "a judgement is given by an agent, not by a command")
    sandbox = await asyncio.to_thread(probe)
    if not sandbox.works and not allowed:
        return _unmeasured(order, "not measured yet: no sandbox on this machine; it runs once you approve")
    if not sandbox.enough and not allowed:
        words = f"{sandbox.backend} alone does not hold {', '.join(sandbox.lacks)}"
        return _unmeasured(order, f"not measured yet: {words}; it runs once you approve")
    if what.network and not allowed:
        return _unmeasured(order, "not measured yet: it wants the network")
    bench = _Bench(data, order, settings, what, sandbox.works, attempt)
    git, ws = private_git(data, order.run), order.workspace
    changed = await asyncio.to_thread(protected_changes, git, order.approved, order.commit, what, ws.subdir)
    await _end_earlier(bench)
    reading = await _read(bench, changed, bench.keys[: bench.repeat])
    if not changed:
        return reading
    own = await _read(bench, (), bench.keys[bench.repeat :])
    return reading.model_copy(update={"changed": changed[:20], "own_value": own.value})


def _unmeasured(order: MeasureInput, problem: str) -> Reading:
    return Reading(at=now(), commit=order.commit, problem=problem)


async def _end_earlier(bench: _Bench) -> None:
    from app.tools.process import kill_left

    for earlier in bench.earlier:
        for key in earlier.keys:
            await asyncio.to_thread(kill_left, bench.data, key)
        await asyncio.to_thread(_remove_tree, earlier)


async def _read(bench: _Bench, approved: tuple[str, ...], keys: list[str]) -> Reading:
    """One median, from a fresh tree in which the files named in `approved` are as they were approved."""
    from app.tools.process import forget, run_command

    what, order = bench.measure, bench.order
    inside = normal(f"{order.workspace.subdir}/{what.cwd}")
    async with _tree(bench, approved):
        if inside is None or not (bench.folder / inside).resolve().is_relative_to(bench.folder.resolve()):
            return _unmeasured(order, f"folder `{what.cwd}` lies outside of the repository")
        if not (bench.folder / inside).is_dir():
            return _unmeasured(order, f"folder `{inside}` does not exist in this commit")
        seen = await asyncio.to_thread(mounts, bench.data, order.workspace, bench.settings, bench.folder)
        samples: list[float] = []
        done = None
        for key in keys:
            done = await run_command(
                data=bench.data,
                key=key,
                argv=what.argv,
                cwd=order.workspace.root if inside == "." else f"{order.workspace.root}/{inside}",
                mounts=seen,
                timeout=what.timeout,
                network=what.network,
                sandboxed=bench.sandboxed,
                emit=None,
                spool=bench.beside("out"),
            )
            forget(bench.data, key)
            value = await asyncio.to_thread(value_of, what, done.exit, done.output, done.timed_out)
            if value.number is None:
                return _reading(order, done.exit, done.output, problem="; ".join((value.problem, *done.notes)))
            samples.append(value.number)
        assert done is not None
        return _reading(order, done.exit, done.output, samples=samples)


def _reading(
    order: MeasureInput, exit: int | None, output: str, *, samples: list[float] | None = None, problem: str = ""
) -> Reading:
    value, spread = middle(samples) if samples else (None, 0.0)
    return Reading(
        value=value,
        at=now(),
        commit=order.commit,
        exit=exit,
        output=output[-_SHOWN:],
        samples=tuple(samples or ()),
        spread=spread,
        problem=problem[:400],
    )


@asynccontextmanager
async def _tree(bench: _Bench, approved: tuple[str, ...]) -> AsyncGenerator[None]:
    try:
        await asyncio.to_thread(_make_tree, bench, approved)
        yield
    finally:
        await asyncio.to_thread(_remove_tree, bench)


def _make_tree(bench: _Bench, approved: tuple[str, ...]) -> None:
    order, index = bench.order, bench.beside("index")
    _remove_tree(bench)
    git = private_git(bench.data, order.run)
    bench.folder.parent.mkdir(parents=True, exist_ok=True)
    tree = tree_with(git, order.commit, order.approved, approved, index) if approved else ""
    checkout(bench.data, order.workspace, bench.folder, order.commit, index, tree)


def _remove_tree(bench: _Bench) -> None:
    forget_worktree(bench.data, bench.order.run, bench.folder)
    remove(bench.beside("index"))
    remove(bench.beside("out"))
