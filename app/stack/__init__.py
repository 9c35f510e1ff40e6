"""The embedded local stack: a Temporal server and a worker, detached, that outlive every command."""
