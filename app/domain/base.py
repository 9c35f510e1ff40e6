"""What every noun shares: frozen values that tolerate fields added later."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen value. Payloads are durable contracts: only optional fields may be added."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    compact: ClassVar[bool] = False
    """Whether payloads leave out fields that hold their default: for what stands in a history at every step."""
