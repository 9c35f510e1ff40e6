"""A repository's standing rules: a file in the data folder, which only a person's commands write.

`permissions/<digest of the repository's path>.json`: {repo, allow: [...], ask: [...], deny: [...]}.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.domain.tool import Rule
from app.errors import UserError
from app.settings import Settings
from app.stream.files import make_folder, replace_file
from app.tools.gate.rules import MOST, from_table, parse, shown


def standing(settings: Settings, repo: str) -> tuple[Rule, ...]:
    """The rules of a new run here: `config.toml`, then the repository's.

    Raises `UserError` when they are too many: they travel with every step.
    """
    rules = (*settings.rules, *kept(settings.data_dir, repo))
    if sum(len(shown(rule).encode()) for rule in rules) > MOST:
        raise UserError(
            f"the permission rules are longer than {MOST:,} bytes; shorten them with `*`: `ctl permissions list`"
        )
    return rules


def kept(data: Path, repo: str) -> tuple[Rule, ...]:
    """The repository's own rules. Raises `UserError` for a file that cannot be read."""
    try:
        return from_table(_lists(data, repo), "repository")
    except ValueError as error:
        raise UserError(f"cannot read `{file_of(data, repo)}`: {error}; correct it or move it away") from None


def keep(data: Path, repo: str, rule: Rule) -> None:
    """Adds a rule to the repository's; it holds for runs that start later."""
    lists = _lists(data, repo)
    texts = lists.setdefault(rule.verdict, [])
    if shown(rule) not in texts:
        texts.append(shown(rule))
    _write(data, repo, lists)


def forget(data: Path, repo: str, text: str) -> None:
    """Removes a rule from the repository's. Raises `UserError` when there is none like it."""
    wanted = shown(_parsed(text))
    lists = _lists(data, repo)
    if not any(wanted in texts for texts in lists.values()):
        raise UserError(f"there is no rule `{wanted}` of this repository; `ctl permissions list` shows them")
    _write(data, repo, {verdict: [each for each in texts if each != wanted] for verdict, texts in lists.items()})


def file_of(data: Path, repo: str) -> Path:
    """Where a repository's rules lie."""
    return data / "permissions" / f"{sha256(repo.encode()).hexdigest()[:16]}.json"


def _parsed(text: str) -> Rule:
    try:
        return parse(text, "allow")
    except ValueError as error:
        raise UserError(str(error)) from None


def _lists(data: Path, repo: str) -> dict[str, list[str]]:
    try:
        told: Any = json.loads(file_of(data, repo).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read `{file_of(data, repo)}`: {error}; correct it or move it away") from None
    return {
        verdict: told[verdict] for verdict in ("allow", "ask", "deny") if isinstance(told, dict) and verdict in told
    }


def _write(data: Path, repo: str, lists: dict[str, list[str]]) -> None:
    file = file_of(data, repo)
    make_folder(file.parent, below=data)
    replace_file(file, json.dumps({"repo": repo, **lists}, indent=1).encode() + b"\n")
