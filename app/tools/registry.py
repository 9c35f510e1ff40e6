"""All tools, by name: whatever a module of this folder holds as a `Tool`. Names hold no dot: providers refuse it."""

import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, cast

import app.tools
from app.tools.base import Output, Tool, ToolContext

__all__ = ["REGISTRY", "Output", "Tool", "ToolContext", "named", "specs"]


def _found() -> Iterator[Tool]:
    """The tools of each module, modules by name; a tool that a module imports belongs to another one."""
    seen: set[str] = set()
    for name in sorted(module.name for module in pkgutil.iter_modules(app.tools.__path__)):
        if name == "registry" or name == "execute":  # they read the registry
            continue
        for value in vars(import_module(f"app.tools.{name}")).values():
            if isinstance(value, Tool) and value.name not in seen:
                seen.add(value.name)
                yield value


REGISTRY: dict[str, Tool] = {tool.name: tool for tool in _found()}


def named(names: Iterable[str]) -> tuple[str, ...]:
    """The tools of a list in which `@writing` stands for all tools that are for agents that write."""
    out: list[str] = []
    for name in names:
        group = name.removeprefix("@")
        out += [name] if group == name else sorted(tool.name for tool in REGISTRY.values() if group in tool.agents)
    return tuple(dict.fromkeys(out))


def specs(names: Iterable[str]) -> list[dict[str, Any]]:
    """The tools as OpenAI functions, in the given order. Raises `KeyError` for a name that is none."""
    return [_spec(name) for name in named(names)]


@cache
def _spec(name: str) -> dict[str, Any]:
    tool = REGISTRY[name]
    parameters = _tidy(tool.arguments.model_json_schema())
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": parameters},
    }


def _tidy(schema: Any) -> Any:
    """The schema without the titles and docstrings of our classes, which only cost tokens."""
    if isinstance(schema, list):
        return [_tidy(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    fields = cast("dict[str, Any]", schema)
    dropped = {"title", "description"} if "properties" in fields else {"title"}
    return {
        key: {name: _tidy(each) for name, each in value.items()} if key in ("properties", "$defs") else _tidy(value)
        for key, value in fields.items()
        if key not in dropped
    }
