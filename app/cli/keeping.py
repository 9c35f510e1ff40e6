"""Whoever watches a run also keeps the local stack alive: a dead worker, a dead private Vault are started again."""

import asyncio

from app.cli.output import note
from app.settings import Settings

_LOOK = 0.5
"""Seconds between two looks at the processes."""


async def keep_stack(settings: Settings) -> None:
    """Runs until it is cancelled. A worker that somebody started stays; a Vault that does not start is tried once."""
    from app.cli.session import start
    from app.secrets import private
    from app.stack.state import living, load

    data, hopeless = settings.data_dir, False
    while True:
        await asyncio.sleep(_LOOK)  # nothing tells when a process that is not our child ends
        state = load(data)
        worker = state.worker is not None and not state.worker.alive
        vault = state.worker is not None and state.vault is not None and not state.vault.alive
        vault = vault and private.wanted(data) and not hopeless  # `ctl down` leaves no worker in the state
        if worker or vault:
            note(f"the {'worker' if worker else 'private Vault'} is gone")
            await asyncio.to_thread(start, settings, replace=False)
            hopeless = vault and living(data, "vault") is None
