"""The size of a model's context, from its table, a person, or the words of its server."""

import pytest

from app.domain.run import ModelRef
from app.errors import UserError
from app.llm import chain, room_for_answer, window_of
from app.llm.windows import UNKNOWN, known_window, told_window
from app.settings import Settings


@pytest.mark.parametrize(
    ("words", "tokens"),
    [
        ("this model's maximum context length is 16,385 tokens. however, you requested 20000", 16_385),
        ("prompt is too long: 210000 tokens > 200000 maximum", 200_000),
        ("request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it", 4096),
        ("your request exceeded model token limit: 8192", 8192),
        ("the input token count (9) exceeds the maximum number of tokens allowed (1048576).", 1_048_576),
        ("too long", 0),
    ],
)
def test_a_servers_refusal_names_its_context(words: str, tokens: int) -> None:
    assert told_window(words) == tokens


def test_a_person_then_the_table_then_a_guess() -> None:
    known = ModelRef(provider="anthropic", name="claude-sonnet-4-5")
    assert window_of(known) == 200_000
    assert window_of(known.model_copy(update={"window": 9000})) == 9000
    assert window_of(ModelRef(provider="openai", name="gpt-4o", base_url="http://127.0.0.1:1/v1")) == UNKNOWN
    zai = ModelRef(provider="zai", name="glm-5")
    assert (known_window(zai), known_window(ModelRef(provider="github-copilot", name="x"))) == (200_000, None)
    assert window_of(ModelRef(provider="bedrock", name="us.anthropic.claude-sonnet-4-5-20250929-v1:0")) == 200_000
    assert room_for_answer(200_000) == 8192 and room_for_answer(16_384) == 3276


def test_a_chain_names_each_server_once(tmp_path: object) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "config_dir": tmp_path, "base_url": "http://h/v1"})
    first = ModelRef(provider="openai", name="a", base_url="http://h/v1")
    found = chain(("openai/b", "anthropic/c", "openai/a@http://other/v1"), first, settings)
    assert [model.base_url for model in found] == ["http://h/v1", "", "http://other/v1"]
    with pytest.raises(UserError, match="second time"):
        chain(("openai/a",), first, settings)
