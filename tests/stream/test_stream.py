"""Whole batches or nothing: crashes at every byte, races, frozen attempts, resets."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.session import EventRange, Ids, NewRecord
from app.stream import Damaged, Diverged, Stream, digest, fork
from app.stream.tail import scan

IDS = Ids(session_id="s")


def records(*texts: str) -> list[NewRecord]:
    return [NewRecord(kind="user", body={"text": text}) for text in texts]


def append(stream: Stream, expected: int, step: str, *texts: str) -> EventRange:
    return stream.append(expected=expected, step_id=step, digest=digest(*texts), records=records(*texts), ids=IDS)


def texts(stream: Stream, end: int) -> list[str]:
    return [record.body["text"] for record in stream.history(end)]


def copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.is_file():
            (target / file.name).write_bytes(file.read_bytes())


def test_batches_are_read_by_range(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "s")
    first = append(stream, 0, "a", "one", "two")
    second = append(stream, first.end, "b", "three")
    assert [record.body["text"] for record in stream.read(second)] == ["three"]
    assert texts(stream, second.end) == ["one", "two", "three"]
    assert stream.read(second)[0].ids == IDS and stream.read(second)[0].step_id == "b"


def test_what_was_just_appended_is_known_as_the_disk_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(tmp_path, "s")
    first = append(stream, 0, "a", "one")
    assert texts(stream, first.end) == ["one"]
    told = [NewRecord(kind="user", body={"text": "two", "pair": (1, 2)})]
    second = stream.append(expected=first.end, step_id="b", digest="d", records=told, ids=IDS)
    on_disk = stream.read(second)
    monkeypatch.setattr("app.stream.stream.read_bytes", lambda *_: pytest.fail("it was read again"))
    assert stream.history(second.end)[1:] == on_disk and on_disk[0].body["pair"] == [1, 2]


def test_the_same_step_and_question_is_found_not_repeated(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "s")
    first = append(stream, 0, "a", "one")
    again = Stream(tmp_path, "s")
    assert append(again, 0, "a", "one") == first
    assert again.find(start=0, step_id="a", digest=digest("one")) == first
    assert again.find(start=first.end, step_id="b", digest=digest("x")) is None


def test_a_reset_run_and_a_restarted_counter_diverge(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "s")
    first = append(stream, 0, "a", "one")
    with pytest.raises(Diverged, match="reset"):
        append(stream, 0, "a", "another question")
    with pytest.raises(Diverged, match="reset"):
        append(stream, 0, "b", "one")  # the counter restarted: another step at a taken offset
    with pytest.raises(Diverged, match="ends at byte"):
        append(stream, first.end + 1, "c", "beyond the end")
    assert texts(stream, first.end) == ["one"]


@pytest.mark.parametrize("index_too", [True, False])
def test_a_crash_at_every_byte_of_a_batch_leaves_the_batches_before_it(tmp_path: Path, index_too: bool) -> None:
    whole = Stream(tmp_path / "whole", "s")
    first = append(whole, 0, "a", "one", "tw\u2028o")
    second = append(whole, first.end, "b", "three", "vi\u00e8r")
    for cut in range(first.end, second.end):
        data = tmp_path / str(cut)
        crashed = Stream(data, "s")
        copy(whole.folder, crashed.folder)
        os.truncate(crashed.folder / f"{0:020d}.jsonl", cut)
        if not index_too:
            (crashed.folder / "index").unlink()
        assert crashed.end() == first.end
        assert texts(crashed, first.end) == ["one", "tw\u2028o"]
        assert crashed.find(start=first.end, step_id="b", digest=digest("three", "vi\u00e8r")) is None
        redone = append(crashed, first.end, "b", "three", "vi\u00e8r")
        assert texts(crashed, redone.end) == ["one", "tw\u2028o", "three", "vi\u00e8r"]
        assert [(e.start, e.end) for e in scan(crashed.folder)] == [(0, first.end), (first.end, redone.end)]


@settings(max_examples=40, deadline=None)
@given(
    batches=st.lists(st.lists(st.text(max_size=60), min_size=1, max_size=4), min_size=1, max_size=6),
    size=st.integers(1, 2000),
)
def test_any_batches_come_back_over_any_rotation(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[str]], size: int
) -> None:
    data = tmp_path_factory.mktemp("data")
    stream = Stream(data, "s", segment_bytes=size)
    end = 0
    ranges: list[EventRange] = []
    for number, batch in enumerate(batches):
        ranges.append(append(stream, end, str(number), *batch))
        end = ranges[-1].end
    fresh = Stream(data, "s", segment_bytes=size)
    assert texts(fresh, end) == [text for batch in batches for text in batch]
    for span, batch in zip(ranges, batches, strict=True):
        assert [record.body["text"] for record in fresh.read(span)] == batch


RACER = """
import sys
from pathlib import Path
from app.domain.session import Ids, NewRecord
from app.stream import Diverged, Stream, digest
name = sys.argv[2]
stream = Stream(Path(sys.argv[1]), "s")
print("ready", flush=True)
sys.stdin.readline()
try:
    stream.append(expected=0, step_id="t0", digest=digest(sys.argv[3]), ids=Ids(),
                  records=[NewRecord(kind="user", body={"text": name * 5000})])
    print("recorded")
except Diverged:
    print("diverged")
"""


def racer(data: Path, name: str, question: str) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", RACER, str(data), name, question]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def heard(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.mark.parametrize(
    ("questions", "expected"), [(("q", "q"), ["recorded", "recorded"]), (("q", "r"), ["diverged", "recorded"])]
)
def test_two_processes_race_for_one_offset(tmp_path: Path, questions: tuple[str, str], expected: list[str]) -> None:
    racers = [racer(tmp_path, name, question) for name, question in zip("xy", questions, strict=True)]
    try:
        assert [heard(process) for process in racers] == ["ready", "ready"]
        for process in racers:
            say(process)
        assert sorted(heard(process) for process in racers) == expected
    finally:
        for process in racers:
            process.kill()
            process.communicate()
    stream = Stream(tmp_path, "s")
    (text,) = texts(stream, stream.end())
    assert text in ("x" * 5000, "y" * 5000)


FROZEN = """
import sys
from pathlib import Path
from app.domain.session import Ids, NewRecord
from app.stream import Stream, digest
stream = Stream(Path(sys.argv[1]), "s")
answer = [NewRecord(kind="user", body={"text": "the first attempt's answer"})]
print("answered", flush=True)   # between answer and append it is frozen
sys.stdin.readline()
span = stream.append(expected=int(sys.argv[2]), step_id="t1", digest=digest("q"), records=answer, ids=Ids())
print(stream.read(span)[0].body["text"])
"""


def test_a_frozen_first_attempt_wakes_after_its_retry_and_finds_its_answer(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "s")
    start = append(stream, 0, "t0", "task").end
    argv = [sys.executable, "-c", FROZEN, str(tmp_path), str(start)]
    frozen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert heard(frozen) == "answered"
        os.kill(frozen.pid, signal.SIGSTOP)
        retried = stream.append(expected=start, step_id="t1", digest=digest("q"), records=records("the retry"), ids=IDS)
        after = append(stream, retried.end, "t2", "acknowledged later")
        os.kill(frozen.pid, signal.SIGCONT)
        say(frozen)
        assert heard(frozen) == "the retry"
    finally:
        frozen.kill()
        frozen.communicate()
    assert texts(stream, after.end) == ["task", "the retry", "acknowledged later"]


def test_a_lost_tail_is_said_not_papered_over(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "s")
    first = append(stream, 0, "a", "one")
    second = append(stream, first.end, "b", "two")
    os.truncate(stream.folder / f"{0:020d}.jsonl", first.end + 10)
    with pytest.raises(Diverged, match="its disk lost the rest"):
        append(Stream(tmp_path, "s"), second.end, "c", "three")


def test_a_stream_that_is_not_there_has_no_batches_and_is_said_to_be_lost(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "s")
    assert (stream.end(), stream.batches()) == (0, [])
    with pytest.raises(Damaged, match="holds no bytes 0 to 9"):
        stream.history(9)
    with pytest.raises(Damaged, match="holds no bytes 0 to 9"):
        stream.read(EventRange(session_id="s", end=9))


def test_a_fork_goes_on_by_reference_and_leaves_its_parent_alone(tmp_path: Path) -> None:
    parent = Stream(tmp_path, "p")
    first = append(parent, 0, "a", "one")
    append(parent, first.end, "b", "two")
    span = fork(tmp_path, first, "child", IDS)
    assert fork(tmp_path, first, "child", IDS) == span
    child = Stream(tmp_path, "child")
    end = append(child, span.end, "c", "another two").end
    assert texts(child, end) == ["one", "another two"]
    grandchild = fork(tmp_path, EventRange(session_id="child", end=end), "grandchild", IDS)
    assert texts(Stream(tmp_path, "grandchild"), grandchild.end) == ["one", "another two"]


@pytest.mark.parametrize("name", ["../../escape", "a/b", ".hidden", "x" * 500, "ü", "run:id:t0-s1-bash"])
def test_no_id_escapes_its_folder(tmp_path: Path, name: str) -> None:
    stream = Stream(tmp_path, name)
    append(stream, 0, "a", "one")
    assert stream.folder.parent == tmp_path / "streams"
    assert [entry.name for entry in tmp_path.iterdir()] == ["streams"]


def test_every_line_says_where_it_lies_and_who_wrote_it(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "s")
    append(stream, 0, "step", "one", "two")
    lines = (stream.folder / f"{0:020d}.jsonl").read_bytes().splitlines(keepends=True)
    first, second = (json.loads(line) for line in lines)
    assert second["offset"] == len(lines[0])
    assert (
        first["batch"] == second["batch"] == {"start": 0, "count": 2, "step_id": "step", "digest": digest("one", "two")}
    )
    assert set(first["ids"]) == {"okr_id", "okr_run_id", "relay_id", "session_id"}
