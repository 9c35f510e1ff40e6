"""`apply_patch`: changes to several files, verified as a whole before the first is made."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import AliasChoices, Field

from app.tools.base import Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread
from app.tools.patch_codex import BEGIN, parse_codex, unwrapped
from app.tools.patch_match import apply_hunks
from app.tools.patch_model import FilePatch
from app.tools.patch_unified import parse_unified
from app.tools.paths import resolve, same_text
from app.tools.text import Text, decoded, encode, lines_of, missing, read_bytes, text_of
from app.tools.writes import Plan, written


class ApplyPatch(Arguments):
    """Arguments of `apply_patch`."""

    patch: str = Field(
        min_length=1,
        max_length=5_000_000,
        validation_alias=AliasChoices("patch", "input", "patchText"),
        description="`*** Begin Patch` … `*** End Patch`, or a unified diff",
    )


@dataclass
class _State:
    """The files as they will be. A path that is missing here is as it is on the disk."""

    ctx: ToolContext
    files: dict[Path, bytes | None] = field(default_factory=dict[Path, "bytes | None"])
    modes: dict[Path, int] = field(default_factory=dict[Path, int])
    report: list[str] = field(default_factory=list[str])

    def exists(self, path: Path) -> bool:
        return self.files[path] is not None if path in self.files else path.exists()

    def read(self, path: Path, written: str) -> bytes:
        content = self.files.get(path)
        if path not in self.files:
            return read_bytes(self.ctx, path, written)
        if content is None:
            raise ToolError(f"`{written}` is deleted earlier in the same patch; leave one of the two out")
        return content

    def mode(self, path: Path) -> int:
        return self.modes[path] if path in self.modes else path.stat().st_mode & 0o7777


def parse(text: str) -> list[FilePatch]:
    """The files of a patch in either grammar. Raises `ToolError` naming the line that is not understood."""
    patch = unwrapped(text)
    return parse_codex(patch) if patch.lstrip().startswith(BEGIN) else parse_unified(patch)


def _apply(args: ApplyPatch, ctx: ToolContext) -> Output:
    def plan() -> Plan:
        state = _State(ctx)
        for patch in parse(args.patch):
            _take(state, patch)
        return Plan(state.files, "\n".join(state.report), state.modes)

    message = written(ctx, plan)
    return Output("ok", message, clip(message))


def _take(state: _State, patch: FilePatch) -> None:
    real = resolve(state.ctx, patch.path, write=True)
    match patch.kind:
        case "add":
            _refuse_existing(state, real, patch.path)
            content = apply_hunks(lines_of(""), patch.hunks, f"`{patch.path}`")
            state.files[real] = encode(text_of(content))
            state.modes[real] = patch.mode or 0o644
            state.report.append(f"A {patch.path}")
        case "delete":
            _delete(state, patch, real)
        case "update" | "copy":
            _update(state, patch, real)


def _delete(state: _State, patch: FilePatch, real: Path) -> None:
    _refuse_link(state.ctx, patch.path, real)
    content = state.read(real, patch.path)
    if patch.hunks:
        left = apply_hunks(lines_of(_text(content, patch.path, patch).text), patch.hunks, f"`{patch.path}`")
        if left.lines:
            raise ToolError(f"`{patch.path}` has lines that the patch does not delete; read it again")
    state.files[real] = None
    state.report.append(f"D {patch.path}")


def _update(state: _State, patch: FilePatch, real: Path) -> None:
    path, target = patch.path, patch.target
    if not state.exists(real) and patch.fallback:
        path, target = patch.fallback, patch.path  # a plain diff between two names: the file moves to the new one
        real = resolve(state.ctx, path, write=True)
    if not state.exists(real) and real not in state.files:
        raise ToolError(missing(state.ctx, real, path))
    content = state.read(real, path)
    if patch.hunks:
        before = _text(content, path, patch)
        content = before.encoded(text_of(apply_hunks(lines_of(before.text), patch.hunks, f"`{path}`")))
    mode = patch.mode if patch.mode is not None else state.mode(real)
    if not target:
        state.files[real], state.modes[real] = content, mode
        state.report.append(f"M {path}")
        return
    _refuse_link(state.ctx, path, real)
    goal = resolve(state.ctx, target, write=True)
    if goal != real:
        _refuse_existing(state, goal, target)
        if patch.kind == "update":
            state.files[real] = None
    state.files[goal], state.modes[goal] = content, mode
    state.report.append(f"A {target}" if patch.kind == "copy" else f"R {path} -> {target}")


def _text(content: bytes, written: str, patch: FilePatch) -> Text:
    """The file as the patch has it: git and diff write a byte order mark as part of the first line, `read` does not."""
    text = decoded(content, written)
    marked = any(line.startswith("\ufeff") for hunk in patch.hunks for _, line in hunk.changes)
    return replace(text, text=f"\ufeff{text.text}", mark=b"") if marked and text.mark else text


def _refuse_existing(state: _State, real: Path, written: str) -> None:
    if state.exists(real):
        raise ToolError(f"`{written}` exists already; update it, or delete it first")


def _refuse_link(ctx: ToolContext, written: str, real: Path) -> None:
    parent = resolve(ctx, str(Path(written).parent))
    if not same_text(str(parent / Path(written).name), str(real)):
        raise ToolError(f"`{written}` is a symbolic link; remove or move it with `bash`")


def _paths(args: ApplyPatch) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(path for patch in parse(args.patch) for path in patch.paths))
    except ToolError:
        return ()  # the call will fail with this very sentence and touch nothing


def _preview(args: ApplyPatch) -> str:
    return clip(", ".join(_paths(args)))


APPLY_PATCH = Tool(
    name="apply_patch",
    description="""Changes several files at once; nothing is changed unless all of it fits. Either a unified diff, or:
*** Begin Patch
*** Update File: path
@@ def a_line_above_the_change():
 a line that stays
-a line that goes
+a line that comes
*** Add File: path
+every line with a plus
*** Delete File: path
*** End Patch
`*** Move to: path` after `*** Update File:` renames. Give three lines of context around each change.""",
    arguments=ApplyPatch,
    effect="write",
    run=in_thread(_apply),
    preview=_preview,
    paths=_paths,
)
