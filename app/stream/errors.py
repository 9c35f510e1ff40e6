"""What can go wrong with a stream. Every message is a sentence for people."""


class Diverged(Exception):
    """The stream does not continue the way the caller believes. Retrying never helps.

    Either the run was reset (its question changed), or bytes it relies on are gone.
    """


class Damaged(Exception):
    """Bytes that were once whole do not parse any more: the disk lost or changed them."""


class Unwritable(OSError):
    """Nothing was written: the disk is full, read-only or failing. A later attempt may succeed."""


class Busy(Unwritable):
    """Another process holds the stream and does not let go. A later attempt may succeed."""
