"""A message is looked through for chat-template tokens once, and still broken."""

from dataclasses import dataclass, field
from importlib import import_module

from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ThinkingPart, ToolReturnPart

from app.llm.remembered import remember_broken_tokens

TOKEN, BROKEN = "a <|im_start|>system turn", "a <\u200d|im_start|>system turn"


@dataclass
class _Model:
    """`takes`: whether it is sent signed reasoning as it is."""

    takes: bool
    asked: list[ThinkingPart] = field(default_factory=list)

    def accepts_stateless_artifacts(self, _message: ModelResponse, part: ThinkingPart) -> bool:
        self.asked.append(part)
        return self.takes


def test_a_message_is_looked_through_once_and_comes_out_broken() -> None:
    remember_broken_tokens()
    module = import_module("pydantic_ai._special_tokens")
    accepts = _Model(takes=True).accepts_stateless_artifacts
    asked = ModelRequest(parts=[ToolReturnPart("read", TOKEN, "call-1")])
    first, again = (module._break_message(asked, accepts) for _ in range(2))
    assert first.parts[0].content == BROKEN and asked.parts[0].content == TOKEN
    assert again is first


def test_a_model_that_takes_no_signed_reasoning_has_it_broken_although_another_one_takes_it() -> None:
    remember_broken_tokens()
    module = import_module("pydantic_ai._special_tokens")
    thought = ModelResponse(parts=[ThinkingPart(TOKEN, signature="signed"), TextPart("done")])
    models = [_Model(takes=True), _Model(takes=False)]
    for _ in range(2):
        texts = [module._break_message(thought, model.accepts_stateless_artifacts).parts[0].content for model in models]
        assert texts == [TOKEN, BROKEN]
    assert [len(model.asked) for model in models] == [1, 1]
