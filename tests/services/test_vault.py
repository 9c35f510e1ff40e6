"""A real Vault: keys, the logins by AppRole and by a signed token, renewal, and refusals."""

import base64
import json
import subprocess
from pathlib import Path
from time import time
from typing import Any

import pytest
from background import comes_true
from real_vault import RealVault

from app.cli.lazy import run as run_ctl
from app.secrets import NoSecret, Refused, entries, forget, provider_key, remove, renew, store

pytestmark = [pytest.mark.services, pytest.mark.timeout(180, func_only=True)]
KEY = "sk-canary-in-a-real-vault"


def key_of(name: str = "zai") -> str:
    return provider_key(name).api_key.get_secret_value()


def test_a_key_is_stored_read_listed_and_removed(vault: RealVault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.put("zai", KEY)
    assert key_of() == KEY
    with pytest.raises(Refused, match=r"`secret/codetether/providers/zai`"):
        store("zai", "other")  # this token only reads
    monkeypatch.setenv("VAULT_TOKEN", vault.root.token)
    store("stepfun", KEY, "https://example.org/v1")
    assert [(entry.provider, entry.fields) for entry in entries()] == [
        ("stepfun", ("api_key", "base_url")), ("zai", ("api_key",)),
    ]  # fmt: skip
    remove("stepfun")
    with pytest.raises(NoSecret, match="`ctl login stepfun`"):
        key_of("stepfun")
    assert [entry.provider for entry in entries()] == ["zai"]


def test_another_mount_and_path(vault: RealVault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.root.sys.enable_secrets_engine("kv", path="team/kv", options={"version": "2"})
    monkeypatch.setenv("VAULT_TOKEN", vault.root.token)
    monkeypatch.setenv("VAULT_MOUNT", "team/kv")
    monkeypatch.setenv("VAULT_SECRETS_PATH", "agents/keys")
    store("zai", "sk-elsewhere")
    assert key_of() == "sk-elsewhere"
    read = vault.root.secrets.kv.v2.read_secret_version(
        "agents/keys/zai", mount_point="team/kv", raise_on_deleted_version=True
    )
    assert read["data"]["data"]["api_key"] == "sk-elsewhere"


def test_an_approle_logs_in_and_again_when_its_token_ends(
    vault: RealVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vault.put("zai", KEY)
    vault.root.sys.enable_auth_method("approle")
    role = vault.root.auth.approle
    role.create_or_update_approle("agents", token_policies=["reader"], token_ttl="1h")
    (tmp_path / "secret-id").write_text(role.generate_secret_id("agents")["data"]["secret_id"] + "\n")
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("VAULT_AUTH", "approle")
    monkeypatch.setenv("VAULT_ROLE_ID", role.read_role_id("agents")["data"]["role_id"])
    monkeypatch.setenv("VAULT_SECRET_ID_FILE", str(tmp_path / "secret-id"))
    monkeypatch.setenv("VAULT_CACHE_SECONDS", "0")
    assert key_of() == KEY
    for accessor in vault.root.auth.token.list_accessors()["data"]["keys"]:
        about = vault.root.auth.token.lookup_accessor(accessor)["data"]
        if about["path"] == "auth/approle/login":
            vault.root.auth.token.revoke_accessor(accessor)
    assert key_of() == KEY
    (tmp_path / "secret-id").write_text("wrong")
    forget()
    with pytest.raises(Refused, match=r"approle login at `auth/approle`") as caught:
        key_of()
    assert "wrong" not in str(caught.value)


def test_a_signed_token_logs_in(vault: RealVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    vault.put("zai", KEY)
    vault.root.sys.enable_auth_method("jwt")
    token, public = signed(tmp_path, {"sub": "worker", "aud": "vault"})
    vault.root.write_data("auth/jwt/config", data={"jwt_validation_pubkeys": [public]})
    bound = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": ["reader"]}
    vault.root.write_data("auth/jwt/role/agents", data=bound)
    logs_in(monkeypatch, tmp_path, "jwt", token)
    assert key_of() == KEY


def test_a_token_is_renewed_before_it_ends(vault: RealVault, monkeypatch: pytest.MonkeyPatch) -> None:
    own = vault.token("4s")
    monkeypatch.setenv("VAULT_TOKEN", own)
    began = time()

    def renewed_past_its_end() -> bool:
        renew()
        return time() > began + 6

    assert comes_true(renewed_past_its_end, 20)
    assert vault.root.auth.token.lookup(own)["data"]["ttl"] > 0
    monkeypatch.setenv("VAULT_TOKEN", vault.token("1s", renewable=False))
    assert comes_true(lambda: refused(), 10)


def refused() -> bool:
    forget()
    try:
        key_of()
    except Refused:
        return True
    return False


def logs_in(monkeypatch: pytest.MonkeyPatch, folder: Path, method: str, token: str) -> None:
    """Settings of a login with a token from a file."""
    (folder / "token").write_text(token)
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("VAULT_AUTH", method)
    monkeypatch.setenv("VAULT_ROLE", "agents")
    monkeypatch.setenv("VAULT_JWT_FILE", str(folder / "token"))


def signed(folder: Path, claims: dict[str, Any]) -> tuple[str, str]:
    """An RS256 JSON web token with these claims (RFC 7519), and the public key it is checked by."""
    key = folder / "key.pem"
    make = ["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(key)]
    subprocess.run(make, check=True, capture_output=True)
    public = subprocess.run(
        ["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True, text=True
    ).stdout
    whole = {"iss": "tests", "iat": int(time()) - 5, "nbf": int(time()) - 5, "exp": int(time()) + 3600, **claims}
    words = b".".join(_text(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, whole))
    sign = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=words, check=True, capture_output=True)
    return (words + b"." + _text(sign.stdout)).decode(), public


def _text(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def test_the_command_line_shows_names_and_never_a_value(
    vault: RealVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault.put("zai", KEY, "http://127.0.0.1:9/v1")
    monkeypatch.setenv("CODETETHER_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("CODETETHER_DATA_DIR", str(tmp_path / "data"))

    def ctl(*words: str) -> tuple[int, str]:
        code = run_ctl(list(words))
        said = capsys.readouterr()
        assert KEY not in said.out + said.err
        return code, said.out + said.err

    code, told = ctl("vault", "status", "--json")
    assert code == 0 and json.loads(told)["policies"] == ["default", "reader"] and "renewable" in told
    code, told = ctl("vault", "list")
    assert code == 4 and "refuses the token for `secret/codetether/providers`" in told
    monkeypatch.setenv("VAULT_TOKEN", vault.root.token)
    code, told = ctl("vault", "list", "--json")
    assert (code, [(row["provider"], row["fields"]) for row in json.loads(told)]) == (
        0,
        [("zai", ["api_key", "base_url"])],
    )
    code, told = ctl("vault", "check")
    assert code == 1 and "zai" in told and "FAIL" in told
    code, told = ctl("logout", "zai")
    assert code == 0 and "removed the key of zai" in told
    assert ctl("logout", "zai")[0] == 4
    assert "ctl login PROVIDER" in ctl("vault", "list")[1]
