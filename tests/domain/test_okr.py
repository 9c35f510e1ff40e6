"""Key results: directions, zero targets, progress, and what counts as met."""

import pytest
from pydantic import ValidationError

from app.domain.okr import Command, KeyResult, Okr, Reading


def key_result(direction: str, target: float, baseline: float | None, last: float | None, **more: object) -> KeyResult:
    return KeyResult.model_validate(
        {
            "id": "KR-1",
            "title": "t",
            "measure": Command(argv=("true",)),
            "direction": direction,
            "target": target,
            "baseline": Reading(value=baseline),
            "last": Reading(value=last, **more),
        }
    )


@pytest.mark.parametrize(
    ("direction", "target", "baseline", "last", "progress", "met"),
    [
        ("down", 0, 3, 3, 0.0, False),
        ("down", 0, 3, 1, 2 / 3, False),
        ("down", 0, 3, 0, 1.0, True),
        ("down", 60, 120, 150, 0.0, False),
        ("down", 60, 120, 40, 1.0, True),
        ("up", 10, 0, 4, 0.4, False),
        ("up", 10, 12, 12, 1.0, True),
        ("up", 0, -4, -1, 0.75, False),
        ("down", -5, 0, -2, 0.4, False),
        ("up", 5, None, 3, 0.0, False),
        ("up", 5, 1, None, 0.0, False),
    ],
)
def test_progress(
    direction: str, target: float, baseline: float | None, last: float | None, progress: float, met: bool
) -> None:
    kr = key_result(direction, target, baseline, last)
    assert kr.progress == pytest.approx(progress)
    assert kr.met is met


def test_baseline_equal_to_an_unmet_target_is_no_division_by_zero() -> None:
    kr = key_result("up", 5, 5, 4)
    assert kr.progress == 0.0


def test_met_only_with_own_protected_files_is_suspicious() -> None:
    kr = key_result("down", 0, 3, 3, own_value=0.0, changed=("tests/test_a.py",))
    assert kr.suspicious and not kr.met
    assert not key_result("down", 0, 3, 0, own_value=0.0).suspicious


def test_key_results_need_different_ids() -> None:
    kr = key_result("up", 1, 0, 0)
    with pytest.raises(ValidationError, match="different ids"):
        Okr(id="o", intent="i", objective="o", key_results=(kr, kr))


def test_a_measure_is_told_apart_by_its_kind() -> None:
    raw = {"id": "KR-1", "title": "t", "direction": "up", "target": 1, "measure": {"kind": "judge", "question": "?"}}
    assert KeyResult.model_validate(raw).measure.kind == "judge"
    with pytest.raises(ValidationError):
        KeyResult.model_validate({**raw, "measure": {"kind": "guess"}})
