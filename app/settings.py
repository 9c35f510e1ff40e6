"""One typed Settings: `config.toml` < `CODETETHER_*` environment < command-line flags."""

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from app.domain.base import Model
from app.domain.tool import Rule
from app.errors import UserError


class Settings(Model):
    """Everything a person can set. No secret ever stands here."""

    data_dir: Path
    config_dir: Path
    model: str = "moonshotai/kimi-k2.5"
    base_url: str = ""
    address: str = ""
    """Of a Temporal server; empty: `TEMPORAL_ADDRESS` and its profiles, else our own dev server."""
    namespace: str = "codetether"
    mode: str = Field(default="ask", pattern="^(plan|ask|auto-edit|full)$")
    link: tuple[str, ...] = ()
    """`[workspace] link`: ignored folders that come from the user's checkout, read-only."""
    copy_files: tuple[str, ...] = ()
    """`[workspace] copy`: ignored files (like `.env`) that come along."""
    keep_days: int = 14
    rules: tuple[Rule, ...] = ()
    """`[permissions] allow | ask | deny`: rules of every run."""


def load(**flags: Any) -> Settings:
    """Reads the settings; a flag that is None is not set.

    Raises `UserError` (exit 2) naming the file and the field when something is unreadable.
    """
    config_dir = _folder("CODETETHER_CONFIG_DIR", "XDG_CONFIG_HOME", "~/.config")
    file = config_dir / "config.toml"
    values = _from_file(file) | {"config_dir": config_dir}
    if "data_dir" not in values or os.environ.get("CODETETHER_DATA_DIR"):
        values["data_dir"] = _folder("CODETETHER_DATA_DIR", "XDG_DATA_HOME", "~/.local/share")
    for name in Settings.model_fields:
        text = os.environ.get(f"CODETETHER_{name.upper()}")
        if text and name not in ("config_dir", "data_dir", "rules"):
            values[name] = text.split(",") if name in ("link", "copy_files") else text
    values |= {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"setting `{field}` is not usable: {first['msg']}; correct it in `{file}` or the environment"
        ) from error


def _folder(variable: str, base_variable: str, default: str) -> Path:
    if own := os.environ.get(variable):
        return Path(own).expanduser().absolute()
    return Path(os.environ.get(base_variable) or default).expanduser().absolute() / "codetether-agent"


def _from_file(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read `{file}`: {error}; correct it or move it away") from error
    workspace = table.pop("workspace", {})
    if not isinstance(workspace, dict):
        raise UserError(f"`workspace` in `{file}` is no table; write `[workspace]` on a line of its own")
    permissions = table.pop("permissions", {})
    known = {name: table[name] for name in Settings.model_fields if name in table and name != "rules"}
    known["rules"] = _rules(permissions, file)
    if isinstance(data := known.get("data_dir"), str):
        known["data_dir"] = Path(data).expanduser().absolute()
    return known | {"link": workspace.get("link", ()), "copy_files": workspace.get("copy", ())}


def _rules(table: Any, file: Path) -> tuple[Rule, ...]:
    """The rules of `[permissions]`. Raises `UserError` naming the line that is none."""
    if not table:
        return ()
    from app.tools.gate.rules import from_table

    try:
        return from_table(table, "config")
    except ValueError as error:
        raise UserError(f"`[permissions]` in `{file}`: {error}") from None
