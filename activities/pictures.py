"""Which images of a conversation a model is shown: the latest, as far as every provider's request holds them."""

from collections.abc import Sequence
from pathlib import Path

from app.domain.run import ModelRef
from app.domain.session import NewRecord, Record
from app.llm import blind
from app.settings import Settings
from app.stream.images import images_in, load_image

MOST = 12
"""Images; Bedrock takes 20 in one request."""
BYTES = 12_000_000
"""Of all of them: a request to Gemini holds 20 MB, and base64 adds a third."""


def shown_images(
    data: Path, records: Sequence[Record | NewRecord], model: ModelRef, settings: Settings
) -> dict[str, list[tuple[str, bytes]]]:
    """Media type and bytes of the images of each result, by its step id; none for a model that sees none.

    A result whose images do not all fit, or are gone, shows none: its text says so.
    """
    with_some = [record for record in records if record.kind == "tool_result" and "images" in record.body]
    if not with_some or blind(model.id, settings):
        return {}
    shown: dict[str, list[tuple[str, bytes]]] = {}
    count, room = MOST, BYTES
    for record in reversed(with_some):
        images = images_in(record.body)
        count, room = count - len(images), room - sum(image.size for image in images)
        if count < 0 or room < 0:
            break
        found = [(image.media_type, load_image(data, image)) for image in images]
        whole = [(kind, content) for kind, content in found if content is not None]
        if len(whole) == len(images):
            shown[record.body["step_id"]] = whole
    return shown
