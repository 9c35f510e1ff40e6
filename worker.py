"""Builds the workers from Settings and runs them: workflows, model turns, and this host's own queue.

`python -I -m worker` (or `ctl worker`) runs against any Temporal address, namespace, TLS or API key.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Interceptor, PollerBehaviorSimpleMaximum, Worker

from activities.agent import AgentActivities
from activities.compact import CompactActivities
from activities.hook import HookActivities
from activities.host import Host
from activities.job import JobActivities
from activities.measure import MeasureActivities
from activities.okr import OkrActivities
from activities.run import RunActivities
from activities.tool import ToolActivities
from activities.workspace import WorkspaceActivities
from app import bus, llm, secrets
from app.domain.contracts import QUEUE, host_queue, llm_queue
from app.errors import UserError
from app.runs.plugin import PLUGIN
from app.settings import Settings, load
from app.stack.connect import check_search_attributes, connect
from app.stack.identity import build_id, data_id
from app.stack.state import worker_gone, worker_ready
from app.telemetry import log
from workflows.agent import AgentWorkflow
from workflows.direct import DirectWorkflow
from workflows.go import GoWorkflow
from workflows.relay import RelayWorkflow

WORKFLOWS = [GoWorkflow, DirectWorkflow, RelayWorkflow, AgentWorkflow]
LLM_SLOTS = 500
"""Model calls wait, they do not work: with the default of 100 a tool waited seconds behind them."""
HOST_SLOTS = 300
"""Jobs in the background wait, too: with the default of 100, those of twenty agents would hold up every tool."""
DRAIN = timedelta(seconds=30)
BEAT = timedelta(seconds=2)


def workers(client: Client, host: Host, *, interceptors: Sequence[Interceptor] = ()) -> list[Worker]:
    """The three workers of a host; the chaos tests add an interceptor, nothing else does."""
    agent = AgentActivities(host)
    okr, run, measure = OkrActivities(host), RunActivities(host), MeasureActivities(host)
    spaces, tool, hook = WorkspaceActivities(host), ToolActivities(host), HookActivities(host)
    shared = {
        "interceptors": interceptors,
        "identity": f"{os.getpid()}+{build_id()[:8]}",  # it stands in every event: keep it short
        "build_id": build_id()[:8],
        "graceful_shutdown_timeout": DRAIN,
        "max_heartbeat_throttle_interval": BEAT,
        "default_heartbeat_throttle_interval": BEAT,
    }
    return [
        Worker(
            client,
            task_queue=QUEUE,
            workflows=WORKFLOWS,
            # A killed worker's sticky queue is given up soon, so that another one goes on.
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
            **shared,
        ),
        Worker(
            client,
            task_queue=llm_queue(host.data_id),
            activities=[agent.turn, CompactActivities(host).compact],
            max_concurrent_activities=LLM_SLOTS,
            **shared,
        ),
        Worker(
            client,
            task_queue=host_queue(host.data_id),
            activities=[
                agent.close,
                agent.usage,
                agent.fork,
                okr.draft,
                run.record,
                measure.measure,
                measure.judged,
                spaces.prepare,
                spaces.commit,
                spaces.finish,
                hook.run,
                JobActivities(host).run,
                tool.tool,
            ],
            max_concurrent_activities=HOST_SLOTS,
            activity_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=1),
            **shared,
        ),
    ]


async def run(settings: Settings, *, interceptors: Sequence[Interceptor] = ()) -> None:
    """Runs until SIGTERM or SIGINT, then drains. Raises `UserError` when Temporal cannot be used."""
    client = await connect(settings, plugins=[PLUGIN])
    await check_search_attributes(client)
    host = Host(settings=settings, data_id=data_id(settings.data_dir))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bus.serve(settings.data_dir))
        started = workers(client, host, interceptors=interceptors)
        for worker in started:
            await stack.enter_async_context(worker)
        worker_ready(settings.data_dir)
        warming = asyncio.create_task(llm.preload())
        renewing = asyncio.create_task(_renewing())
        await stop.wait()
        warming.cancel()
        renewing.cancel()
        worker_gone(settings.data_dir, os.getpid())
        await asyncio.gather(*(worker.shutdown() for worker in started))  # all stop polling at once, then drain


async def _renewing() -> None:
    """Keeps our Vault token alive, also while nobody asks for a key."""
    while True:
        await asyncio.sleep(await asyncio.to_thread(secrets.renew))


def main(*, interceptors: Sequence[Interceptor] = ()) -> None:
    """The process: exit code 0 after a drain, the error's own code when it cannot start."""
    code = 0
    try:
        settings = load()
        log.configure(settings.data_dir)
        asyncio.run(run(settings, interceptors=interceptors))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        code = error.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the Temporal client can abort in the interpreter's own shutdown


if __name__ == "__main__":
    main()
