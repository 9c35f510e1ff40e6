"""The scripted model as part of the local stack: started when a run asks for `demo/scripted`."""

import subprocess
import sys

from app.errors import UserError
from app.pids import start_time
from app.settings import Settings
from app.stack.identity import build_id
from app.stack.local import Say, stack_lock
from app.stack.logs import opened_log, tail, without_vault
from app.stack.state import Service, living, load, save, stop


def ensure_demo(settings: Settings, say: Say, *, pace: float = 0.01) -> str:
    """The base URL of the scripted model, started where it is not running. It keeps its port.

    `pace`: seconds between two words of a model that is started now.
    """
    data = settings.data_dir
    with stack_lock(data):
        service = living(data, "demo")
        if service is not None and service.build != build_id():
            stop(service, 5.0)
            service = None
        if service is None:
            say("starting the scripted model: demo (scripted, no intelligence)")
            before = load(data).demo
            port = int(before.address.rpartition(":")[2]) if before else 0
            service = _start(settings, port, pace) or _start(settings, 0, pace)
        if service is None:
            raise UserError(f"the scripted model did not start: {tail(data, 'demo')}", 4)
        return f"http://{service.address}/v1"


def _start(settings: Settings, port: int, pace: float) -> Service | None:
    data = settings.data_dir
    with opened_log(data, "demo") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "app.demo.server", "--port", str(port), "--pace", str(pace)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd=data,
            env=without_vault(),
            text=True,
        )
    assert process.stdout
    with process.stdout:
        said = process.stdout.readline().strip()
    if not said:
        process.wait()
        return None
    service = Service(pid=process.pid, started=start_time(process.pid), build=build_id(), address=f"127.0.0.1:{said}")
    save(data, "demo", service)
    return service
