"""From the arguments that a model wrote to the text that it reads."""

import asyncio
import errno
import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from app.domain.base import Model
from app.domain.plugin import PREFIX
from app.stream.errors import Unwritable
from app.stream.files import create_file, make_folder
from app.tools.base import InThread, Output, Tool, ToolContext, ToolError, clip, json_of
from app.tools.paths import OUTPUT, output_file, shown, top_of
from app.tools.registry import REGISTRY
from app.tools.writes import digests_after

CAP = 16_000
"""Characters of a result that the model is given; the whole text can be read with `read`."""
_NOTE = 300
_FORBIDDEN = "may not be used, for its permissions deny it; change them with a command in `bash`, or go on without it"
_FOR_THE_MODEL = {
    errno.ENOENT: "does not exist, or not any more; find it with `glob`",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.ENOTDIR: "cannot exist, for a part of its path is a file; choose another path",
    errno.EISDIR: "is a folder; name a file",
    errno.ENAMETOOLONG: "is a name too long; choose a shorter one",
    errno.ELOOP: "is a symbolic link that leads in a circle; remove it with a command in `bash`, or name another file",
}
"""What of the machine's errors a model can do something about, and what."""


async def execute(name: str, arguments: str, ctx: ToolContext, cap: int = CAP) -> Output:
    """Runs one call; its text has about `cap` characters at most.

    What the model did wrong is an `error` output; a failing machine raises `OSError`.
    """
    if name.startswith(PREFIX):
        from app.tools.plugin import call

        return await asyncio.to_thread(_capped, await call(name, arguments, ctx), ctx, cap)
    if blocks(name):
        return await asyncio.to_thread(execute_blocking, name, arguments, ctx, cap)
    tool = REGISTRY.get(name)
    if tool is None or tool.run is None:
        return _failed(f"`{name}` is not a tool that can be run; use one of {', '.join(_runnable())}")
    try:
        output = await tool.run(parsed(tool, arguments), ctx)
    except (ToolError, OSError) as error:
        output = _failure(error, name, ctx)
    return await asyncio.to_thread(_capped, output, ctx, cap)


def blocks(name: str) -> bool:
    """Whether a tool does nothing but block: one thread can do all of a call."""
    tool = REGISTRY.get(name)
    return tool is not None and isinstance(tool.run, InThread)


def execute_blocking(name: str, arguments: str, ctx: ToolContext, cap: int = CAP) -> Output:
    """`execute`, for a tool that blocks, in this thread."""
    tool = REGISTRY[name]
    assert isinstance(tool.run, InThread)
    try:
        output = tool.run.function(parsed(tool, arguments), ctx)
        if tool.effect == "write" and output.status == "ok":
            output = replace(output, seen=digests_after(ctx))
    except (ToolError, OSError) as error:
        output = _failure(error, name, ctx)
    return _capped(output, ctx, cap)


def _failure(error: ToolError | OSError, name: str, ctx: ToolContext) -> Output:
    """What a model did wrong, or can do something about, in words; raises again what it cannot."""
    if isinstance(error, ToolError):
        return _failed(str(error))
    if error.errno not in _FOR_THE_MODEL or _is_ours(error, ctx):
        raise error
    return _failed(f"`{_named(error, name, ctx)}` {_FOR_THE_MODEL[error.errno]}")


def parsed(tool: Tool, arguments: str) -> Model:
    """The arguments as the tool's model. Raises `ToolError` naming the field that is wrong."""
    read = _read_before if len(arguments) <= _SHORT else _read
    return read(tool.name, tool.arguments, arguments)


def _read(name: str, model: type[Model], arguments: str) -> Model:
    values = json_of(name, arguments)
    if not isinstance(values, dict):
        raise ToolError(f"the arguments of `{name}` are not a JSON object; send one")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "arguments"
        known = ", ".join(model.model_fields) or "no arguments"
        raise ToolError(f"`{field}` of `{name}`: {first['msg']}; it takes {known}") from None


_SHORT = 2000
_read_before = lru_cache(256)(_read)
"""The same arguments are read by the gate, for the preview, by the tool, and for what it came to."""


def paths_of(name: str, arguments: str) -> tuple[str, ...]:
    """The files that a call touches, as the model wrote them; none where it cannot be read."""
    tool = REGISTRY.get(name)
    if tool is None or tool.effect not in ("read", "write"):
        return ()
    try:
        values = parsed(tool, arguments)
    except ToolError:
        return ()
    inner = tool.inner(values) if tool.inner else ()
    return (*tool.paths(values), *(path for call in inner for path in paths_of(*call)))


def inner_calls(name: str, arguments: str) -> tuple[tuple[str, str], ...]:
    """The calls (name, arguments) that a call is made of: itself, or those of a bundle."""
    tool = REGISTRY.get(name)
    if tool is None or tool.inner is None:
        return ((name, arguments),)
    return tool.inner(parsed(tool, arguments))


def preview(name: str, arguments: str) -> str:
    """One line that says what a call is about, for whoever watches; empty where it cannot be read."""
    if name.startswith(PREFIX):
        return clip(arguments)
    try:
        return REGISTRY[name].preview(parsed(REGISTRY[name], arguments))
    except (ToolError, KeyError):
        return ""


def _runnable() -> list[str]:
    return [f"`{tool.name}`" for tool in REGISTRY.values() if tool.run is not None]


def _failed(sentence: str) -> Output:
    return Output("error", sentence)


def _is_ours(error: OSError, ctx: ToolContext) -> bool:
    """Whether it is about the data folder, which no model can mend: the step is tried again."""
    if isinstance(error, Unwritable):
        return True
    place = _place(error)
    return place is not None and place.is_relative_to(ctx.data) and not _inside(place, ctx)


def _named(error: OSError, name: str, ctx: ToolContext) -> str:
    """The file as the model names it; the tool, where the error does not say which."""
    place = _place(error)
    return clip(shown(ctx, place), 200) if place is not None and _inside(place, ctx) else name


def _place(error: OSError) -> Path | None:
    name: object = error.filename
    return Path(os.fsdecode(name)) if isinstance(name, str | bytes | Path) else None


def _inside(place: Path, ctx: ToolContext) -> bool:
    return place.is_relative_to(top_of(ctx.worktree))


def _capped(output: Output, ctx: ToolContext, cap: int) -> Output:
    text = output.text.encode("utf-8", "replace").decode()  # names of files may hold bytes that are no UTF-8
    preview = clip((output.preview or text).encode("utf-8", "replace").decode())
    if len(text) > cap:
        file = output_file(ctx)
        make_folder(file.parent, below=ctx.data)
        if not create_file(file, text.encode()):
            text = file.read_bytes().decode()  # of an earlier attempt, whose text may already be known
        text = _cut(text, file, cap)
    return replace(output, text=text, preview=preview)


def _cut(text: str, file: Path, cap: int) -> str:
    if len(text) <= cap:
        return text
    half = (cap - _NOTE) // 2
    head, tail = text[:half], text[-half:]
    line = head.count("\n") + 1
    name = f"{OUTPUT}{file.name.removesuffix('.txt')}"
    left = len(text) - len(head) - len(tail)
    return f'{head}\n… {left} characters left out; the whole output: read path="{name}" offset={line}\n{tail}'
