"""Whoever watches a run also keeps the local stack alive: whatever of it dies is started again."""

import asyncio

from app.cli.output import note
from app.errors import UserError
from app.settings import Settings

_LOOK = 0.5
"""Seconds between two looks at the processes."""
_KEPT = {"temporal": "local Temporal server", "worker": "worker", "vault": "private Vault"}


async def keep_stack(settings: Settings) -> None:
    """Runs until it is cancelled. What somebody else started again stays; what does not start is tried once."""
    from app.cli.session import start
    from app.secrets import private
    from app.stack.state import State, load

    data = settings.data_dir
    hopeless: set[str] = set()

    def dead(state: State) -> list[str]:
        if state.worker is None:  # `ctl down` leaves no worker in the state
            return []
        services = {"temporal": state.temporal, "worker": state.worker, "vault": state.vault}
        if state.temporal is not None and state.worker.address != state.temporal.address:
            del services["temporal"]  # it is of another day: this worker works for a configured server
        if not private.wanted(data):
            del services["vault"]
        return [
            name
            for name, service in services.items()
            if service is not None and not service.alive and name not in hopeless
        ]

    while True:
        await asyncio.sleep(_LOOK)  # nothing tells when a process that is not our child ends
        if gone := dead(load(data)):
            note(f"the {' and the '.join(_KEPT[name] for name in gone)} {'is' if len(gone) == 1 else 'are'} gone")
            try:
                await asyncio.to_thread(start, settings, replace=False)
            except UserError as error:
                note(f"error: {error}")
            hopeless |= set(dead(load(data)))
