"""Plugins as runs and agents see them: what was approved, by digest; never a plugin's content."""

from pydantic import Field

from app.domain.base import Model

PLUGIN = "plugin"
"""The one activity type of all plugin calls: which tool is meant stands in the recorded call."""
PREFIX = "plugin__"
OFFERED = 20
"""Plugins that one run offers at most."""


class PluginRef(Model):
    """An installed plugin. `digest`: SHA-256 (hex) of the exact bytes of its signed manifest."""

    name: str = Field(max_length=24)
    digest: str = Field(max_length=64)
    tools: tuple[str, ...] = Field(default=(), max_length=16)

    @property
    def offers(self) -> tuple[str, ...]:
        """Its tools under the names that a model calls: `plugin__NAME__TOOL`."""
        return tuple(f"{PREFIX}{self.name}__{tool}" for tool in self.tools)
