"""The fallback models of a run, from what a person named."""

from collections.abc import Sequence

from app.domain.run import ModelRef
from app.errors import UserError
from app.llm.registry import resolve
from app.settings import Settings

MOST = 8


def chain(names: Sequence[str], first: ModelRef, settings: Settings) -> tuple[ModelRef, ...]:
    """The models after `first`, in order: `provider/name`, or `provider/name@URL` for a server of its own.

    Without a URL a model of `first`'s provider is served where `first` is. Raises `UserError` (exit 2)
    for a name that is none, one that stands twice, or too many.
    """
    if len(names) > MOST:
        raise UserError(f"`--fallback` was given {len(names)} times; {MOST} models are the most")
    found: list[ModelRef] = []
    for text in names:
        name, at, url = text.partition("@http")
        url = f"http{url}" if at else first.base_url if name.partition("/")[0] == first.provider else ""
        model = resolve(name.strip() or "/", url, settings.model_copy(update={"base_url": ""}))
        if any((known.id, known.base_url) == (model.id, model.base_url) for known in (first, *found)):
            raise UserError(f"`--fallback {text}` names `{model.id}` a second time; name another model")
        found.append(model)
    return tuple(found)
