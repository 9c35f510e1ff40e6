"""What the scripted model says: an answer for a conversation, from the conversation alone.

No counter, no memory: the same messages always get the same answer, as often as they are sent, so
that a call made again after a crash changes nothing. It knows one repository, `examples/ledger`.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

NAME = "demo (scripted, no intelligence)"
TEST = "python3 -m unittest"
COST = "python3 -m ledger.cost"
_CUT_OFF = "was not started again"
"""What the result of a command says that a crash cut off: it is run once more."""


@dataclass(frozen=True)
class Call:
    """One tool call of an answer."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """An answer: words, and the calls it makes."""

    text: str = ""
    calls: tuple[Call, ...] = field(default=())


def reply(messages: list[dict[str, Any]], offered: set[str]) -> Reply:
    """The next answer to an OpenAI-style conversation in which the tools `offered` may be called."""
    task = next((_text(message) for message in messages if message["role"] == "user"), "")
    steps = sum(message["role"] == "assistant" for message in messages)
    repeated = sum(message["role"] == "tool" and _CUT_OFF in _text(message) for message in messages)
    if not _knows(messages, steps):
        return _stranger()
    script = _script(task, messages, offered)
    return script[min(max(0, steps - repeated), len(script) - 1)]


def _script(task: str, messages: list[dict[str, Any]], offered: set[str]) -> list[Reply]:
    if "propose_okr" in offered:
        return _drafting(task)
    if "give_score" in offered:
        return [
            _read("README.md"),
            Reply(calls=(Call("give_score", {"score": 0.8, "evidence": "README.md is short."}),)),
        ]
    told = [_text(message) for message in messages if message["role"] == "user"][1:]
    heard = f" You told me: {told[-1]}" if told else ""
    if "You are: builder" in task:
        return _faster(heard)
    if "You are: finisher" in task:
        return _exact(heard)
    return [*_faster("")[:-1], *_exact(heard)]


def _knows(messages: list[dict[str, Any]], steps: int) -> bool:
    """Whether this is the example: after the first look, what was seen must come from it."""
    seen = (_text(message) for message in messages if message["role"] == "tool")
    return steps == 0 or any(
        re.search(r"class Ledger|def _known|test_importer|Ran 5 tests|# ledger", text) for text in seen
    )


def _stranger() -> Reply:
    text = (
        f"I am {NAME}: I only know the example repository (`ctl demo`). "
        "Name a real model with `--model PROVIDER/NAME`, or a local one with `--model openai/NAME --base-url URL`."
    )
    return Reply(text)


def _drafting(task: str) -> list[Reply]:
    # Where an amendment names a number, that is the new target.
    numbers = re.findall(r"\d+(?:\.\d+)?", task.partition("What must change:")[2])
    target = float(numbers[0]) if numbers else 60.0
    cost = {
        "title": "The import of sixteen rows takes at most half of the comparisons",
        "measure": {"kind": "command", "argv": COST.split(), "protects": ["ledger/cost.py"]},
        "direction": "down",
        "target": target,
        "unit": "comparisons",
    }
    tests = {
        "title": "No test fails",
        "measure": {"kind": "test_count", "argv": TEST.split(), "counts": "failed"},
        "direction": "down",
        "target": 0,
        "unit": "failing",
    }
    proposal = {
        "objective": "The import is twice as fast and every amount is exact",
        "key_results": [cost, tests],
        "team": [
            {"name": "builder", "role": "Makes the import faster without changing what it does."},
            {"name": "finisher", "role": "Makes the tests pass and checks the whole."},
        ],
    }
    return [
        Reply("I look at the repository first.", (Call("list", {"path": "."}), Call("grep", {"pattern": "def "}))),
        Reply(calls=(Call("read", {"path": "ledger/importer.py"}), Call("read", {"path": "tests/test_importer.py"}))),
        Reply("Two things can be measured here.", (Call("propose_okr", proposal),)),
    ]


def _faster(heard: str) -> list[Reply]:
    known = [
        {
            "old": "        self.entries: list[tuple[str, str, float]] = []\n",
            "new": "        self.entries: list[tuple[str, str, float]] = []\n"
            "        self._references: set[str] = set()\n",
        },
        {
            "old": '            self.entries.append((row["reference"], row["text"], float(row["amount"])))\n',
            "new": '            self._references.add(row["reference"])\n'
            '            self.entries.append((row["reference"], row["text"], float(row["amount"])))\n',
        },
        {
            "old": "        for known, _, _ in self.entries:\n            if known == reference:\n"
            "                return True\n        return False\n",
            "new": "        return reference in self._references\n",
        },
    ]
    return [
        Reply("Where does the time go?", (Call("read", {"path": "ledger/importer.py"}),)),
        Reply("Every row is compared with every other: a set of references answers at once.",
              (Call("multiedit", {"path": "ledger/importer.py", "edits": known}),)),
        Reply(calls=(Call("bash", {"command": f"{COST}; {TEST} 2>&1 | tail -n 3"}),)),
        Reply("The import looks references up in a set now. Left: the tests about amounts still fail." + heard),
    ]  # fmt: skip


def _exact(heard: str) -> list[Reply]:
    patch = """*** Begin Patch
*** Update File: ledger/importer.py
@@
 from collections.abc import Iterable, Mapping
+from decimal import Decimal
@@
-        self.entries: list[tuple[str, str, float]] = []
+        self.entries: list[tuple[str, str, Decimal]] = []
@@
-            self.entries.append((row["reference"], row["text"], float(row["amount"])))
+            self.entries.append((row["reference"], row["text"], amount_of(row["amount"])))
@@
-    def total(self) -> float:
+    def total(self) -> Decimal:
         \"\"\"The sum of all amounts.\"\"\"
-        return sum(amount for _, _, amount in self.entries)
+        return sum((amount for _, _, amount in self.entries), Decimal())
*** End Patch"""
    amounts = '''"""Amounts as statements write them."""

from decimal import Decimal


def amount_of(text: str) -> Decimal:
    """The exact amount; a missing one is nothing."""
    return Decimal(text.replace(",", "") or "0")
'''
    imported = {
        "path": "ledger/importer.py",
        "old": "from decimal import Decimal\n\n\nclass",
        "new": "from decimal import Decimal\n\nfrom ledger.amounts import amount_of\n\n\nclass",
    }
    return [
        Reply("Which tests fail, and why?", (Call("bash", {"command": f"{TEST} 2>&1 | tail -n 40"}),)),
        Reply("Amounts are floats, and statements write thousands with commas.",
              (Call("write", {"path": "ledger/amounts.py", "content": amounts}),
               Call("apply_patch", {"patch": patch}),
               Call("edit", imported))),
        Reply(calls=(Call("bash", {"command": f"{TEST} 2>&1 | tail -n 3; {COST}"}),)),
        Reply("Amounts are exact decimals, read by `ledger/amounts.py`; all tests pass." + heard),
    ]  # fmt: skip


def _read(path: str) -> Reply:
    return Reply(calls=(Call("read", {"path": path}),))


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def as_message(answer: Reply, salt: str) -> dict[str, Any]:
    """The answer as an OpenAI assistant message; call ids differ between turns."""
    calls = [
        {
            "index": number,
            "id": f"call_{salt}_{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
        }
        for number, call in enumerate(answer.calls)
    ]
    return {"role": "assistant", "content": answer.text or None, **({"tool_calls": calls} if calls else {})}
