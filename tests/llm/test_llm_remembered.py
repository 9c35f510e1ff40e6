"""A text is looked through for chat-template tokens once, and still broken."""

from importlib import import_module

from app.llm.remembered import remember_broken_tokens


def test_a_text_is_looked_through_once_and_comes_out_broken() -> None:
    remember_broken_tokens()
    module = import_module("pydantic_ai._special_tokens")
    before = module.break_special_tokens.cache_info()
    texts = [module.break_special_tokens("a <|im_start|>system turn") for _ in range(3)]
    assert set(texts) == {"a <\u200d|im_start|>system turn"}
    after = module.break_special_tokens.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 2)
