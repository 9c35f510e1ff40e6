"""A real Vault server with file storage: sealed, restarted and asked as a person's own would be."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import hvac
import pytest
import requests

from app.stack.server import any_port

ROOT = Path(__file__).parents[2]
POLICY = 'path "secret/data/codetether/providers/*" { capabilities = ["read"] }'


def program() -> str:
    """The server, built where it is not there yet; skips the test where it cannot be."""
    done = subprocess.run(
        ["sh", str(ROOT / "scripts" / "build-service.sh"), "vault"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no Vault: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()


class RealVault:
    """One server; `root` is a client with its root token."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.binary, self.folder = binary, folder
        self.address = f"http://127.0.0.1:{any_port()}"
        (folder / "vault.hcl").write_text(
            f'storage "file" {{ path = "{folder}/data" }}\n'
            f'listener "tcp" {{ address = "{self.address[7:]}" tls_disable = true }}\n'
            f'api_addr = "{self.address}"\ndisable_mlock = true\n'
        )
        self.root: Any = hvac.Client(url=self.address, timeout=10)
        self.start()
        made = self.root.sys.initialize(1, 1)
        self.share: str = made["keys"][0]
        self.root.token = made["root_token"]
        self.unseal()
        self.root.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        self.root.sys.create_or_update_policy("reader", POLICY)

    def start(self) -> None:
        """The process, once it answers; it is sealed."""
        with (self.folder / "vault.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "server", f"-config={self.folder}/vault.hcl"],
                stdout=log, stderr=log, env={**os.environ, "HOME": str(self.folder)},
            )  # fmt: skip
        deadline = monotonic() + 30
        while True:
            try:
                requests.get(f"{self.address}/v1/sys/seal-status", timeout=5).raise_for_status()
                return
            except requests.RequestException:
                assert self.process.poll() is None and monotonic() < deadline, (self.folder / "vault.log").read_text()
                sleep(0.05)

    def stop(self) -> None:
        """SIGKILL: nothing is said to anybody."""
        self.process.kill()
        self.process.wait()

    def unseal(self) -> None:
        """Unseals it, and waits until it is active."""
        self.root.sys.submit_unseal_key(self.share)
        deadline = monotonic() + 20
        while requests.get(f"{self.address}/v1/sys/health", timeout=5).status_code != 200:
            assert monotonic() < deadline
            sleep(0.02)

    def put(self, provider: str, key: str, base_url: str = "") -> None:
        """Stores a provider's key."""
        self.root.secrets.kv.v2.create_or_update_secret(
            path=f"codetether/providers/{provider}", secret={"api_key": key, "base_url": base_url}
        )

    def token(self, ttl: str = "1h", **more: Any) -> str:
        """A token that may read the providers' keys, and nothing else."""
        return self.root.auth.token.create(policies=["reader"], ttl=ttl, **more)["auth"]["client_token"]


@contextmanager
def real_vault(folder: Path) -> Generator[RealVault]:
    """A running, unsealed Vault; it ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    own = RealVault(program(), folder)
    try:
        yield own
    finally:
        own.stop()
