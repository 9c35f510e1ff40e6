"""`question`: asks a person, and waits for the answer."""

from pydantic import Field

from app.tools.base import Arguments, Output, Tool, ToolContext, clip


class Question(Arguments):
    """Arguments of `question`."""

    question: str = Field(min_length=1, max_length=250, description="One short question, with what depends on it")
    options: tuple[str, ...] = Field(default=(), max_length=4, description="Answers to choose from, if there are few")


async def _question(args: Question, ctx: ToolContext) -> Output:
    """The answer, which the workflow waited for; the number of an option stands for it."""
    answer = ctx.answer.strip()
    if answer.isdecimal() and 1 <= int(answer) <= len(args.options):
        answer = args.options[int(answer) - 1]
    return Output("ok", answer or "(the person gave no words)", clip(answer))


def _shown(args: Question) -> str:
    options = " | ".join(f"{number} {option}" for number, option in enumerate(args.options, 1))
    return clip(args.question + (f" [{options}]" if options else ""))


QUESTION = Tool(
    name="question",
    description="Asks the person you work for, and waits for the answer. Only for what you can neither find out nor "
    "decide yourself: the person may be away for hours.",
    arguments=Question,
    effect="wait",
    run=_question,
    runs_as="wait",
    preview=_shown,
)
