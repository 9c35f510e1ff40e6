"""Every misbehaviour in every dialect: what the server says, and the one outcome it must have.

A cell that is a text says why that dialect cannot express the misbehaviour. The columns are the dialects of
`dialects.py` and the token endpoints of Google and GitHub, which stand before a call of `vertex-glm` and
`github-copilot`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from dialects import sse
from spoken import ANTHROPIC, BEDROCK, OPENAI, Spoken, chunk, function, message_end, message_start, part

from app.llm import ErrorKind


@dataclass(frozen=True)
class Right:
    """The answer as if nothing had been odd: its text, the path of each `read` it asks for, and its tokens."""

    text: str = ""
    paths: tuple[str, ...] = ()
    usage: tuple[int, int] = (10, 5)


@dataclass(frozen=True)
class Failed:
    """One of these kinds; `wait`: the least and most seconds of the delay that was asked for."""

    kinds: tuple[ErrorKind, ...]
    wait: tuple[float, float] | None = None
    words: str = ""


@dataclass(frozen=True)
class Case:
    """`says` scripts the server: `Server` in `tests/wire/test_every_misbehaviour.py`."""

    says: Callable[[Any], None]
    outcome: Right | Failed


Cell = Case | str
Row = dict[str, Cell]
STREAMED = ("openai", "anthropic", "gemini", "bedrock")
TOKENS = ("google token", "github token")
SPOKEN: dict[str, Spoken] = {"openai": OPENAI, "anthropic": ANTHROPIC, "bedrock": BEDROCK}
PATH = '{"path":"a"}'
NO_CALLS = "it gives a token, and no tool calls"
NO_DELTAS = "it answers with one JSON document, not with deltas"
WHOLE = "a function call is one part, whole: nothing of it comes in pieces"


def _said(*frames: bytes, **more: Any) -> Callable[[Any], None]:
    return lambda server: server.says(*frames, **more)


def _spoken(say: Callable[[Spoken], list[bytes]], outcome: Right | Failed) -> Row:
    return {name: Case(_said(*say(spoken)), outcome) for name, spoken in SPOKEN.items()}


def _streamed(outcome: Failed, ends: bool = False, cut_off: int = 0, times: int = 1, **more: Any) -> Row:
    def says(server: Any) -> None:
        whole = b"".join(server.dialect.frames("half" * times, False, ends))
        server.says(whole[: len(whole) - cut_off], **more)

    return dict.fromkeys(STREAMED, Case(says, outcome))


def _tokens(body: bytes, outcome: Failed, **more: Any) -> Row:
    return dict.fromkeys(TOKENS, Case(_said(body, **more), outcome))


def _status(status: int, outcome: Failed, **headers: str) -> Row:
    def says(server: Any) -> None:
        # DATE: half an hour from now. HERE: this very server, so that a key that followed would be seen there.
        moment = format_datetime(datetime.now(UTC) + timedelta(minutes=30), usegmt=True)
        filled = {name: text.replace("DATE", moment).replace("HERE", server.wire.url) for name, text in headers.items()}
        server.fails(status, "said so", **filled)

    return dict.fromkeys((*STREAMED, *TOKENS), Case(says, outcome))


def _endless(server: Any) -> None:
    frames = server.dialect.frames("x" * 1000, False, False)
    server.says(*frames[:-1], frames[-1] * 80, hold=True)


def _error_inside(server: Any) -> None:
    server.says(*server.dialect.frames("half", False, False), server.dialect.in_stream())


TABLE: dict[str, Row] = {
    "a stall": {
        **_streamed(Failed(("timeout",)), hold=True),
        **_tokens(b'{"tok', Failed(("timeout",)), hold=True),
    },
    "a cut in the middle of JSON": {
        **_streamed(Failed(("connection", "protocol")), ends=True, cut_off=25, cut=True),
        **_tokens(b'{"tok', Failed(("connection",)), cut=True),
    },
    "429 with Retry-After in seconds": _status(429, Failed(("rate_limit",), (17, 17)), retry_after="17"),
    "429 with Retry-After as a date": _status(429, Failed(("rate_limit",), (1, 1800)), retry_after="DATE"),
    "529": _status(529, Failed(("server",), (3, 3)), retry_after="3"),
    "duplicate deltas that name a call": {
        **_spoken(
            lambda s: [s.begin, s.open(0, "c1"), s.open(0, "c1"), s.args(0, PATH), s.close(0), s.end(True)],
            Right(paths=("a",)),
        ),
        "gemini": WHOLE,
        **dict.fromkeys(TOKENS, NO_DELTAS),
    },
    "duplicate deltas of a call's arguments": {
        **_spoken(
            lambda s: [s.begin, s.open(0, "c1"), s.args(0, PATH), s.args(0, PATH), s.close(0), s.end(True)],
            Right(paths=("a",)),
        ),
        "gemini": WHOLE,
        **dict.fromkeys(TOKENS, NO_DELTAS),
    },
    "a whole call twice": {
        # Each at an index of its own, as far as there are indexes: only its id tells that it is the same.
        **_spoken(
            lambda s: [
                s.begin,
                *(s.open(n, "c1") + s.args(n, PATH) + s.close(n) for n in (0, 1)),
                s.end(True),
            ],
            Right(paths=("a",)),
        ),
        "gemini": Case(_said(part(function("a", id="c1")), part(function("a", id="c1"), "STOP")), Right(paths=("a",))),
        **dict.fromkeys(TOKENS, NO_CALLS),
    },
    "a whole call twice, without ids": {
        # A model may want the same twice, and nothing says that it does not: both are kept.
        **_spoken(
            lambda s: [
                s.begin,
                *(s.open(n, None) + s.args(n, PATH) + s.close(n) for n in (0, 1)),
                s.end(True),
            ],
            Right(paths=("a", "a")),
        ),
        "gemini": Case(_said(part(function("a")), part(function("a"), "STOP")), Right(paths=("a", "a"))),
        "bedrock": "a call without an id is no call in Amazon's model of its interface: see `null ids`",
        **dict.fromkeys(TOKENS, NO_CALLS),
    },
    "duplicate deltas of text": {
        # No dialect numbers its deltas, and a model may say "no no": text that comes twice was said twice.
        **_spoken(lambda s: [s.begin, s.say("no", "no"), s.end(False)], Right("nono")),
        "gemini": Case(_said(part({"text": "no"}), part({"text": "no"}, "STOP")), Right("nono")),
        **dict.fromkeys(TOKENS, NO_DELTAS),
    },
    "usage told again and again": {
        **_spoken(lambda s: [s.begin, s.usage, s.say("hi"), s.usage, s.end(False)], Right("hi")),
        "gemini": Case(_said(part({"text": "h"}), part({"text": "i"}, "STOP")), Right("hi")),
        **dict.fromkeys(TOKENS, "it tells no usage"),
    },
    "usage only in the last chunk": {
        **_spoken(lambda s: [s.begin, s.say("hi"), s.end(False)], Right("hi")),
        "anthropic": Case(
            _said(message_start(0), ANTHROPIC.say("hi"), message_end("end_turn", input_tokens=10)), Right("hi")
        ),
        "gemini": Case(_said(part({"text": "h"}, used=False), part({"text": "i"}, "STOP")), Right("hi")),
        **dict.fromkeys(TOKENS, "it tells no usage"),
    },
    "tool indexes out of order": {
        # Each call has its own arguments; they stand in the order in which they began.
        **_spoken(
            lambda s: [
                *(s.begin, s.open(1, "c2"), s.open(0, "c1"), s.args(1, '{"pa'), s.args(0, '{"path":')),
                *(s.args(1, 'th":"b"}'), s.args(0, '"a"}'), s.close(1), s.close(0), s.end(True)),
            ],
            Right(paths=("b", "a")),
        ),
        "gemini": "a function call is one part, whole, without an index",
        **dict.fromkeys(TOKENS, NO_CALLS),
    },
    "empty choices between others": {
        "openai": Case(
            _said(chunk(None), OPENAI.say("h"), chunk(None, choices=None), OPENAI.say("i"), OPENAI.end(False)),
            Right("hi"),
        ),
        "gemini": Case(
            _said(sse({"candidates": []}), part({"text": "h"}), sse({"candidates": None}), part({"text": "i"}, "STOP")),
            Right("hi"),
        ),
        **dict.fromkeys(("anthropic", "bedrock"), "it streams the blocks of one message; there is no list of choices"),
        **dict.fromkeys(TOKENS, "it offers no choices"),
    },
    "nothing but empty choices": {
        "openai": Case(_said(chunk(None), OPENAI.usage, b"data: [DONE]\n\n"), Failed(("protocol",))),
        "gemini": Case(_said(sse({"candidates": []})), Failed(("protocol",))),
        **dict.fromkeys(("anthropic", "bedrock"), "it streams the blocks of one message; there is no list of choices"),
        **_tokens(b"{}", Failed(("protocol",))),
    },
    "a message of nothing": {
        # Models that have nothing to add end so; what is sent back then must not hold an empty message.
        **_spoken(lambda s: [s.begin, s.end(False)], Right("")),
        "gemini": Case(_said(part({"text": ""}, "STOP")), Right("")),
        **_tokens(b"", Failed(("protocol",))),
    },
    "null ids": {
        **_spoken(
            lambda s: [
                s.begin,
                *(s.open(n, None) + s.args(n, f'{{"path":"{p}"}}') + s.close(n) for n, p in enumerate("ab")),
                s.end(True),
            ],
            Right(paths=("a", "b")),
        ),
        "gemini": Case(_said(part(function("a", id=None)), part(function("b"), "STOP")), Right(paths=("a", "b"))),
        # `toolUseId` is a required member in Amazon's model of its interface.
        "bedrock": Case(_said(BEDROCK.begin, BEDROCK.open(0, None), BEDROCK.end(True)), Failed(("protocol",))),
        **_tokens(b'{"token":null,"access_token":null,"expires_at":9e9,"expires_in":60}', Failed(("protocol",))),
    },
    "an error inside a 200 stream": {
        **dict.fromkeys(STREAMED, Case(_error_inside, Failed(("server",)))),
        **_tokens(b'{"error":{"message":"Overloaded"},"message":"Overloaded"}', Failed(("protocol",))),
    },
    "an endless answer": {
        **dict.fromkeys(STREAMED, Case(_endless, Failed(("endless",), words="does not end"))),
        **_tokens(b"x" * 100_000, Failed(("protocol",), words="does not end"), hold=True),
    },
    "a redirect to elsewhere": _status(
        307, Failed(("bad_request",), words="keys do not follow"), location="HERE/elsewhere"
    ),
}
