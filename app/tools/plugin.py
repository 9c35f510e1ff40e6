"""A plugin's tool: a process in the sandbox, within the limits that its signed manifest declares.

The wire: stdin has one JSON line, `{"tool": NAME, "arguments": {...}}`; stdout has exactly one,
`{"content": TEXT, "is_error": false}`, as an MCP tool's result. stderr is for people: its end is told with
an error. The working folder is the agent's; the plugin's own files lie read-only at `HERE`.
"""

import asyncio
import json
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, cast

from app.domain.plugin import PREFIX, PluginRef
from app.errors import UserError
from app.security.manifest import Manifest, PluginTool
from app.security.plugins import described, ready, store
from app.tools.base import Output, ToolContext, ToolError, clip, json_of
from app.tools.gate.sandbox import Mounts
from app.tools.paths import output_file

HERE = "/run/codetether/plugin"
ANSWER_BYTES = 1024 * 1024
"""Bytes of stdout that are read; a plugin that prints more is ended."""
ARGUMENT_BYTES = 256 * 1024
PROCESSES = 256
FILE_MB = 64
_SCRIPT = """
mark=$1 most=$2 cpu=$3 memory=$4 file=$5 count=$6; shift 6
{ (
  ulimit -c 0; ulimit -t "$cpu"; ulimit -v "$memory"; ulimit -f "$file"
  ulimit -u "$count" 2>/dev/null || ulimit -p "$count" 2>/dev/null
  exec "$@" 2>/tmp/.stderr
); echo $? >/tmp/.exit; } | head -c "$most"
printf '\\n%s %s\\n' "$mark" "$(cat /tmp/.exit 2>/dev/null)"
tail -c 2000 /tmp/.stderr 2>/dev/null
exit 0
"""
"""Runs inside the sandbox. `head` ends whoever floods it; the last lines tell exit status and stderr."""


def plugin_specs(data: Path, plugins: Iterable[PluginRef]) -> list[dict[str, Any]]:
    """The tools of plugins as OpenAI functions; of a plugin that is refused by now, none."""
    found: list[dict[str, Any]] = []
    for ref in plugins:
        try:
            manifest = described(data, ref.digest)
        except UserError:
            continue
        for tool in manifest.tools:
            name = f"{PREFIX}{ref.name}__{tool.name}"
            told = {"name": name, "description": tool.description, "parameters": tool.parameters}
            found.append({"type": "function", "function": told})
    return found


def asked(name: str, arguments: str, data: Path, plugins: Sequence[PluginRef], *, whole: bool) -> "Asked":
    """What a call asks for, checked against the signed schema. `whole`: every file is hashed, for it will run.

    Raises `ToolError` for an unknown name, arguments that do not fit, or a plugin that is refused.
    """
    ref = next((ref for ref in plugins if name in ref.offers), None)
    if ref is None:
        known = ", ".join(each for ref in plugins for each in ref.offers) or "none"
        raise ToolError(f"unknown tool `{name[:64]}`; the plugins' tools are: {known}")
    try:
        manifest = (ready if whole else described)(data, ref.digest)
    except UserError as error:
        raise ToolError(f"`{name}` was not run: {error}") from None
    tool = next(tool for tool in manifest.tools if name == f"{PREFIX}{manifest.name}__{tool.name}")
    return Asked(ref, manifest, tool, _fitting(name, tool, arguments))


class Asked:
    """One call: the approved plugin, what its manifest says now, and checked arguments."""

    def __init__(self, ref: PluginRef, manifest: Manifest, tool: PluginTool, arguments: dict[str, Any]) -> None:
        self.ref, self.manifest, self.tool, self.arguments = ref, manifest, tool, arguments

    @property
    def words(self) -> str:
        """The arguments, always written alike."""
        return json.dumps(self.arguments, sort_keys=True, ensure_ascii=False)


async def call(name: str, arguments: str, ctx: ToolContext) -> Output:
    """Runs one call. Whatever is wrong with the plugin is an `error` output; nothing of it is raised."""
    try:
        what = await asyncio.to_thread(asked, name, arguments, ctx.data, ctx.plugins, whole=True)
    except ToolError as error:
        return Output("error", str(error))
    if not ctx.sandboxed:
        return Output("error", f"`{name}` was not run: plugins run only in a sandbox; `ctl doctor` says why none works")
    return await _run(name, what, ctx)


async def _run(name: str, what: Asked, ctx: ToolContext) -> Output:
    from app.tools import process

    limits = what.manifest.limits
    spool = output_file(ctx).with_suffix(".spool")
    if ctx.attempt > 1 and await asyncio.to_thread(process.started, ctx.data, ctx.step_id):
        await process.cut_off(data=ctx.data, key=ctx.step_id, spool=spool)
        if limits.writes or limits.network:
            return Output("cut_off", "the worker died during this call; it was not made again; it may have had effects")
    mark = secrets.token_hex(16)
    most = [ANSWER_BYTES + 1, limits.cpu_seconds, limits.memory_mb * 1024, FILE_MB * 2048, PROCESSES]
    line = json.dumps({"tool": what.tool.name, "arguments": what.arguments}) + "\n"
    finished = await process.run_command(
        data=ctx.data,
        key=ctx.step_id,
        argv=["sh", "-c", _SCRIPT, "sh", mark, *map(str, most), *_command(what.manifest)],
        cwd=str(PurePosixPath(os.path.normpath(PurePosixPath(ctx.workspace.root) / ctx.workspace.subdir))),
        mounts=await asyncio.to_thread(_mounts, what, ctx),
        timeout=limits.wall_seconds,
        network=bool(limits.network) and ctx.allowed,
        spool=spool,
        stdin=line.encode(),
    )
    if finished.timed_out:
        return Output("error", f"`{name}` was ended after {limits.wall_seconds} s, the limit in its manifest")
    return _answer(name, finished.output, mark)


def _command(manifest: Manifest) -> list[str]:
    return [f"{HERE}/{word}" if word in manifest.files else word for word in manifest.entry]


def _mounts(what: Asked, ctx: ToolContext) -> Mounts:
    """The agent's worktree, read-only unless the manifest says that it writes; git's own folders are not given."""
    given: Mounts = ctx.mounts()
    own = ((store(ctx.data, what.ref.digest), HERE),)
    tree = () if what.manifest.limits.writes else ((given.worktree, given.root),)
    nothing = Path("/dev/null")
    hosts = given.settings.model_copy(update={"network": what.manifest.limits.network})
    return replace(
        given,
        git_dir=nothing,
        common_dir=nothing,
        objects=(),
        readonly=(*tree, *given.readonly, *own),
        settings=hosts,
    )


def _answer(name: str, printed: str, mark: str) -> Output:
    said, _, rest = printed.rpartition(f"\n{mark} ")
    code, _, noise = rest.partition("\n")
    told = f"; it ended with exit code {code}" if code not in ("", "0") else ""
    told += f"; its stderr ends: {noise.strip()}" if noise.strip() else ""
    if len(said.encode()) > ANSWER_BYTES:
        return Output("error", f"`{name}` printed more than {ANSWER_BYTES >> 20} MiB and was ended{told}")
    lines = said.splitlines()
    try:
        (only,) = [line for line in lines if line.strip()]
        answer = cast("dict[str, Any]", json.loads(only))
        content, failed = answer["content"], answer.get("is_error", False)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        content = failed = None
    if not isinstance(content, str) or not isinstance(failed, bool):
        return Output("error", f"`{name}` did not answer with one JSON line that has a text `content`{told}")
    return Output("error" if failed else "ok", content, clip(content))


def _fitting(name: str, tool: PluginTool, arguments: str) -> dict[str, Any]:
    from jsonschema import Draft202012Validator, ValidationError
    from referencing import Registry

    values = json_of(name, arguments)
    if not isinstance(values, dict) or len(arguments.encode()) > ARGUMENT_BYTES:
        raise ToolError(f"the arguments of `{name}` are not a JSON object of at most {ARGUMENT_BYTES >> 10} KiB")
    empty: Any = Registry  # unlike the default one it fetches nothing, whatever a `$ref` says
    checker: Any = Draft202012Validator(tool.parameters, registry=empty())
    try:
        checker.validate(values)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.absolute_path) or "arguments"
        raise ToolError(f"`{field}` of `{name}`: {error.message[:300]}") from None
    except Exception as error:  # a schema that leads nowhere, or never ends
        raise ToolError(f"the schema of `{name}` cannot be used: {type(error).__name__}") from None
    return cast("dict[str, Any]", values)
