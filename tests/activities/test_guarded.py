"""What an activity's failure tells Temporal: whether another attempt can do better."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.host import guarded
from app.workspace.git import GitError


@pytest.mark.parametrize(
    ("stderr", "lasting"),
    [
        ("fatal: unable to write loose object file: No space left on device", False),
        ("fatal: unable to write new index file: Disk quota exceeded", False),
        ("fatal: not a git repository", True),
    ],
)
async def test_git_is_tried_again_where_only_space_is_wanting(tmp_path: Path, stderr: str, lasting: bool) -> None:
    async def work() -> None:
        raise GitError(("update-index",), tmp_path, 128, stderr)

    with pytest.raises(ApplicationError) as raised:
        await ActivityEnvironment().run(guarded, work())
    assert raised.value.non_retryable is lasting
    assert ("free some space" in str(raised.value)) is not lasting


@pytest.mark.parametrize(("free", "full"), [(0, True), (1 << 30, False)])
def test_a_file_that_git_cannot_write_may_mean_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, full: bool
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    assert GitError(("read-tree",), tmp_path, 128, "error: unable to write file a.py").full is full
    assert not GitError(("read-tree",), tmp_path, 128, "fatal: not a tree object").full
