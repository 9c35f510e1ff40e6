"""The log of a worker tells what failed, never what was in its hands."""

import json
import subprocess
import sys
from pathlib import Path

_FAILS = """
import logging, sys
from pathlib import Path
from app.telemetry.log import configure

configure(Path(sys.argv[1]))

def asking(key):
    headers = {"authorization": "Bearer " + key}
    raise RuntimeError("the server failed")

try:
    asking("sk-" + "canary")
except RuntimeError:
    logging.getLogger("temporalio.activity").exception("Completing activity as failed")
"""


def test_a_failure_is_logged_without_what_its_variables_hold(tmp_path: Path) -> None:
    words = [sys.executable, "-c", _FAILS, str(tmp_path)]
    said = subprocess.run(words, check=True, capture_output=True, text=True, cwd=Path.cwd()).stderr
    (failure,) = (line for line in map(json.loads, said.splitlines()) if line["level"] == "error")
    frames = failure["exception"][0]["frames"]
    assert failure["exception"][0]["exc_value"] == "the server failed" and frames[-1]["name"] == "asking"
    assert "canary" not in said
