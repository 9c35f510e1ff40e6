"""What is remembered by identity."""

from typing import Any

from app.domain.run import ModelRef
from app.llm import ChatRequest
from app.remember import by_identity


def test_an_equal_object_is_another_one() -> None:
    asked: list[dict[str, Any]] = []

    @by_identity(2)
    def work(body: dict[str, Any]) -> int:
        asked.append(body)
        return len(asked)

    first = {"a": 1}
    assert [work(first), work(first), work({"a": 1})] == [1, 1, 2]
    assert work({"b": 1}) == 3  # the third one: all are forgotten
    assert work(first) == 4


def test_several_objects_are_one_key() -> None:
    asked: list[int] = []

    @by_identity(9)
    def work(one: dict[str, Any], two: dict[str, Any]) -> int:
        asked.append(1)
        return len(one) + len(two)

    first, second = {"a": 1}, {"a": 1}
    assert [work(first, second), work(first, second), work(second, first)] == [2, 2, 2]
    assert len(asked) == 2


def test_a_question_holds_the_very_messages_and_tools_it_was_given() -> None:
    message, tool = {"kind": "response", "parts": []}, {"function": {"name": "read"}}
    request = ChatRequest(model=ModelRef(provider="zai", name="glm-5"), system="", messages=[message], tools=[tool])
    assert request.messages[0] is message and request.tools[0] is tool
