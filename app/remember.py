"""Work on a JSON object done once for as long as the very same object is used again.

Records of a stream and the schemas of tools are read once and shared: they are never changed.
"""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


def by_identity(
    limit: int, *, unless: Callable[..., bool] = lambda *_: False
) -> Callable[[Callable[[*Given], Result]], Callable[[*Given], Result]]:
    """A decorator that remembers `limit` results by which objects it was, not by what they hold; from any thread.

    `unless` says of what neither the result nor the objects are held.
    """

    def decorated(work: Callable[[*Given], Result]) -> Callable[[*Given], Result]:
        known: dict[tuple[int, ...], tuple[tuple[*Given], Result]] = {}  # objects are held: their ids stay theirs

        def remembered(*given: *Given) -> Result:
            key = tuple(map(id, given))
            if (found := known.get(key)) is not None:
                return found[1]
            result = work(*given)
            if unless(*given):
                return result
            if len(known) >= limit:
                known.clear()
            known[key] = (given, result)
            return result

        return remembered

    return decorated
