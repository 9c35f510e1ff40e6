"""`skill`: the body of a skill, or another file of it."""

from pydantic import Field

from app.tools.base import EVERYBODY, Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread


class LoadSkill(Arguments):
    """Arguments of `skill`."""

    name: str = Field(min_length=1, max_length=64, description="As the list of skills has it")
    file: str = Field(default="SKILL.md", max_length=500, description="Another file of the skill, relative to it")


def _skill(args: LoadSkill, ctx: ToolContext) -> Output:
    from app.context.agent import skills_of
    from app.context.instructions import marked, plain
    from app.context.skills import FILE, LARGEST, split

    if ctx.config is None:
        raise ToolError("there are no skills here; go on without")
    offered, _ = skills_of(ctx.data, ctx.config, ctx.workspace)
    found = next((skill for skill in offered if skill.front.name == args.name), None)
    if found is None:
        names = ", ".join(f"`{skill.front.name}`" for skill in offered)
        raise ToolError(f"there is no skill `{args.name}`; {f'there are {names}' if names else 'there are none'}")
    item = found.files.get(args.file.removeprefix("./"))
    if item is None or item.kind not in ("file", "program") or item.size > LARGEST:
        names = ", ".join(f"`{path}`" for path in sorted(found.files))
        raise ToolError(f"skill `{args.name}` has no file `{args.file}` that can be shown; it has {names}")
    content = item.read()
    text = plain(split(content)[1] if args.file == FILE else content.decode("utf-8", "replace"))
    others = sorted(path for path in found.files if path != args.file)
    where = f"Its folder in the repository is `{found.folder}`." if found.origin == "project" else ""
    more = f"Its other files: {', '.join(others)}." if others else ""
    body = marked(f"{found.folder}/{args.file}", text) if found.origin == "project" else text
    return Output("ok", "\n\n".join(part for part in (body, where, more) if part), clip(f"{args.name}/{args.file}"))


SKILL = Tool(
    name="skill",
    description="Loads a skill: written instructions for a special task, from the list of skills.",
    arguments=LoadSkill,
    effect="read",
    run=in_thread(_skill),
    agents=EVERYBODY,
    preview=lambda args: clip(f"{args.name}/{args.file}"),
)
