"""What a command or a file says never steers the terminal of whoever looks at it."""

import io
import shlex

import pytest
from rich.console import Console

from app.cli.draft import key_results
from app.cli.output import coloured, plain
from app.domain.okr import Command, KeyResult, TestCount

HOSTILE = "a\x1b]0;title\x07b\x1b[2Jc\rd\x9b31me"


def test_control_sequences_are_shown_not_obeyed() -> None:
    assert plain(HOSTILE) == "a·]0;title·b·[2Jc·d·31me"


def test_a_coloured_diff_keeps_its_colours_alone() -> None:
    assert coloured(f"\x1b[32m+{HOSTILE}\x1b[m\n") == f"\x1b[32m+{plain(HOSTILE)}\x1b[m\n"


@pytest.mark.parametrize("kind", [Command, TestCount])
def test_a_measure_is_approved_as_it_will_run(kind: type[Command] | type[TestCount]) -> None:
    argv = ("sh", "-c", "grep -c '[a-z]' todo.txt [/red] [bold]\x1b[2J")
    kr = KeyResult(id="KR-1", title="Less", measure=kind(argv=argv), direction="down", target=0)
    shown = io.StringIO()
    Console(file=shown, width=200).print(key_results((kr,), measured=True))
    assert plain(shlex.join(argv)) in shown.getvalue()
    assert "\x1b" not in shown.getvalue()
