"""`give_score`: how a judging agent answers."""

from pydantic import Field

from app.domain.base import Model


class Score(Model):
    """A judgement with its evidence."""

    score: float = Field(ge=0, le=1, description="0: not at all, 1: completely")
    evidence: str = Field(min_length=1, max_length=1500, description="One sentence that names files")
