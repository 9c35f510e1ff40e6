"""How a person gets the program `vault`."""

import platform
import shutil
import sys
from pathlib import Path

PAGE = "https://developer.hashicorp.com/vault/install"
_BREW = "brew tap hashicorp/tap && brew install hashicorp/tap/vault"
_KEYS = "/usr/share/keyrings/hashicorp-archive-keyring.gpg"
_APT = (
    f"wget -O- https://apt.releases.hashicorp.com/gpg | sudo gpg --dearmor -o {_KEYS} && "
    f'echo "deb [signed-by={_KEYS}] https://apt.releases.hashicorp.com $(. /etc/os-release && echo $VERSION_CODENAME) '
    'main" | sudo tee /etc/apt/sources.list.d/hashicorp.list && sudo apt update && sudo apt install vault'
)
"""Source: the page."""


def program() -> str:
    """The program on PATH; empty for none. One that lies in the current folder is a repository's, not ours to start."""
    found = shutil.which("vault") or ""
    return found if Path(found).is_absolute() else ""


def install_line() -> str:
    """The one line for this platform, else the page that has it."""
    if sys.platform == "darwin":
        return f"`{_BREW}`"
    try:
        about = platform.freedesktop_os_release()
    except OSError:
        about = {}
    families = f"{about.get('ID', '')} {about.get('ID_LIKE', '')}".split()
    return f"`{_APT}`" if {"debian", "ubuntu"} & set(families) else f"see {PAGE}"


def next_step(provider: str) -> str:
    """What to do where no Vault is configured, and none is our own."""
    login = f"`ctl login {provider or 'PROVIDER'}`"
    if program():
        return f"{login} starts a private Vault; or set `VAULT_ADDR` and `VAULT_TOKEN`, then {login}"
    return (
        f"set `VAULT_ADDR` and `VAULT_TOKEN`, then {login}; "
        f"without a Vault, install one, and {login} starts it for you: {install_line()}"
    )
