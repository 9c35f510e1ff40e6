"""Without a stored key, Bedrock and Vertex are asked with the machine's identity: real botocore and google-auth."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.compute_engine import _metadata
from spoken import BEDROCK

from app.llm import ModelError, answer
from app.llm.providers import bedrock

DONE = BEDROCK.begin + BEDROCK.say("Done.") + BEDROCK.end(False)


@pytest.fixture(autouse=True)
def _no_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing that this very machine may have: no key, profile, role; and no wait for metadata servers."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bedrock._session.cache_clear()
    yield
    bedrock._session.cache_clear()


def asked(wire: Any, provider: str) -> Any:
    """A question without a key in Vault, which is the same server."""
    wire.fail(404, {"errors": []})
    request = wire.ask(provider=provider)
    return request.model_copy(update={"model": request.model.model_copy(update={"base_url": wire.url})})


def role(wire: Any, name: str, seconds: float) -> None:
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    keys = {"AccessKeyId": name, "SecretAccessKey": "s" * 40, "Token": f"session-of-{name}", "Expiration": ends}
    wire.fail(200, {**keys, "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": ends})


def says(wire: Any) -> None:
    wire.raw(DONE, content_type="application/vnd.amazon.eventstream")


def signers(wire: Any) -> list[str]:
    """By which access key each call of the model was signed."""
    calls = [seen for seen in wire.seen if "converse-stream" in seen.path]
    assert all(seen.headers["x-amz-security-token"].startswith("session-of-") for seen in calls)
    return [seen.headers["authorization"].split("Credential=")[1].split("/")[0] for seen in calls]


async def test_a_containers_role_signs_and_is_renewed_before_it_ends(
    vaulted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{vaulted.url}/role")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of-the-container")
    request = asked(vaulted, "bedrock")
    role(vaulted, "AKIAFIRST", 60)
    role(vaulted, "AKIASECOND", 3600)  # the first one ends so soon that it is not used
    says(vaulted)
    vaulted.fail(404, {"errors": []})
    says(vaulted)
    assert [(await answer(request)).text for _ in range(2)] == ["Done.", "Done."]
    fetched = [seen for seen in vaulted.seen if seen.path == "/role"]
    assert [seen.headers["authorization"] for seen in fetched] == ["of-the-container"] * 2
    assert signers(vaulted) == ["AKIASECOND"] * 2


async def test_an_instances_role_signs(vaulted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", vaulted.url)
    request = asked(vaulted, "bedrock")
    vaulted.raw(b"session-token", content_type="text/plain")
    vaulted.raw(b"agents", content_type="text/plain")
    role(vaulted, "AKIAINSTANCE", 3600)
    says(vaulted)
    assert (await answer(request)).text == "Done."
    assert [(seen.method, seen.path) for seen in vaulted.seen[1:4]] == [
        ("PUT", "/latest/api/token"),
        ("GET", "/latest/meta-data/iam/security-credentials/"),
        ("GET", "/latest/meta-data/iam/security-credentials/agents"),
    ]
    assert signers(vaulted) == ["AKIAINSTANCE"]


async def test_no_identity_names_the_next_step(vaulted: Any) -> None:
    with pytest.raises(ModelError, match="`ctl login bedrock`") as caught:
        await answer(asked(vaulted, "bedrock"))
    assert caught.value.kind == "auth" and len(vaulted.seen) == 1


async def test_a_role_that_is_not_given_now_may_be_later(vaulted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{vaulted.url}/role")
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    request = asked(vaulted, "bedrock")
    for _ in range(3):
        vaulted.fail(500, {"message": "later"})
    with pytest.raises(ModelError) as caught:
        await answer(request)
    assert (caught.value.kind, caught.value.retryable) == ("server", True)
    vaulted.fail(404, {"errors": []})
    role(vaulted, "AKIALATER", 3600)
    says(vaulted)
    assert (await answer(request)).text == "Done."
    assert signers(vaulted) == ["AKIALATER"]


@pytest.fixture
def gke(vaulted: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The server as Google's metadata server; google-auth reads the host once, when it is imported."""
    place = vaulted.url.removeprefix("http://")
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", place)
    monkeypatch.setenv("GCE_METADATA_IP", place)
    return vaulted


def tells(wire: Any, body: Any, kind: str = "application/json") -> None:
    wire.fail(200, body, metadata_flavor="Google", content_type=kind)


async def test_a_pod_of_gke_is_given_a_token(gke: Any) -> None:
    request = asked(gke, "vertex-glm")
    tells(gke, b"computeMetadata/", "application/text")
    tells(gke, b"acme", "application/text")
    tells(gke, {"email": "gke@acme.iam.gserviceaccount.com", "scopes": [], "aliases": ["default"]})
    tells(gke, {"access_token": "ya29.gke", "expires_in": 3600, "token_type": "Bearer"})
    gke.chat({"content": "Done."})
    gke.fail(404, {"errors": []})
    gke.chat({"content": "Again."})
    assert [(await answer(request)).text for _ in range(2)] == ["Done.", "Again."]
    calls = [seen for seen in gke.seen if seen.path.endswith("/chat/completions")]
    assert [seen.headers["authorization"] for seen in calls] == ["Bearer ya29.gke"] * 2
    assert all("/v1/projects/acme/locations/global/" in seen.path for seen in calls)


async def test_a_pod_without_an_account_is_refused(gke: Any) -> None:
    request = asked(gke, "vertex-glm")
    tells(gke, b"computeMetadata/", "application/text")
    tells(gke, b"acme", "application/text")
    gke.fail(404, {"error": "no service account"})
    with pytest.raises(ModelError) as caught:
        await answer(request)
    assert caught.value.kind == "auth" and "`vertex-glm/scripted`" in str(caught.value)
