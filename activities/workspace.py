"""Worktrees, checkpoints and the finished branch.

| activity            | retry       | timeout | heartbeat |
|---------------------|-------------|---------|-----------|
| `workspace.prepare` | without end | 5 min   | 5 s       |
| `workspace.commit`  | without end | 5 min   | 5 s       |
| `workspace.finish`  | without end | 5 min   | 5 s       |

All three find their own work: a clone, a commit with its trailer, a ref.
"""

import asyncio

from temporalio import activity

from activities.host import Host, guarded, reached
from app import workspace
from app.domain.activities import COMMIT, FINISH, PREPARE, CommitInput, Committed, Finished, FinishInput, PrepareInput
from app.domain.tool import Workspace


class WorkspaceActivities:
    """Git, in the run's private repository; the user's repository only gets refs."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @activity.defn(name=PREPARE)
    async def prepare(self, order: PrepareInput) -> Workspace:
        """The run's worktree, made or found."""
        self.host.own(order.data_id)
        return await guarded(asyncio.to_thread(workspace.prepare, self.host.data, order, self.host.settings))

    @activity.defn(name=COMMIT)
    async def commit(self, order: CommitInput) -> Committed:
        """The commit of whatever the worktree holds."""
        self.host.own(order.workspace.data_id)
        committed = await guarded(asyncio.to_thread(workspace.commit, self.host.data, order))
        reached("done")
        return committed

    @activity.defn(name=FINISH)
    async def finish(self, order: FinishInput) -> Finished:
        """The branch in the user's repository."""
        self.host.own(order.workspace.data_id)
        return await guarded(asyncio.to_thread(workspace.finish, self.host.data, order))
