"""`python -m app.llm.providers.llama_server GGUF`: serves it on a free loopback port until stdin ends."""

import os
import sys
from typing import Any

CONTEXT = 8192
"""Tokens; a model that knows fewer is asked for what it knows."""


def main(file: str) -> None:
    """Prints `ready URL`, then waits for the end of stdin: the parent's death closes it, too."""
    import xllamacpp as module

    xllamacpp: Any = module  # compiled, without types

    params = xllamacpp.CommonParams()
    params.model.path = file
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.use_jinja = True
    params.warmup = False
    params.cpuparams.n_threads = max(1, (os.cpu_count() or 2) - 1)
    server = xllamacpp.Server(params)
    print(f"ready {server.listening_address}/v1", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
