"""`ctl trust`: which repositories may start programs of their own: hooks, MCP servers, skills with scripts."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.commands.common import data_folder, moment, print_table, say
from app.cli.output import JsonFlag, note, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from app.context.trust import Standing

Repo = Annotated[str, typer.Option("--repo", help="The repository, or a subfolder of it.")]
Dirty = Annotated[bool, typer.Option("--include-dirty", help="As they are in your checkout, not in your last commit.")]

trust_app = typer.Typer(
    help="Trust files of a repository that can start programs: hooks, MCP servers, skills with scripts.",
    add_completion=False,
    no_args_is_help=True,
)


@trust_app.command("list")
def list_(json: JsonFlag = False) -> None:
    """Everything that is trusted."""
    from app.context import trust

    entries = trust.everything(data_folder())
    if json:
        print_json([entry.model_dump() for entry in entries])
        return
    if not entries:
        say("nothing is trusted")
        return
    rows = [(entry.root, str(len(entry.files)), entry.digest[:12], moment(entry.at)) for entry in entries]
    print_table(("REPOSITORY", "FILES", "SHA-256", "SINCE"), rows, right=(1,))


@trust_app.command()
def show(repo: Repo = ".", include_dirty: Dirty = False, json: JsonFlag = False) -> None:
    """The files of a repository that can start something, with their content, and whether they are trusted."""
    from app.runs import order
    from app.runs.surroundings import source_of

    data = data_folder()
    top, _ = order.place(repo)
    with source_of(data, top, include_dirty=include_dirty) as source:
        found = _standing(data, top, source)
        if json:
            print_json({"repo": str(top), **found.model_dump()})
            return
        if found.state == "none":
            say(f"`{top}` has no file that can start something")
            return
        items = source.items(found.files)
        for path, digest in found.files.items():
            mark = "  (changed)" if path in found.changed else ""
            say(f"{path}  sha256:{digest[:12]}{mark}")
            for line in _text(items[path].read()).splitlines():
                say(f"    {line}")
    say(f"{found.state}: {len(found.files)} files, sha256:{found.digest[:12]}")
    if not found.usable:
        say(f"trust exactly these: ctl trust add {found.digest[:12]} --repo {top}")


@trust_app.command()
def add(
    digest: Annotated[
        str, typer.Argument(metavar="[SHA-256]", help="What `ctl trust show` showed: only exactly that.")
    ] = "",
    repo: Repo = ".",
    include_dirty: Dirty = False,
    json: JsonFlag = False,
) -> None:
    """Trust these files, as they are now; a changed byte ends it."""
    from app.context import trust
    from app.errors import UserError
    from app.runs import order
    from app.runs.surroundings import source_of

    data = data_folder()
    top, _ = order.place(repo)
    with source_of(data, top, include_dirty=include_dirty) as source:
        found = _standing(data, top, source)
    if found.state == "none":
        raise UserError(f"`{top}` has no file that can start something; there is nothing to trust", 1)
    if digest and not found.digest.startswith(digest):
        raise UserError(
            f"the files are sha256:{found.digest[:12]} now, not `{digest}`; look at them again: `ctl trust show`", 1
        )
    entry = trust.add(data, str(top), found)
    if json:
        print_json(entry.model_dump())
        return
    for path in found.files:
        say(f"trusted {path}")
    note("runs that start from now on use them; take it back: ctl trust remove")


@trust_app.command()
def remove(repo: Repo = ".") -> None:
    """Take all trust in a repository's files back."""
    from app.context import trust
    from app.errors import UserError
    from app.runs import order

    top, _ = order.place(repo)
    if not trust.remove(data_folder(), str(top)):
        raise UserError(f"nothing of `{top}` was trusted; `ctl trust list` shows what is", 1)
    say(f"nothing of {top} is trusted any more")


def _standing(data: "Path", top: "Path", source: object) -> "Standing":
    from app.context import trust
    from app.context.source import Commit

    assert isinstance(source, Commit)
    return trust.standing(data, str(top), source)


def _text(content: bytes) -> str:
    from app.context.instructions import plain

    shown = content[:20_000].decode("utf-8", "replace")
    return plain(shown) + (f"\n… {len(content) - 20_000:,} more bytes" if len(content) > 20_000 else "")
