"""The worker of the chaos tests: the real one, plus the interceptor that kills it. argv: plan folder."""

import sys
from pathlib import Path

from faults import KillAt

import worker

if __name__ == "__main__":
    worker.main(interceptors=[KillAt(Path(sys.argv[1]))])
