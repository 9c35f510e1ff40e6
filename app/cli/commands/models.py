"""`ctl models`: what can be named with `--model`, with prices and abilities."""

from typing import Annotated

import typer

from app.cli.commands.common import print_table
from app.cli.output import JsonFlag, note, print_json

models_app = typer.Typer(add_completion=False)


@models_app.command()
def models(
    provider: Annotated[str, typer.Option("--provider", help="Of this provider only.")] = "",
    json: JsonFlag = False,
) -> None:
    """List each provider's first model: context, dollars per million tokens, what it can do. Any other name works."""
    from app.llm.catalog import ABILITIES
    from app.llm.catalog import models as offered

    rows = offered(provider)
    if json:
        print_json([row.model_dump() for row in rows])
        return
    table = [
        [
            row.model,
            "unknown" if row.context is None else f"{row.context // 1000}K",
            _price(row.input_usd),
            _price(row.output_usd),
            "unknown" if row.tools is None else " ".join(name for name in ABILITIES if getattr(row, name)),
            row.extra,
        ]
        for row in rows
    ]
    if not rows:
        note(
            f"`{provider}` has no first model: name one that it serves, `{provider}/NAME`; `--base-url` says where else"
        )
        return
    print_table(["model", "context", "$ in", "$ out", "can", "extra"], table)
    for row in rows:
        if row.note:
            note(f"{row.model}: {row.note}")


def _price(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
