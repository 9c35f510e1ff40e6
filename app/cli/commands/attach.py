"""`ctl watch`: attach to a run, from its beginning."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import JsonFlag, RunArgument

watch_app = typer.Typer(add_completion=False)


@watch_app.command()
def watch(
    run: RunArgument = None,
    json: JsonFlag = False,
    output_format: Annotated[str, typer.Option("--output-format", help="text | json | stream-json")] = "text",
    out: Annotated[Path | None, typer.Option("--out", help="Write the result there at the end.")] = None,
) -> None:
    """Watch a run, from its beginning; decide where it waits."""
    from app.cli.carrying import follow_to_end
    from app.cli.session import connected, meant, start
    from app.settings import load

    settings = load()
    view = meant(settings, run)
    start(settings)

    async def following() -> int:
        async with connected(settings) as client:
            return await follow_to_end(settings, client, view.run, "json" if json else output_format, out=out)

    raise typer.Exit(asyncio.run(following()))
