"""`ctl login`, `ctl logout`: a provider's key, tried and stored in Vault, or removed. Nothing of it is printed."""

import asyncio
import json as json_text
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import JsonFlag, note, print_json
from app.errors import UserError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from app.domain.run import ModelRef
    from app.settings import Settings

login_app = typer.Typer(add_completion=False)
logout_app = typer.Typer(add_completion=False)


@login_app.command()
def login(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Such as anthropic, openai, moonshotai.")],
    base_url: Annotated[
        str, typer.Option("--base-url", help="Where the key is good for, if not the provider's own.")
    ] = "",
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the key from stdin.")] = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not try the key before it is stored.")] = False,
    json: JsonFlag = False,
) -> None:
    """Store a provider's key in Vault, after trying it once. Without `VAULT_ADDR`, in a private one that it starts."""
    from pydantic import SecretStr

    from app.llm import resolve
    from app.llm.registry import provider_of
    from app.secrets import private, store
    from app.settings import load
    from app.stack.vault_setup import synced

    settings = load()
    model = resolve(f"{provider}/login", base_url, settings)
    if not base_url:
        model = model.model_copy(update={"base_url": ""})  # a key is stored for where this command says, only
    if not provider_of(model).needs_key:
        raise UserError(f"provider `{provider}` needs no key")
    _open_vault(settings, provider)
    if caution := provider_of(model).note:
        note(f"careful: {caution}")
    key = SecretStr(_json_asked(provider, stdin) if provider == "vertex-glm" else _asked(provider, stdin))
    if not no_check:
        note(f"trying the key at {provider}")
        asyncio.run(_try(model, key))
    store(provider, key.get_secret_value(), model.base_url)
    if private.wanted(settings.data_dir):
        synced(settings.data_dir)
    if json:
        print_json({"provider": provider, "base_url": model.base_url, "checked": not no_check})
    else:
        note(f"stored the key of {provider} in {_named()}{' (not tried)' * no_check}")
    _say_of_worker(settings)


@logout_app.command()
def logout(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="Such as anthropic, openai, moonshotai.")],
    json: JsonFlag = False,
) -> None:
    """Remove a provider's key from Vault, with all its versions. Runs that need it stop at their next call."""
    from app.secrets import remove
    from app.settings import load
    from app.stack.vault import ensure_private

    ensure_private(load(), note)
    remove(provider)
    if json:
        print_json({"provider": provider, "removed": True})
    else:
        note(f"removed the key of {provider} from {_named()}")


def _open_vault(settings: "Settings", provider: str) -> None:
    """The private Vault is there and open, where the environment names none. Raises `UserError` with the next step."""
    from app.secrets import install, private
    from app.stack.vault import ensure_private

    if os.environ.get("VAULT_ADDR", "").strip():
        return
    if not install.program() and private.ready(settings.data_dir) is None:
        raise UserError(f"no Vault is configured: {install.next_step(provider)}", 4)
    ensure_private(settings, note, create=True)


def _named() -> str:
    return "Vault" if os.environ.get("VAULT_ADDR", "").strip() else "the private Vault"


def _say_of_worker(settings: "Settings") -> None:
    from app.stack.local import knows_vault
    from app.stack.state import living

    worker = living(settings.data_dir, "worker")
    if worker is not None and not knows_vault(settings, worker):
        note("the worker asks another Vault: `ctl up` replaces it")


def _asked(provider: str, stdin: bool) -> str:
    if stdin:
        text = sys.stdin.readline()
    elif sys.stdin.isatty():
        from getpass import getpass

        text = getpass(f"Key of {provider} (it is not shown): ")
    else:
        raise UserError(f"there is no terminal to ask on; pipe the key: `ctl login {provider} --stdin < FILE`")
    key = text.strip()
    if not key or not key.isprintable() or not key.isascii() or " " in key:
        raise UserError("that is no key: it is empty, or holds spaces or signs that no key has; copy it again")
    return key


def _json_asked(provider: str, stdin: bool) -> str:
    """A service account is many lines of JSON, which no prompt takes; kept as one line."""
    if not stdin:
        raise UserError(f"the key of `{provider}` is a JSON file: `ctl login {provider} --stdin < FILE`")
    try:
        values = json_text.loads(sys.stdin.read())
        missing = [name for name in ("client_email", "private_key", "token_uri", "project_id") if not values.get(name)]
    except (ValueError, AttributeError):
        raise UserError("that is no JSON of a service account; download the key again") from None
    if missing:
        raise UserError(f"the service account lacks `{missing[0]}`; download the key again")
    return json_text.dumps(values)


async def _try(model: "ModelRef", key: "SecretStr") -> None:
    from app.llm import ModelError, check

    try:
        await check(model, key)
    except ModelError as error:
        raise UserError(f"nothing was stored: {error}; `--no-check` stores it untried", 4) from None
