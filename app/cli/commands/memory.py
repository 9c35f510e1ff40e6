"""`ctl memory`: what agents remember about a repository, for a person to read and change."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import JsonFlag, console, plain, print_json
from app.errors import UserError

memory_app = typer.Typer(add_completion=False, no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Which notes, as `ctl memory list` names them.")]
Repo = Annotated[str, typer.Option("--repo", help="The repository; default: this folder's.")]


@memory_app.command("list")
def list_(repo: Repo = ".", json: JsonFlag = False) -> None:
    """The notes about this repository."""
    rows = [{"name": file.stem, "bytes": file.stat().st_size, "file": str(file)} for file in _notes(repo)]
    if json:
        print_json(rows)
        return
    for row in rows:
        console().print(f"{row['name']:<20} {row['bytes']:>7,} bytes")
    if not rows:
        console().print("nothing is remembered about this repository")


@memory_app.command()
def show(name: Name = "notes", repo: Repo = ".", json: JsonFlag = False) -> None:
    """One of them."""
    text = _named(repo, name).read_text(encoding="utf-8", errors="replace")
    if json:
        print_json({"name": name, "text": text})
    else:
        typer.echo(plain(text), nl=False)


@memory_app.command()
def edit(name: Name = "notes", repo: Repo = ".") -> None:
    """Change them in your `$EDITOR`; new names are made."""
    from app.stream.files import make_folder, replace_file
    from app.tools.memory import LARGEST, NAME

    folder, data = _folder(repo)
    if not NAME.fullmatch(name):
        raise UserError(f"`{name}` is no name for notes; use small letters, digits and `-`")
    file = folder / f"{name}.md"
    before = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    after = _edited(before)
    if after == before:
        console().print("nothing was changed")
        return
    if len(after) > LARGEST:
        raise UserError(f"notes take {LARGEST:,} characters at most, not {len(after):,}; nothing was changed")
    make_folder(folder, below=data)
    replace_file(file, after.encode())
    console().print(f"changed: {name}")


@memory_app.command()
def remove(name: Name, repo: Repo = ".") -> None:
    """Forget one of them."""
    _named(repo, name).unlink()
    console().print(f"forgotten: {name}")


def _folder(repo: str) -> tuple[Path, Path]:
    from app.runs.order import place
    from app.settings import load
    from app.tools.memory import folder_of

    data = load().data_dir
    return folder_of(data, str(place(repo)[0])), data


def _notes(repo: str) -> list[Path]:
    from app.tools.memory import NAME

    return sorted(file for file in _folder(repo)[0].glob("*.md") if NAME.fullmatch(file.stem))


def _named(repo: str, name: str) -> Path:
    files = {file.stem: file for file in _notes(repo)}
    if name not in files:
        known = "there are: " + ", ".join(f"`{each}`" for each in files) if files else "there are none yet"
        raise UserError(f"there are no notes `{name}` about this repository; {known}")
    return files[name]


def _edited(text: str) -> str:
    """The text as it is when the person's editor ends."""
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="ctl-") as folder:
        file = Path(folder) / "notes.md"
        file.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*words, str(file)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise UserError(f"the editor `{words[0]}` failed ({error}); set `EDITOR` to one that works") from None
        return file.read_text(encoding="utf-8", errors="replace")
