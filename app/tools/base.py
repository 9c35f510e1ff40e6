"""What every tool is: a name, a schema, an effect and a function."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict

from app.domain.base import Model
from app.domain.plugin import PluginRef
from app.domain.session import Ids
from app.domain.tool import Effect, RunsAs, Workspace
from app.stream import files
from app.stream.images import StoredImage

Agents = Literal["writing", "reading", "judging"]
WRITING: frozenset[Agents] = frozenset({"writing"})
EVERYBODY: frozenset[Agents] = frozenset({"writing", "reading", "judging"})
NOBODY: frozenset[Agents] = frozenset()
"""For tools that a workflow names itself."""
PREVIEW = 400
"""Characters of a preview, the limit of `ToolResult.preview`."""


class ToolError(Exception):
    """What the model did cannot be done: one sentence for the model. Nothing was changed."""


class Arguments(Model):
    """Base of all tool arguments: unknown fields are refused, so that no intent is lost silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


@dataclass(frozen=True)
class Output:
    """What a call left. `text` is for the model, `preview` (one line) for a person."""

    status: Literal["ok", "error", "denied", "cut_off"]
    text: str
    preview: str = ""
    seen: Mapping[str, str] = field(default_factory=dict[str, str])
    """SHA-256 of each file, by its path from the top of the worktree, as the model knows it from now on."""
    images: tuple[StoredImage, ...] = ()
    """What the model is shown beside the text."""


def _nothing_seen(_: str) -> str | None:
    return None


@dataclass(frozen=True)
class ToolContext:
    """Where a call runs: the agent's worktree stands for the user's repository at `workspace.root`."""

    data: Path
    workspace: Workspace
    worktree: Path
    mounts: Callable[[], Any]
    """Makes `app.tools.gate.sandbox.Mounts` when a command needs them: finding them asks git."""
    ids: Ids
    step_id: str
    session_id: str
    attempt: int
    sandboxed: bool
    allowed: bool
    emit: Callable[[str], None]
    plugins: tuple[PluginRef, ...] = ()
    seen: Callable[[str], str | None] = _nothing_seen
    """What this conversation's recorded results say of a file: the SHA-256 it last had, None if never seen."""
    blind: str = ""
    """The model that made the call, where it does not see images."""
    answer: str = ""
    """What a person answered, for a tool that waits for one."""
    config: Path | None = None
    """The person's own configuration, where their skills lie."""
    job: int = 0
    """The number of the job that this call begins; 0: it can begin none."""
    jobs: tuple[int, ...] = ()
    """The numbers of the agent's open jobs."""


def _no_paths(_: Any) -> tuple[str, ...]:
    return ()


def _no_preview(_: Any) -> str:
    return ""


@dataclass(frozen=True)
class Tool:
    """One entry of the registry. `run` is None where the workflow itself takes the answer."""

    name: str
    description: str
    arguments: type[Model]
    effect: Effect
    run: Callable[[Any, ToolContext], Awaitable[Output]] | None
    runs_as: RunsAs = "activity"
    preview: Callable[[Any], str] = _no_preview
    """One line that says what the call is about to do, at most `PREVIEW` characters."""
    paths: Callable[[Any], tuple[str, ...]] = _no_paths
    """The paths that the call touches, as the model wrote them: the permission gate judges them."""
    inner: Callable[[Any], tuple[tuple[str, str], ...]] | None = None
    """The calls (name, arguments) that this one is made of: the gate judges each of them."""
    agents: frozenset[Agents] = WRITING
    """Which agents are offered it; `@writing` in an agent's list names all tools of those that write."""


@dataclass(frozen=True)
class InThread:
    """A function that blocks, for the event loop; who is in a thread already calls `function`."""

    function: Callable[[Any, ToolContext], Output]

    async def __call__(self, arguments: Any, ctx: ToolContext) -> Output:
        return await asyncio.to_thread(self.function, arguments, ctx)


def in_thread(function: Callable[[Any, ToolContext], Output]) -> InThread:
    """The same function off the event loop: file work blocks."""
    return InThread(function)


def json_of(name: str, arguments: str) -> object:
    """What a model wrote as the arguments of `name`. Raises `ToolError` for no JSON, and for text that is none.

    JSON can hold half a character, which no path, no rule and no digest can.
    """
    try:
        values: object = json.loads(arguments or "{}")
        if "\\u" in arguments:
            json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ToolError(f"the arguments of `{name}` hold half a character (a surrogate); send whole ones") from None
    except (ValueError, RecursionError) as error:
        raise ToolError(f"the arguments of `{name}` are not valid JSON ({error}); send one JSON object") from None
    return values


def clip(text: str, limit: int = PREVIEW) -> str:
    """The text as one line of at most `limit` characters."""
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def session_folder(ctx: ToolContext) -> Path:
    """Where the files of this session lie; it may not exist yet."""
    return files.session_folder(ctx.data, ctx.session_id)
