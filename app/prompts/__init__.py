"""Prompts, one a file. The header between `---` lines names what is put in for `{{name}}`."""

from functools import cache
from importlib.resources import files


@cache
def _source(name: str) -> tuple[frozenset[str], str]:
    text = files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    _, header, body = text.split("---\n", 2)
    inputs = next((line for line in header.splitlines() if line.startswith("inputs:")), "inputs:")
    return frozenset(inputs.removeprefix("inputs:").split()), body.strip()


def render(name: str, **values: str) -> str:
    """The prompt `name` with its inputs. Raises `KeyError` when one is missing or unknown."""
    inputs, body = _source(name)
    if inputs != set(values):
        raise KeyError(f"prompt `{name}` wants {sorted(inputs)}, got {sorted(values)}")
    for key, value in values.items():
        body = body.replace("{{" + key + "}}", value)
    return body
