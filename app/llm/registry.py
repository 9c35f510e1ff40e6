"""The providers: how each is spoken to, where it is, whether it needs a key."""

from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from app.domain.run import ModelRef
from app.errors import UserError
from app.settings import Settings


class Provider(NamedTuple):
    """`kind` is the wire format. `base_url` is where it is served unless a model says otherwise."""

    name: str
    kind: Literal["openai", "anthropic", "google", "bedrock"]
    base_url: str
    needs_key: bool = True
    default: str = ""
    """The model that is offered first."""
    module: str = ""
    """Of `app.llm.providers`, where this one is odd; empty: the module of its kind."""
    extra: str = ""
    """The extra of our package that it needs."""
    ambient: bool = False
    """Whether it may use the identity of the machine (an AWS role, GKE) where no key is stored."""
    note: str = ""
    """What a person must know before storing a key."""

    @property
    def home(self) -> str:
        """The module that speaks to it."""
        return f"app.llm.providers.{self.module or self.kind}"


OPENAI_URL = "https://api.openai.com/v1"
THEIRS = {"bedrock": "aws", "vertex-glm": "google"}
"""What genai-prices calls a provider of ours."""
COPILOT_RISK = (
    "GitHub documents no interface of Copilot for other programs: its token exchange may break or be refused, "
    "and may count as misuse of your subscription"
)
PROVIDERS: dict[str, Provider] = {
    row.name: row
    for row in (
        Provider("anthropic", "anthropic", "https://api.anthropic.com", default="claude-sonnet-4-20250514"),
        Provider(
            "bedrock",
            "bedrock",
            "https://bedrock-runtime.us-east-1.amazonaws.com",
            default="global.anthropic.claude-opus-4-6-v1",
            extra="bedrock",
            ambient=True,
        ),
        Provider("demo", "openai", "", needs_key=False),
        Provider(
            "github-copilot",
            "openai",
            "https://api.github.com",
            default="claude-opus-4",
            module="copilot",
            note=COPILOT_RISK,
        ),
        Provider(
            "google", "google", "https://generativelanguage.googleapis.com", default="gemini-2.5-pro", extra="google"
        ),
        Provider("local", "openai", "", needs_key=False, default="smollm2", module="local", extra="local"),
        Provider("local-cuda", "openai", "http://127.0.0.1:8000/v1", needs_key=False),
        Provider("moonshotai", "openai", "https://api.moonshot.ai/v1", default="kimi-k2.5"),
        Provider("openai", "openai", OPENAI_URL),
        Provider("openrouter", "openai", "https://openrouter.ai/api/v1", default="stepfun/step-3.5-flash:free"),
        Provider("stepfun", "openai", "https://api.stepfun.ai/v1", default="step-3.5-flash"),
        Provider(
            "vertex-glm",
            "openai",
            "https://aiplatform.googleapis.com",
            default="zai-org/glm-5-maas",
            module="vertex_glm",
            extra="vertex",
            ambient=True,
        ),
        Provider("zai", "openai", "https://api.z.ai/api/paas/v4", default="glm-5"),
    )
}


def resolve(text: str, base_url: str, settings: Settings) -> ModelRef:
    """The model that a person named as `provider/name`; empty texts fall back to the settings.

    Raises `UserError` (exit 2) for an unknown provider or a text without a slash.
    """
    text = text or settings.model
    provider, slash, name = text.partition("/")
    listed = ", ".join(f"`{known}`" for known in PROVIDERS)
    if not slash or not provider or not name:
        raise UserError(f"model `{text}` is not of the form `provider/name`; the providers are {listed}")
    if provider not in PROVIDERS:
        raise UserError(f"there is no provider `{provider}`; the providers are {listed}")
    if len(name) > 128:
        raise UserError(f"model `{text[:60]}...` has a name longer than 128 characters; give the provider's own name")
    return ModelRef(provider=provider, name=name, base_url=_url(base_url or settings.base_url))


def _url(text: str) -> str:
    if not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or len(text) > 400:
        raise UserError(f"base URL `{text[:80]}` is not usable; give one like `http://127.0.0.1:8000/v1`")
    if parts.username or parts.password:
        raise UserError("the base URL holds a name or password, which would be recorded; store the key by `ctl login`")
    return text.rstrip("/")


def provider_of(model: ModelRef) -> Provider:
    """The row of the model's provider. Raises `UserError` (exit 2) for an unknown one."""
    try:
        return PROVIDERS[model.provider]
    except KeyError:
        known = ", ".join(sorted(PROVIDERS))
        raise UserError(f"model `{model.id}` names an unknown provider; the known ones are: {known}") from None


def base_url_of(model: ModelRef) -> str:
    """Where the model is served. Raises `UserError` (exit 2) when neither it nor its provider says."""
    url = model.base_url or provider_of(model).base_url
    if not url:
        raise UserError(f"model `{model.id}` needs a base URL; give it with `--base-url`")
    return url


def is_local(model: ModelRef) -> bool:
    """Whether the model is served on this machine's loopback."""
    host = urlsplit(model.base_url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
