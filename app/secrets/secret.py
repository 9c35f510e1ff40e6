"""A provider's key, which shows itself to nobody who does not ask for it by name."""

from pydantic import Field, SecretStr

from app.domain.base import Model
from app.errors import UserError


class Secret(Model):
    """A provider's key and where it is good for. Empty `base_url`: the provider's own."""

    api_key: SecretStr
    base_url: str = ""
    headers: dict[str, SecretStr] = Field(default_factory=dict[str, SecretStr])

    def plain_headers(self) -> dict[str, str]:
        """The extra headers as they are sent."""
        return {name: value.get_secret_value() for name, value in self.headers.items()}


class NoSecret(UserError):
    """There is no key to be had: no vault is named, or it holds none for this provider."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=4)


class Unreachable(UserError):
    """The vault cannot be asked now; later it may."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=4)


class Refused(UserError):
    """The vault does not accept who we are, or not for this path; a person can change that."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=4)
