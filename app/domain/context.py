"""What a repository tells an agent: its instruction files and skills, as the `system` record holds them."""

from typing import Literal

from app.domain.base import Model

Origin = Literal["user", "project"]
"""Whose it is: the person's own configuration, or the repository's."""


class Loaded(Model):
    """One instruction file that was loaded. `size`: its bytes; `left_out`: how many of them were cut."""

    path: str
    size: int
    left_out: int = 0


class SkillRef(Model):
    """One skill as it is offered: the body is loaded by the `skill` tool."""

    name: str
    description: str
    origin: Origin
    folder: str
    """In the repository, or absolute for a person's own."""


class Context(Model):
    """What one agent begins with. `text` goes into its system prompt; `notes`: what was left out, and why."""

    text: str = ""
    files: tuple[Loaded, ...] = ()
    skills: tuple[SkillRef, ...] = ()
    notes: tuple[str, ...] = ()
