"""What is no intent: nothing, too much, or earlier output pasted back."""

import re

from app.errors import UserError

LIMIT = 4000
"""Characters. Longer things belong in a file of the repository that the intent names."""
_PASTED = re.compile(
    r"^\s*(?:[#>*_`-]+\s*)*(progress|incomplete stories|next steps)\s*[*_`]*\s*:", re.IGNORECASE | re.MULTILINE
)


def intent(text: str, command: str = "go") -> str:
    """`text` without the space around it. Raises `UserError` with what to write instead."""
    words = text.strip()
    if not words:
        raise UserError(f'the intent is empty; say what is to be better: `ctl {command} "make the import 2x faster"`')
    if len(words) > LIMIT:
        raise UserError(
            f"`ctl {command}` takes {LIMIT} characters at most, not {len(words)}; write one outcome in a sentence "
            "or two and name a file of the repository for the details"
        )
    if found := _PASTED.search(words):
        raise UserError(
            f"the intent holds a `{found[1]}:` block, which is output of an earlier run; write the outcome that you "
            'want now in your own words, such as "all stories of the import are done"'
        )
    if strange := next((sign for sign in words if _unwritable(sign)), ""):
        raise UserError(f"the intent holds the control character `{ascii(strange)[1:-1]}`; write it as plain text")
    return words


def _unwritable(sign: str) -> bool:
    """A control character, or a byte of an argument that was no UTF-8."""
    return (ord(sign) < 32 and sign not in "\n\t\r") or "\ud800" <= sign <= "\udfff"
