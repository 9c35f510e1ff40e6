"""What every noun shares: frozen values that tolerate fields added later."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen value. Payloads are durable contracts: only optional fields may be added."""

    model_config = ConfigDict(frozen=True, extra="ignore")
