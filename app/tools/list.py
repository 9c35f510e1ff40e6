"""`list`: a folder as a tree."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pydantic import Field

from app.domain.figures import counted
from app.tools.base import EVERYBODY, Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread
from app.tools.paths import resolve
from app.tools.ripgrep import files
from app.tools.text import missing

MOST = 1000
"""Lines of one answer."""


class List(Arguments):
    """Arguments of `list`."""

    path: str = Field(default=".", description="The folder")
    depth: int = Field(default=2, ge=1, le=10, description="Levels of folders to open")


@dataclass
class _Folder:
    folders: dict[str, "_Folder"] = field(default_factory=dict[str, "_Folder"])
    files: list[str] = field(default_factory=list[str])
    count: int = 0


def _list(args: List, ctx: ToolContext) -> Output:
    folder = resolve(ctx, args.path)
    if not folder.exists():
        raise ToolError(missing(ctx, folder, args.path))
    if not folder.is_dir():
        raise ToolError(f"`{args.path}` is a file; read it with `read`")
    found = files(ctx, folder)
    tree = _Folder()
    for path in found:
        _insert(tree, PurePosixPath(path))
    lines = _drawn(tree, args.depth, "")
    text = "\n".join(lines[:MOST])
    if len(lines) > MOST:
        text += f"\n… {len(lines) - MOST} more; list a folder further down, or use less `depth`"
    return Output("ok", text or "(no files)", clip(f"{args.path}: {counted(len(found), 'file')}"))


def _insert(tree: _Folder, path: PurePosixPath) -> None:
    tree.count += 1
    for part in path.parts[:-1]:
        tree = tree.folders.setdefault(part, _Folder())
        tree.count += 1
    tree.files.append(path.name)


def _drawn(tree: _Folder, depth: int, indent: str) -> list[str]:
    lines: list[str] = []
    for name, folder in sorted(tree.folders.items()):
        if depth > 1:
            lines += [f"{indent}{name}/", *_drawn(folder, depth - 1, indent + "  ")]
        else:
            lines.append(f"{indent}{name}/ ({counted(folder.count, 'file')})")
    return lines + [f"{indent}{name}" for name in tree.files]


LIST = Tool(
    name="list",
    description="Shows a folder as a tree, folders first. Files that git ignores are left out.",
    arguments=List,
    effect="read",
    run=in_thread(_list),
    preview=lambda args: clip(args.path),
    paths=lambda args: (args.path,),
    agents=EVERYBODY,
)
