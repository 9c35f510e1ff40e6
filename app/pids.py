"""Who a process id belongs to: a number alone is soon somebody else's."""

import subprocess
from pathlib import Path


def start_time(pid: int) -> str:
    """When the process started, as the system writes it; empty when there is none (or only its zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self").exists() else _start_time_by_ps(pid)
    return "" if fields[0] == "Z" else fields[19]


def boot_id() -> str:
    """What differs after a restart of the machine; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _start_time_by_ps(pid: int) -> str:
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()
