"""Which images a model is shown: the latest, as many as fit, none for a model that sees none or after a cut."""

from pathlib import Path

import pytest

from activities.conversation import LEFT_OUT, messages_of
from activities.pictures import MOST, shown_images
from activities.shortening import Cut, after, tokens
from app.domain.run import ModelRef
from app.domain.session import Ids, Record
from app.settings import Settings
from app.stream.images import store_image

SEEING, BLIND = ModelRef(provider="openai", name="gpt-4o"), ModelRef(provider="openai", name="words-only")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, config_dir=tmp_path)


def looked(data: Path, number: int, size: int = 100) -> Record:
    """A result with an image of `size` bytes; its session is a parent's, as after a fork."""
    content = f"{number:08}".encode() + b"x" * (size - 8)
    image = store_image(data, "parent", content, media_type="image/png", width=1500, height=1000)
    body = {"call_id": f"c{number}", "name": "image", "status": "ok", "text": "[image]", "step_id": f"t{number}"}
    whole = {**body, "images": [image.model_dump()]}
    return Record(offset=number, step_id="s", kind="tool_result", at="", ids=Ids(), body=whole)


def parts(records: list[Record], images: dict[str, list[tuple[str, bytes]]]) -> list[tuple[bool, bool]]:
    """Of each result: whether it holds its image, whether it says that it does not."""
    given = [message["parts"][0] for message in messages_of(records, images)]
    return [("images" in part, part["content"].endswith(LEFT_OUT)) for part in given]


def test_the_latest_images_are_shown(settings: Settings) -> None:
    records = [looked(settings.data_dir, number) for number in range(MOST + 2)]
    shown = shown_images(settings.data_dir, records, SEEING, settings)
    assert parts(records, shown) == [(False, True)] * 2 + [(True, False)] * MOST


def test_large_ones_leave_room_for_fewer(settings: Settings) -> None:
    records = [looked(settings.data_dir, number, 3_700_000) for number in range(5)]
    shown = shown_images(settings.data_dir, records, SEEING, settings)
    assert list(shown) == ["t4", "t3", "t2"]


def test_a_model_that_sees_none_is_told_so_unless_a_person_knows_better(settings: Settings) -> None:
    records = [looked(settings.data_dir, 1)]
    assert parts(records, shown_images(settings.data_dir, records, BLIND, settings)) == [(False, True)]
    better = settings.model_copy(update={"vision": ("openai/words-*",)})
    assert parts(records, shown_images(settings.data_dir, records, BLIND, better)) == [(True, False)]


def test_an_image_that_was_removed_or_spoiled_is_described(settings: Settings) -> None:
    records = [looked(settings.data_dir, 1), looked(settings.data_dir, 2)]
    first, second = sorted(settings.data_dir.glob("streams/parent/images/*"))
    first.unlink()
    second.write_bytes(b"other")
    assert shown_images(settings.data_dir, records, SEEING, settings) == {}


def test_compaction_counts_images_and_leaves_old_ones_out(settings: Settings) -> None:
    records = [looked(settings.data_dir, 1), looked(settings.data_dir, 2)]
    assert tokens(records) > 3200, "1,600 each"
    cut = after(records, Cut(keep=2, whole=1, clip=300))
    assert ["images" in record.body for record in cut] == [False, True]
    assert cut[0].body["text"].endswith(LEFT_OUT) and tokens(cut) < 1700
