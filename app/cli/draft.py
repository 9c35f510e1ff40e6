"""What a person approves: the OKR as a table with baselines, how it is measured, price and budget."""

import shlex
from typing import TYPE_CHECKING

from app.cli.output import console, plain
from app.domain.figures import figure, target
from app.domain.okr import Command, Judge, KeyResult, TestCount
from app.domain.run import RunView

if TYPE_CHECKING:
    from rich.table import Table


def show_draft(view: RunView) -> None:
    """Prints the drafted OKR."""
    from app.llm import price_line

    okr = view.okr
    assert okr is not None
    out = console()
    out.print()
    out.print(f"[bold]Objective[/bold]  {escaped(okr.objective)}")
    out.print(key_results(okr.key_results, measured=True))
    if okr.team:
        out.print("team    " + ", ".join(f"[bold]{m.name}[/bold] ({escaped(m.role)})" for m in okr.team))
    out.print(f"model   {escaped(view.model.id)}: {_honest(view)}{price_line(view.model)}")
    for model in view.fallback:
        out.print(f"then    {escaped(model.id)}: {price_line(model)}")
    out.print(f"budget  {budget_line(view)}")
    out.print(f"mode    {view.mode_now}")
    for kr in okr.key_results:
        if kr.baseline and kr.baseline.problem:
            out.print(f"[yellow]{kr.id}[/yellow] {escaped(kr.baseline.problem)}")
        elif kr.met:
            out.print(f"[yellow]{kr.id}[/yellow] is met already")
    out.print()


def key_results(found: tuple[KeyResult, ...], *, measured: bool = False) -> "Table":
    """The key results with baseline, value now, target and progress."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "key result", "baseline", "now", "target", "how it is measured" if measured else "progress"):
        table.add_column(name, justify="right" if name in ("baseline", "now", "target") else "left", overflow="fold")
    for kr in found:
        sign = "≥" if kr.direction == "up" else "≤"
        wanted = target(sign, kr.target, escaped(kr.unit))
        last = _how(kr) if measured else bar(kr)
        table.add_row(kr.id, escaped(kr.title), number(kr.baseline), number(kr.last or kr.baseline), wanted, last)
    return table


def bar(kr: KeyResult, width: int = 12) -> str:
    """Progress as a bar; a tick when it is met."""
    done = round(kr.progress * width)
    colour = "green" if kr.met else "yellow" if kr.progress else "dim"
    tick = " [green]met[/green]" if kr.met else " [yellow]look![/yellow]" if kr.suspicious else ""
    return f"[{colour}]{'█' * done}{'░' * (width - done)}[/{colour}] {kr.progress:4.0%}{tick}"


def number(reading: object) -> str:
    """A reading's value with its spread."""
    value = getattr(reading, "value", None)
    if value is None:
        return "—"
    spread = getattr(reading, "spread", 0.0)
    return figure(value) + (f" ± {spread:.2g}" if spread else "")


def budget_line(view: RunView) -> str:
    """The limits of a run in words."""
    budget = view.budget
    parts = [
        "" if budget.usd is None else f"${budget.usd:g}",
        "" if budget.tokens is None else f"{budget.tokens:,} tokens",
        f"{view.max_turns} turns",
        "" if budget.seconds is None else f"{budget.seconds / 3600:g} h of work",
    ]
    return ", ".join(part for part in parts if part)


def escaped(text: str) -> str:
    """Model text for rich: no control sequences, no markup."""
    from rich.markup import escape

    return escape(plain(text))


def _how(kr: KeyResult) -> str:
    match kr.measure:
        case Command(argv=argv, read=read, repeat=repeat):
            how = {"exit": "exit status", "last_number": "last number", "regex": "pattern"}[read]
            words = f"{escaped(shlex.join(argv))} [dim]({how}{f', median of {repeat}' if repeat > 1 else ''})[/dim]"
        case TestCount(argv=argv, counts=counts):
            words = f"{escaped(shlex.join(argv))} [dim]({counts} tests)[/dim]"
        case Judge(question=question):
            return f"[yellow]a model's judgement:[/yellow] {escaped(question)}"
    protects = kr.measure.protects
    return words + (f"\n[dim]protects {escaped(', '.join(protects))}[/dim]" if protects else "")


def _honest(view: RunView) -> str:
    return "demo (scripted, no intelligence), " if view.model.provider == "demo" else ""
