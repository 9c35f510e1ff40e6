"""Objectives and key results: what is to be reached, and how that is measured."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.domain.base import Model


class Command(Model):
    """A command whose exit status, last number or pattern is the value."""

    kind: Literal["command"] = "command"
    argv: tuple[str, ...] = Field(min_length=1)
    cwd: str = "."
    timeout: float = Field(default=60.0, gt=0, le=3600)
    read: Literal["exit", "last_number", "regex"] = "last_number"
    pattern: str = ""
    """For `regex`: group 1 (or the whole match) of the last match is the number."""
    network: bool = False
    repeat: int = Field(default=1, ge=1, le=20)
    """Timings are the median of 5 with their spread; counts are read once."""
    protects: tuple[str, ...] = ()
    """Globs of what the measure rests on; empty: the defaults of `app/workspace/protect.py`."""


class TestCount(Model):
    """How many tests a run of argv reports as failed (errors included) or passed."""

    __test__ = False

    kind: Literal["test_count"] = "test_count"
    argv: tuple[str, ...] = Field(min_length=1)
    cwd: str = "."
    timeout: float = Field(default=60.0, gt=0, le=3600)
    counts: Literal["failed", "passed"] = "failed"
    network: bool = False
    protects: tuple[str, ...] = ()


class Judge(Model):
    """A model's judgement from 0 to 1, only where nothing else serves, and shown as such."""

    kind: Literal["judge"] = "judge"
    question: str = Field(min_length=1, max_length=1000)


Measure = Annotated[Command | TestCount | Judge, Field(discriminator="kind")]


class Reading(Model):
    """One measurement of one commit. `value` None: not measured, and `problem` says why."""

    value: float | None = None
    at: str = ""
    commit: str = ""
    exit: int | None = None
    output: str = Field(default="", max_length=2000)
    samples: tuple[float, ...] = ()
    spread: float = 0.0
    """Half the distance between the quartiles of `samples`, in the unit of the value."""
    problem: str = Field(default="", max_length=400)
    changed: tuple[str, ...] = Field(default=(), max_length=20)
    """Protected files that the commit changed: the value was read with the approved ones."""
    own_value: float | None = None
    """With `changed`: the value read with the commit's own versions of them."""


class KeyResult(Model):
    """A measurable outcome. Zero targets and lower-is-better work."""

    id: str
    title: str = Field(min_length=1, max_length=300)
    measure: Measure
    direction: Literal["up", "down"]
    target: float
    unit: str = Field(default="", max_length=20)
    baseline: Reading | None = None
    last: Reading | None = None

    def reached(self, value: float | None) -> bool:
        """Whether `value` meets the target in this key result's direction."""
        if value is None:
            return False
        return value >= self.target if self.direction == "up" else value <= self.target

    @property
    def met(self) -> bool:
        """Whether the last reading meets the target."""
        return self.last is not None and self.reached(self.last.value)

    @property
    def suspicious(self) -> bool:
        """Met only with the protected files that the agents changed: a person must look."""
        return self.last is not None and not self.met and self.reached(self.last.own_value)

    @property
    def progress(self) -> float:
        """clamp((value - baseline) / (target - baseline), 0, 1); 1 when the baseline already meets it."""
        if self.met:
            return 1.0
        if self.last is None or self.last.value is None or self.baseline is None or self.baseline.value is None:
            return 0.0
        distance = self.target - self.baseline.value
        if distance == 0:
            return 0.0
        return min(1.0, max(0.0, (self.last.value - self.baseline.value) / distance))


class Member(Model):
    """One agent of a relay's team: what it is called and what it is to do."""

    name: str = Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9-]*$")
    role: str = Field(min_length=1, max_length=1000)


class Okr(Model):
    """What a person approves: the objective, its key results and who will work on it."""

    id: str
    intent: str
    objective: str = Field(max_length=500)
    key_results: tuple[KeyResult, ...] = Field(min_length=1, max_length=7)
    team: tuple[Member, ...] = Field(default=(), max_length=8)
    draft: int = 1

    @property
    def progress(self) -> float:
        """The mean progress of the key results, 0 to 1."""
        return sum(kr.progress for kr in self.key_results) / len(self.key_results)

    @model_validator(mode="after")
    def _ids_differ(self) -> "Okr":
        ids = [kr.id for kr in self.key_results]
        if len(set(ids)) != len(ids):
            raise ValueError("key results need different ids")
        return self
