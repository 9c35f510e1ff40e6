"""A plugin for codetether: one JSON line in, one JSON line out."""

import json
import sys
from pathlib import Path


def count(path):
    text = Path(path).read_text(encoding="utf-8")
    return f"{len(text.splitlines())} lines, {len(text.split())} words, {len(text)} characters"


def answer(call):
    if call["tool"] != "count":
        return {"content": f"there is no tool `{call['tool']}`", "is_error": True}
    try:
        return {"content": count(call["arguments"]["path"]), "is_error": False}
    except (OSError, UnicodeDecodeError) as error:
        return {"content": str(error), "is_error": True}


print(json.dumps(answer(json.loads(sys.stdin.readline()))))
