"""What a command or a file says never steers the terminal of whoever looks at it."""

from app.cli.output import coloured, plain

HOSTILE = "a\x1b]0;title\x07b\x1b[2Jc\rd\x9b31me"


def test_control_sequences_are_shown_not_obeyed() -> None:
    assert plain(HOSTILE) == "a·]0;title·b·[2Jc·d·31me"


def test_a_coloured_diff_keeps_its_colours_alone() -> None:
    assert coloured(f"\x1b[32m+{HOSTILE}\x1b[m\n") == f"\x1b[32m+{plain(HOSTILE)}\x1b[m\n"
