"""What a person sees of a run while it works: a line for what happened, a footer for what happens."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from app.cli.draft import bar, escaped, key_results, number
from app.cli.output import console, one_line, plain
from app.domain.event import Delta, RunEvent
from app.domain.figures import counted, target
from app.domain.okr import KeyResult
from app.domain.run import RunView
from app.runs.watch import Update

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

_TAIL = 600
"""Characters of the model's running words that the footer shows."""


class Screen:
    """Lines on stdout; on a terminal also a live footer, which `paused` takes away for a question."""

    def __init__(self) -> None:
        self.out = console()
        self.view: RunView | None = None
        self.words = ""
        self.doing = ""
        self.trouble = ""
        self.began = time.monotonic()
        self.live: Live | None = None

    def __enter__(self) -> "Screen":
        if self.out.is_terminal:
            from rich.live import Live

            self.live = Live(get_renderable=self._footer, console=self.out, transient=True, refresh_per_second=8)
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()

    def pause(self) -> None:
        """Takes the footer away."""
        if self.live is not None:
            self.live.stop()

    def go_on(self) -> None:
        """Shows the footer again."""
        if self.live is not None:
            self.live.start(refresh=True)

    def on(self, update: Update) -> None:
        """Shows one thing that happened."""
        if update.view is not None:
            self.view = update.view
        if update.event is not None and update.view is not None:
            self._event(update.event, update.view)
        if (trouble := update.trouble) is not None:
            reason = escaped(one_line(trouble.reason, 300))
            self.out.print(f"  [yellow]trying {trouble.step} again[/yellow] (attempt {trouble.attempt}): {reason}")
        if update.delta is not None and self.view is not None:
            self._delta(update.delta)

    def _event(self, event: RunEvent, view: RunView) -> None:
        body = event.body
        self.words = ""
        match event.kind:
            case "started":
                self._started(view)
            case "baseline":
                self.doing = ""
            case "asked" if body.get("kind") == "question":
                self.out.print(f"[yellow]it asks[/yellow] {escaped(one_line(body['title'], 400))}")
            case "decision":
                who = f" by {escaped(str(body.get('by')))}" if body.get("by") else ""
                words = f": {escaped(one_line(body['text']))}" if body.get("text") else ""
                self.out.print(f"[bold]{_past(body['verdict'])}[/bold]{who}{words}")
            case "turn_started":
                self.out.print(f"[bold cyan]turn {body['turn']}[/bold cyan] [bold]{escaped(body['agent'])}[/bold]")
            case "turn_ended":
                self._turn_ended(body)
            case "reading":
                for kr in view.okr.key_results if view.okr else ():
                    self.out.print(f"  {_reading(kr)}")
            case "told":
                self.out.print(f"[magenta]you[/magenta] {escaped(one_line(body['text'], 400))}")
            case "paused":
                self.out.print("[yellow]paused[/yellow]; go on with: ctl continue")
            case "mode":
                self.out.print(f"[magenta]mode[/magenta] {view.mode_now}")
            case "resumed":
                self.out.print("going on")
            case "warned":
                self.out.print(f"[yellow]note[/yellow] {escaped(body['text'])}")
            case _:
                pass

    def _started(self, view: RunView) -> None:
        demo = " · demo (scripted, no intelligence)" if view.model.provider == "demo" else ""
        chain = escaped("".join(f", then {model.id}" for model in view.fallback))
        self.out.print(f"[bold]{view.run}[/bold] · {escaped(view.model.id)}{demo}{chain}")
        if view.status == "drafting":
            self.out.print("[dim]looking at the repository and drafting an OKR[/dim]")
        for warning in view.warnings:
            self.out.print(f"[yellow]note[/yellow] {escaped(warning)}")

    def _turn_ended(self, body: dict[str, Any]) -> None:
        text = escaped(one_line(str(body.get("text", "")), 400))
        status = (
            ""
            if body.get("status") == "done"
            else f"[yellow]({escaped(str(body.get('status')))}: {escaped(str(body.get('reason')))})[/yellow]"
        )
        if body.get("turn") or status:
            self.out.print("  " + " ".join(filter(None, (text, status))))

    def _delta(self, delta: Delta) -> None:
        match delta.kind:
            case "text":
                self.words = (self.words + delta.text)[-_TAIL:]
            case "model_started":
                self.words, self.doing = "", "thinking"
            case "tool_started":
                self.words, self.doing = "", f"{delta.tool}: {one_line(delta.text)}"
                self.out.print(f"  [dim]·[/dim] {delta.tool} [dim]{escaped(one_line(delta.text))}[/dim]")
            case "tool_ended":
                self.doing = ""
                if not delta.text.startswith("ok"):
                    self.out.print(f"    [yellow]{escaped(one_line(delta.text))}[/yellow]")
            case "tool_output":
                self.words = (self.words + delta.text)[-_TAIL:]
            case "note":
                self.out.print(f"  [dim]{escaped(one_line(delta.text, 400))}[/dim]")
            case "measure":
                self.doing = f"measuring {one_line(delta.text)}"
            case "compacted":
                self.out.print(f"  [dim]· the conversation was compacted: {escaped(delta.text)}[/dim]")
            case "trouble" if delta.text != self.trouble:
                self.trouble = delta.text
                self.out.print(f"  [yellow]waiting, and trying again[/yellow]: {escaped(one_line(delta.text, 300))}")
            case _:
                pass

    def _footer(self) -> "Group | str":
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.text import Text

        view = self.view
        if view is None or view.status == "ended":
            return ""
        cost = view.spent.cost.usd
        parts = [
            self.doing or view.status,
            f"mode {view.mode_now}",
            f"{view.spent.usage.tokens:,} tokens",
            "cost unknown" if cost is None else f"${cost:.4f}",
            time.strftime("%M:%S", time.gmtime(time.monotonic() - self.began)),
            "Ctrl-C detaches",
        ]
        words = [Text(f"  {plain(line)}", style="dim", no_wrap=True) for line in self.words.strip().splitlines()[-3:]]
        state = Text(" · ".join(parts), style="dim", no_wrap=True)
        state.truncate(self.out.width - 4, overflow="ellipsis")
        for line in words:
            line.truncate(self.out.width - 2, overflow="ellipsis")
        bars = (
            [Text.from_markup(f"  {kr.id} {bar(kr)}") for kr in view.okr.key_results] if view.turn and view.okr else []
        )
        return Group(*words, *bars, Spinner("dots", state))


def show_outcome(view: RunView, link: str = "") -> None:
    """How a run ended, with its evidence and what can be done next."""
    result = view.result
    assert result is not None
    out = console()
    colour = "green" if result.outcome == "completed" else "yellow" if result.branch else "red"
    out.print()
    out.print(f"[bold {colour}]{result.outcome}[/bold {colour}]  {escaped(result.reason)}")
    if result.key_results:
        out.print(key_results(result.key_results))
    if view.kind != "go" and result.text:
        out.print(escaped(result.text))
    cost = result.spent.cost.usd
    price = "cost unknown" if cost is None else f"${cost:.4f}"
    spent = result.spent
    used = (counted(result.turns, "turn"), counted(spent.calls, "model call"), counted(spent.usage.tokens, "token"))
    out.print(f"[dim]{', '.join(used)}, {price}[/dim]")
    if result.branch:
        stat = result.diffstat
        out.print(f"branch [bold]{result.branch}[/bold]: {counted(stat.files, 'file')}, +{stat.added} -{stat.removed}")
    else:
        out.print("no branch was made" if result.outcome == "failed" else "nothing was changed")
    if link:
        out.print(f"[dim]Temporal: {link}[/dim]")
    for line in next_commands(view):
        out.print(f"  {line}")


def next_commands(view: RunView) -> list[str]:
    """What a person can do with an ended run."""
    result = view.result
    if result is None:
        return [f"ctl watch {view.run}"]
    lines = [f"ctl diff {view.run}", f"ctl merge {view.run}", f"ctl discard {view.run}"] if result.branch else []
    if result.outcome in ("budget", "max_iterations", "stalled", "cancelled", "failed", "needs_review"):
        lines.append(f"ctl continue {view.run}")
    return lines


def _reading(kr: KeyResult) -> str:
    sign = "≥" if kr.direction == "up" else "≤"
    now = f"{number(kr.last)} (target {target(sign, kr.target, escaped(kr.unit))})"
    problem = f" [yellow]{escaped(kr.last.problem)}[/yellow]" if kr.last and kr.last.problem else ""
    return f"{bar(kr)}  {escaped(kr.title)}: {now}{problem}"


def _past(verdict: str) -> str:
    return {"approve": "approved", "deny": "denied", "amend": "to be drafted again"}.get(verdict, verdict)
