"""Which models see images, by their names: no provider's list of models says it in a way that could be asked."""

import re
from fnmatch import fnmatchcase

from app.settings import Settings

_SEES = re.compile(
    r"claude-(?!2|instant|1)|gpt-4o|gpt-4\.1|gpt-4-turbo|gpt-5(?!-codex-spark)|chatgpt-4o|\bo1(?!-mini|-preview)\b|\bo3(?!-mini)\b"
    r"|\bo4-mini|gemini|gemma-?3(?!n?-?(1b|270m))|kimi-k2\.5|kimi-vl|nova-(lite|pro|premier)|llama-?4|grok-4|pixtral|llava"
    r"|mistral-small-3\.[12]|mistral-medium-3|glm-4(\.\d)?v|step-1v|internvl|minicpm-v|qvq"
    r"|[-_.\d]vl\b|vision|multimodal|omni"
)


def blind(model: str, settings: Settings | None = None) -> str:
    """The model (`provider/name`) where it is not known to see images; else empty."""
    if settings is not None and any(fnmatchcase(model, pattern) for pattern in settings.vision):
        return ""
    return "" if _SEES.search(model.partition("/")[2].lower()) else model
