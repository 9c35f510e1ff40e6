"""The table of `tests/support/misbehaviours.py`, cell by cell: a right answer or a classified error, never a guess."""

import json
from typing import Any

import pytest
from dialects import DIALECTS, Dialect
from keys import service_account
from misbehaviours import STREAMED, TABLE, TOKENS, Case, Right

from app.llm import Answer, ModelError, answer, client, tool_result_message, user_message
from app.llm.providers import tokens
from app.llm.registry import PROVIDERS

KEY = "sk-live-0123456789"
READ = {
    "type": "function",
    "function": {"name": "read", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}},
}
CELLS = [(name, column) for name, row in TABLE.items() for column, cell in row.items() if isinstance(cell, Case)]
BEHIND = {"google token": "vertex-glm", "github token": "github-copilot"}
"""Whose call needs the token."""


class Server:
    """A dialect over the wire; the same server is the Vault, which gives the key first."""

    def __init__(self, wire: Any, column: str) -> None:
        self.wire, self.column = wire, column
        named = {dialect.name: dialect for dialect in DIALECTS}
        self.dialect: Dialect = named.get(column, named["openai"])
        self.provider = BEHIND.get(column) or self.dialect.provider
        self.key = service_account(wire.url) if column == "google token" else KEY
        wire.fail(200, {"data": {"data": {"api_key": self.key}, "metadata": {}}})

    def says(self, *frames: bytes, **more: Any) -> None:
        kind = "application/json" if self.column in TOKENS else self.dialect.content_type
        self.wire.raw(b"".join(frames), content_type=kind, **more)

    def fails(self, status: int, text: str, **headers: str) -> None:
        self.wire.fail(status, self.dialect.error(status, text), **headers)

    async def ask(self, *messages: dict[str, Any]) -> Answer:
        asked = self.wire.ask(*messages, provider=self.provider, tools=[READ], max_tokens=16)
        url = self.wire.url + ("/v1" if self.column == "openai" else "")
        model = asked.model.model_copy(update={"name": PROVIDERS[self.provider].default, "base_url": url})
        return await answer(asked.model_copy(update={"model": model}))

    @property
    def asked(self) -> list[Any]:
        """What was asked of the provider, without the Vault's part."""
        return [seen for seen in self.wire.seen if "/v1/secret/" not in seen.path]


def test_the_table_has_every_cell() -> None:
    for name, row in TABLE.items():
        assert sorted(row) == sorted((*STREAMED, *TOKENS)), name
        reasons = [cell for cell in row.values() if isinstance(cell, str)]
        assert len(reasons) < len(row) and all(len(reason) > 10 for reason in reasons), name


@pytest.mark.parametrize(("name", "column"), CELLS)
async def test_each_misbehaviour_has_its_outcome(
    vaulted: Any, monkeypatch: pytest.MonkeyPatch, name: str, column: str
) -> None:
    if name == "a stall":
        monkeypatch.setattr(client, "SILENCE", 0.3)
        monkeypatch.setattr(tokens, "PATIENCE", 0.3)
    case, server = TABLE[name][column], Server(vaulted, column)
    assert isinstance(case, Case)
    case.says(server)
    if isinstance(case.outcome, Right):
        await right(server, case.outcome)
        return
    with pytest.raises(ModelError) as caught:
        await server.ask()
    error, expected = caught.value, case.outcome
    assert error.kind in expected.kinds and expected.words in str(error), f"{error.kind}: {error}"
    assert error.retryable or error.kind == "bad_request"
    assert len(server.asked) == 1, "a failed call is neither repeated in here, nor does its key follow"
    assert server.key not in str(error) and error.__cause__ is None
    if expected.wait is not None:
        assert error.retry_after is not None and expected.wait[0] <= error.retry_after <= expected.wait[1]


async def right(server: Server, expected: Right) -> None:
    """The answer, and that the server would take it back with the results of its calls."""
    given = await server.ask()
    paths = tuple(json.loads(call.arguments)["path"] for call in given.calls)
    assert (given.text, paths, (given.usage.input, given.usage.output)) == (
        expected.text,
        expected.paths,
        expected.usage,
    )
    assert {call.name for call in given.calls} <= {"read"}
    ids = [call.id for call in given.calls]
    assert all(ids) and len(set(ids)) == len(ids)
    results = [tool_result_message(call.id, "read", f"RESULT-{call.id}", True) for call in given.calls]
    server.says(*server.dialect.frames("Done.", False, True))
    recorded = json.loads(json.dumps(given.message))
    again = await server.ask(user_message("hi"), recorded, *(results or [user_message("go on")]))
    assert again.text == "Done."
    sent = json.dumps(server.asked[-1].body)
    assert all(sent.count(f"RESULT-{name}") == 1 for name in ids)
    assert '"content": []' not in sent and '"parts": []' not in sent
