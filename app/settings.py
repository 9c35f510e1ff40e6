"""One typed Settings: `config.toml` < `CODETETHER_*` environment < command-line flags."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import ByteSize, ConfigDict, Field, ValidationError

from app.domain.base import Model
from app.domain.tool import Rule
from app.errors import UserError

_HOST = r"^((\*\.)?[A-Za-z0-9_.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$"


class SandboxSettings(Model):
    """`[sandbox]`: what a command of a model may use. Sizes in bytes, written as `"8 GiB"` or a number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: tuple[Annotated[str, Field(pattern=_HOST)], ...] = ()
    """Hosts that a call with network reaches, such as `pypi.org` or `*.example.com:443`; empty: all of them."""
    memory: ByteSize = Field(default=ByteSize(8 << 30), ge=16 << 20)
    """Of each process; where a cgroup can be had, of all together."""
    cpu_seconds: int = Field(default=3600, ge=1)
    """Of each process."""
    processes: int = Field(default=2048, ge=8)
    file_size: ByteSize = Field(default=ByteSize(8 << 30), ge=1 << 20)
    temporary: ByteSize = Field(default=ByteSize(4 << 30), ge=1 << 20)
    """Of `/tmp` inside, which is memory."""
    free_disk: ByteSize = Field(default=ByteSize(512 << 20), ge=0)
    """A command is killed when the disk of the data folder has less left."""


class Price(Model):
    """US dollars per million tokens. `cache_read` and `cache_write` default to the price of input."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)


class Settings(Model):
    """Everything a person can set. No secret ever stands here."""

    data_dir: Path
    config_dir: Path
    model: str = "moonshotai/kimi-k2.5"
    base_url: str = ""
    fallback: tuple[str, ...] = ()
    """Models that are asked when the one before failed for good: `provider/name`, or `provider/name@URL`."""
    context: int = Field(default=0, ge=0)
    """Tokens of the model's context; 0: as its table or its server says."""
    vision: tuple[str, ...] = ()
    """Models that see images, beside those whose names say so: globs on `provider/name`."""
    address: str = ""
    """Of a Temporal server; empty: `TEMPORAL_ADDRESS` and its profiles, else our own dev server."""
    namespace: str = "codetether"
    mode: str = Field(default="ask", pattern="^(plan|ask|auto-edit|full)$")
    link: tuple[str, ...] = ()
    """`[workspace] link`: ignored folders that come from the user's checkout, read-only."""
    copy_files: tuple[str, ...] = ()
    """`[workspace] copy`: ignored files (like `.env`) that come along."""
    keep_days: int = 14
    sandbox: SandboxSettings = SandboxSettings()
    rules: tuple[Rule, ...] = ()
    """`[permissions] allow | ask | deny`: rules of every run."""
    prices: dict[str, Price] = Field(default_factory=dict[str, Price])
    """`[prices]`: what a person pays for `provider/model`; it goes before every other list."""


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
        if text and name not in ("config_dir", "data_dir", "rules", "sandbox", "prices"):
            values[name] = text.split(",") if name in ("link", "copy_files", "fallback", "vision") else text
    values |= {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"setting `{field}` is not usable: {first['msg']}; correct it in `{file}` or the environment"
        ) from error


def config_file() -> Path:
    """Where `config.toml` is, or would be."""
    return _folder("CODETETHER_CONFIG_DIR", "XDG_CONFIG_HOME", "~/.config") / "config.toml"


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
    _refuse_unknown(table, workspace, file)
    known = {name: table[name] for name in Settings.model_fields if name in table and name != "rules"}
    known["rules"] = _rules(permissions, file)
    if isinstance(data := known.get("data_dir"), str):
        known["data_dir"] = Path(data).expanduser().absolute()
    return known | {"link": workspace.get("link", ()), "copy_files": workspace.get("copy", ())}


def _refuse_unknown(table: dict[str, Any], workspace: dict[str, Any], file: Path) -> None:
    """A misspelt name is said: a rule or a limit that is silently not there is worse than none."""
    settings = sorted(Settings.model_fields.keys() - {"config_dir", "rules", "link", "copy_files"})
    odd = [name for name in table if name not in settings]
    odd += [f"workspace.{name}" for name in workspace if name not in ("link", "copy")]
    if odd:
        known = ", ".join(f"`{name}`" for name in (*settings, "[permissions]", "[workspace]"))
        raise UserError(f"`{odd[0]}` in `{file}` is no setting; correct or remove it: there are {known}")


def _rules(table: Any, file: Path) -> tuple[Rule, ...]:
    """The rules of `[permissions]`. Raises `UserError` naming the line that is none."""
    if not table:
        return ()
    from app.tools.gate.rules import from_table

    try:
        return from_table(table, "config")
    except ValueError as error:
        raise UserError(f"`[permissions]` in `{file}`: {error}") from None
