"""What several hooks of one event come to: the strictest word counts, and only the person's own may loosen."""

from app.context import wire
from app.context.hooks import Hook
from app.domain.hook import HookOutput, HookVerdict
from app.domain.tool import ToolCall

_STRICT: tuple[HookVerdict, ...] = ("", "allow", "ask", "deny")


class Together:
    """Hears the hooks of one event in their order."""

    def __init__(self, event: str, arguments: str) -> None:
        self.event = event
        self.arguments = arguments
        self.changed = False
        self.verdict: HookVerdict = ""
        self.reason = ""
        self.words: list[str] = []
        self.stop = ""

    def hear(self, hook: Hook, said: wire.Said, tool: str, *, whole: bool = True) -> None:
        """Takes in what one hook said. An `allow` of a repository's hook is no word at all.

        `whole`: it was asked about the whole call, not about one of several in it: those cannot be changed or allowed.
        """
        if not whole and said.updated is not None:
            reason = f"a hook changes a call of `{tool}` in it; make that call by itself"
            said = wire.Said(verdict="deny", reason=reason, message=said.message)
        if not whole and said.verdict == "allow":
            said = said.model_copy(update={"verdict": ""})
        if said.updated is not None:
            self.arguments, self.changed = wire.arguments(tool, said.updated), True
            if self.verdict == "allow":
                self.verdict = ""  # it was said of other arguments
        verdict = "" if said.verdict == "allow" and hook.origin != "user" else said.verdict
        if _STRICT.index(verdict) > _STRICT.index(self.verdict):
            self.verdict, self.reason = verdict, " ".join(said.reason.split())[:400]
        if said.words:
            self.words.append(said.words)
        if said.verdict == "deny" and said.reason and self.event in ("PostToolUse", "Stop"):
            self.words.append(said.reason)
        self.stop = self.stop or said.stop

    @property
    def decided(self) -> bool:
        """Whether nothing that other hooks say can matter."""
        return bool(self.stop) or (self.verdict == "deny" and self.event != "PostToolUse")

    @property
    def told(self) -> str:
        """What the model reads."""
        return "\n\n".join(self.words)[: 2 * wire.WORDS]

    def output(self, call: ToolCall | None) -> HookOutput:
        """The sum. `call`: the call with changed arguments, judged again; one that is no call any more is denied."""
        verdict, reason = self.verdict, self.reason
        if call is not None and call.runs_as == "none":
            verdict, reason, call = "deny", f"a hook wrote arguments that cannot be used: {call.preview}"[:400], None
        return HookOutput(verdict=verdict, reason=reason, call=call, words=bool(self.told), stop=self.stop)
