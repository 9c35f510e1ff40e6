"""The verdict on a plugin's call. A made-up name, a plugin that is refused, or no sandbox schedule nothing."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from app.domain.plugin import PLUGIN, PluginRef
from app.domain.tool import Mode, Rule, ToolCall
from app.tools.base import ToolError, clip
from app.tools.gate.rules import glob, of_tool, shown, strictest
from app.tools.gate.sandbox import Sandbox
from app.tools.plugin import Asked, asked


def judge_plugin(
    name: str,
    arguments: str,
    *,
    index: int,
    data: Path,
    plugins: Sequence[PluginRef],
    mode: Mode,
    rules: Sequence[Rule],
    sandbox: Sandbox,
) -> ToolCall:
    """The call as the workflow sees it: always the activity `plugin`, which reads the rest from the record."""
    try:
        what = asked(name, arguments, data, plugins, whole=False)
        if sandbox.backend != "bubblewrap":  # nothing else shows its files at their own place
            raise ToolError(f"`{name}` was not run: plugins need a sandbox ({sandbox.reason}); go on without it")
    except ToolError as error:
        return ToolCall(index=index, activity="none", runs_as="none", preview=f"error: {error}"[:400])
    limits = what.manifest.limits
    call = ToolCall(
        index=index,
        activity=PLUGIN,
        effect="run" if limits.writes or limits.network else "read",
        preview=_line(name, what, 120),
        fingerprint=sha256(f"{name}\0{what.words}".encode()).hexdigest()[:16],
    )
    pattern = _pattern(what)
    about = [rule for rule in of_tool(rules, name) if rule.pattern == pattern or glob(what.words, rule.pattern)]
    rule = strictest(about)
    if rule is not None and rule.verdict == "deny":
        exact = rule.pattern == pattern
        return _denied(call, "a person said never" if exact else f"a rule denies it: `{shown(rule)}`")
    if mode == "plan" and limits.writes:
        return _denied(call, "mode `plan` changes nothing; call `plan_exit` with your plan")
    reason = f"it wants the network: {', '.join(limits.network)}"[:300] if limits.network else ""
    wished = rule is not None and rule.verdict == "ask"
    if mode == "full" or not (reason or wished) or (rule is not None and not wished):
        return call.model_copy(update={"reason": reason})
    reason = reason or f"a rule asks for it: `{shown(rule)}`"[:300] if rule is not None else reason
    update = {"verdict": "ask", "reason": reason, "rule": f"{name}: {pattern}", "preview": _line(name, what, 300)}
    return call.model_copy(update=update)


def _denied(call: ToolCall, reason: str) -> ToolCall:
    return call.model_copy(update={"verdict": "deny", "reason": reason[:300]})


def _pattern(what: Asked) -> str:
    """What a standing rule names: exactly this code with exactly these arguments."""
    return f"sha256:{sha256(f'{what.ref.digest} {what.words}'.encode()).hexdigest()}"


def _line(name: str, what: Asked, most: int) -> str:
    return clip(f"{name} {what.words}", most // 2).encode()[:most].decode(errors="ignore")
