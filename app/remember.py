"""Work on a JSON object done once for as long as the very same object is used again.

Records of a stream and the schemas of tools are read once and shared: they are never changed.
"""

from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


def by_identity(limit: int) -> Callable[[Callable[[dict[str, Any]], Result]], Callable[[dict[str, Any]], Result]]:
    """A decorator that remembers `limit` results by which object it was, not by what it holds; from any thread."""

    def decorated(work: Callable[[dict[str, Any]], Result]) -> Callable[[dict[str, Any]], Result]:
        known: dict[int, tuple[dict[str, Any], Result]] = {}  # the object is held: its id is not given to another

        def remembered(body: dict[str, Any]) -> Result:
            if (found := known.get(id(body))) is not None:
                return found[1]
            result = work(body)
            if len(known) >= limit:
                known.clear()
            known[id(body)] = (body, result)
            return result

        return remembered

    return decorated
