"""What is sent to whoever listens where the private Vault should be, without a Vault."""

import os
import socket
import ssl
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from app.pids import start_time
from app.secrets import NoSecret, Unreachable, forget, private, provider_key
from app.stack import certificate
from app.stack.identity import data_id
from app.stack.state import Service, save
from app.stack.vault import health


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A data folder with a private Vault whose set-up is complete."""
    monkeypatch.setenv("CODETETHER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CODETETHER_CONFIG_DIR", str(tmp_path / "config"))
    data_id(tmp_path)
    private.folder(tmp_path).mkdir()
    private.write_keys(tmp_path, private.Keys(unseal_key="u", token="hvs.canary"))
    (private.folder(tmp_path) / "ready.json").write_text('{"keys": "file"}')
    private.certificate(tmp_path).write_bytes(certificate.made())
    forget()
    yield tmp_path
    forget()


class Impostor:
    """A TLS server with this certificate, at a port that our `stack.json` names; what it is told is kept."""

    def __init__(self, data: Path, pem: Path) -> None:
        self.told = b""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self.socket = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        address = f"https://127.0.0.1:{self.socket.getsockname()[1]}"
        save(data, "vault", Service(pid=os.getpid(), started=start_time(os.getpid()), address=address))
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                link, _ = self.socket.accept()
            except ssl.SSLError:
                continue  # the other side does not trust us
            except OSError:
                return
            with link:
                self.told += link.recv(10_000)
                link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


@pytest.mark.parametrize("own", [True, False])
def test_only_the_certificate_we_made_is_told_the_token(data: Path, tmp_path: Path, own: bool) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(certificate.made())
    server = Impostor(data, private.certificate(data) if own else other)
    try:
        with pytest.raises(Unreachable, match="did not do what it was asked" if own else "does not answer"):
            provider_key("zai")
        assert health(data) == ("open" if own else "mute")
    finally:
        server.close()
    assert (b"hvs.canary" in server.told) is own
    assert own or server.told == b""


def test_a_proxy_is_not_asked(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/dev/null")
    server = Impostor(data, private.certificate(data))
    try:
        with pytest.raises(Unreachable):
            provider_key("zai")
    finally:
        server.close()
    assert b"hvs.canary" in server.told


def test_while_it_does_not_run_nobody_is_asked(data: Path) -> None:
    save(data, "vault", Service(pid=os.getpid(), started="another", address="https://127.0.0.1:1"))
    with pytest.raises(Unreachable, match="is not running: `ctl up` starts it"):
        provider_key("zai")


def test_a_vault_that_is_named_wins(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert private.wanted(data)
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("VAULT_TOKEN", "t")
    assert not private.wanted(data)
    with pytest.raises(Unreachable, match=r"`http://127\.0\.0\.1:1` cannot be reached"):
        provider_key("zai")


def test_a_damaged_note_of_where_the_keys_are_changes_nothing(data: Path) -> None:
    (private.folder(data) / "ready.json").write_text("{")
    assert private.read_keys(data).token == "hvs.canary"


def test_keys_show_themselves_to_nobody(data: Path) -> None:
    keys = private.read_keys(data)
    assert "canary" not in repr(keys) + str(keys)
    private.key_file(data).write_text('{"unseal_key": 3, "token": "hvs.canary"}')
    with pytest.raises(Exception, match="are gone from") as caught:
        private.read_keys(data)
    assert "canary" not in str(caught.value)


def test_before_the_set_up_is_complete_there_is_none(data: Path) -> None:
    (private.folder(data) / "ready.json").unlink()
    with pytest.raises(NoSecret, match="no key for provider `zai`"):
        provider_key("zai")
