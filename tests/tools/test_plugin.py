"""A plugin's call, in the real sandbox: what it answers, and what becomes of one that misbehaves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.tool import Workspace
from app.security import keys, plugins, trust
from app.security.package import read_package
from app.tools.base import Output, ToolContext
from app.tools.execute import execute
from app.tools.gate.permission import judge
from app.tools.gate.sandbox import Mounts, Sandbox, probe

SOURCE = """
name = "odd"
version = "1.0.0"
description = "Whatever a test needs."
entry = ["python3", "-I", "main.py"]
expires = 2036-01-01T00:00:00Z
[limits]
{limits}
[[tools]]
name = "do"
description = "Does it."
parameters = {{ type = "object", properties = {{ n = {{ type = "integer" }} }}, additionalProperties = false }}
"""
ANSWER = "print(json.dumps({'content': str(found)}))"
HEAD = "import json, os, sys\ncall = json.loads(sys.stdin.readline())\n"

Calling = Callable[..., Any]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The path at which the worktree appears: any folder that exists will do as a mount point."""
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def made(tmp_path: Path, worktree: Path, context: Callable[..., ToolContext], project: Path) -> Callable[..., Any]:
    """`made(body, limits)` signs and installs a plugin with that code, and gives a context that offers it."""

    def make(body: str, limits: str = "wall_seconds = 10", **changes: Any) -> ToolContext:
        data, folder = tmp_path / "data", tmp_path / "odd"
        folder.mkdir(exist_ok=True)
        (folder / "main.py").write_text(HEAD + body)
        (folder / "plugin.toml").write_text(SOURCE.format(limits=limits))
        key = tmp_path / "key.pem"
        if not key.exists():
            trust.add(data, keys.generate(key))
        plugins.sign(folder, key)
        plugins.install(data, read_package(folder))
        git = worktree / ".git"
        mounts = Mounts(root=str(project), worktree=worktree, git_dir=git, common_dir=git, hidden=(data,))
        space = Workspace(data_id="d", run="r", name="solo", root=str(project))
        return context(mounts=lambda: mounts, workspace=space, plugins=plugins.offered(data), **changes)

    return make


async def call(ctx: ToolContext, **arguments: Any) -> Output:
    return await execute("plugin__odd__do", json.dumps(arguments), ctx)


async def test_a_call_answers_from_the_worktree(made: Calling, worktree: Path) -> None:
    (worktree / "a.txt").write_text("hello")
    output = await call(made(f"found = open('a.txt').read() * call['arguments']['n']\n{ANSWER}"), n=2)
    assert (output.status, output.text) == ("ok", "hellohello")


async def test_its_own_error_is_an_error_result(made: Calling) -> None:
    output = await call(made("print(json.dumps({'content': 'no such thing', 'is_error': True}))"))
    assert (output.status, output.text) == ("error", "no such thing")


async def test_arguments_are_checked_against_the_signed_schema_first(made: Calling) -> None:
    ctx = made(f"found = 1\n{ANSWER}")
    assert "`n` of `plugin__odd__do`" in (await call(ctx, n="many")).text
    assert "Additional properties" in (await call(ctx, other=1)).text


async def test_a_plugin_that_changed_or_went_away_in_the_middle_of_a_run_runs_nothing(
    made: Calling, tmp_path: Path
) -> None:
    first = made(f"found = 'old'\n{ANSWER}")
    second = made(f"found = 'new'\n{ANSWER}")
    assert "not installed any more" in (await call(first)).text
    assert (await call(second)).text == "new"
    plugins.remove(tmp_path / "data", "odd")
    output = await call(second)
    assert output.status == "error" and "not installed any more" in output.text


async def test_a_copy_that_was_tampered_with_runs_nothing(made: Calling, worktree: Path, tmp_path: Path) -> None:
    ctx = made(f"found = 1\n{ANSWER}", "writes = true")
    kept = plugins.store(tmp_path / "data", ctx.plugins[0].digest) / "main.py"
    kept.chmod(0o600)
    kept.write_text("open('evil', 'w')\n")
    output = await call(ctx)
    assert output.status == "error" and "`main.py` is not what was signed" in output.text
    assert not (worktree / "evil").exists()


async def test_one_that_hangs_is_ended_at_its_wall_time(made: Calling) -> None:
    output = await call(made("import time; time.sleep(600)", "wall_seconds = 1"))
    assert output.text == "`plugin__odd__do` was ended after 1 s, the limit in its manifest"


async def test_one_that_computes_for_ever_is_ended_at_its_cpu_time(made: Calling) -> None:
    output = await call(made("while True: pass", "wall_seconds = 60\ncpu_seconds = 1"))
    assert output.status == "error" and "exit code 137" in output.text


async def test_one_that_takes_memory_gets_what_it_declared(made: Calling) -> None:
    body = f"try: found = len(bytearray(500 * 1024 * 1024))\nexcept MemoryError: found = 'refused'\n{ANSWER}"
    assert (await call(made(body, "memory_mb = 200"))).text == "refused"


async def test_nothing_of_one_that_forks_is_left(made: Calling) -> None:
    body = (
        "import time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    for n in (0, 1, 2): os.dup2(os.open('/dev/null', os.O_RDWR), n)\n"
        "    time.sleep(1.0); open('late', 'w').close(); os._exit(0)\n"
        f"found = 'done'\n{ANSWER}"
    )
    assert (await call(made(body, "writes = true"))).text == "done"
    assert (await call(made(f"import time; time.sleep(1.5)\nfound = os.path.exists('late')\n{ANSWER}"))).text == "False"


@pytest.mark.parametrize("body", ["print('hello')", "print('{}')", "pass", "print('[' * 100000)", "print(1); print(2)"])
async def test_one_that_prints_garbage_is_an_error(made: Calling, body: str) -> None:
    output = await call(made(body))
    assert output.status == "error" and "did not answer with one JSON line" in output.text


async def test_what_it_says_on_stderr_comes_with_its_error(made: Calling) -> None:
    output = await call(made("sys.exit('the disk is on fire')"))
    assert "exit code 1; its stderr ends: the disk is on fire" in output.text


async def test_stderr_does_not_spoil_an_answer(made: Calling) -> None:
    assert (await call(made(f"print('careful', file=sys.stderr)\nfound = 7\n{ANSWER}"))).text == "7"


async def test_one_that_floods_stdout_is_ended(made: Calling) -> None:
    output = await call(made("while True: print('x' * 10000)", "wall_seconds = 60\ncpu_seconds = 30"))
    assert output.status == "error" and "printed more than 1 MiB" in output.text


WRITING = f"""
found = []
for place in [os.path.expanduser('~/evil'), '/etc/evil', '/run/codetether/plugin/evil', 'evil']:
    try: open(place, 'w').close(); found.append(place)
    except OSError: pass
{ANSWER}"""


async def test_it_writes_nowhere_unless_its_manifest_says_so(made: Calling, worktree: Path) -> None:
    assert (await call(made(WRITING))).text == "[]"
    assert not (worktree / "evil").exists()


async def test_one_that_may_write_does_so_in_the_worktree_alone(made: Calling, worktree: Path) -> None:
    assert (await call(made(WRITING, "writes = true"))).text == "['evil']"
    assert (worktree / "evil").exists()


async def test_it_sees_neither_the_data_folder_nor_gits_own(made: Calling, tmp_path: Path) -> None:
    body = f"found = [os.listdir({str(tmp_path / 'data')!r}), os.path.isdir(os.environ['GIT_DIR'])]\n{ANSWER}"
    assert (await call(made(body))).text == "[[], False]"


CONNECTING = f"""
import socket
found = [name for _, name in socket.if_nameindex()]
{ANSWER}"""


async def test_the_network_is_off_unless_declared_and_allowed(made: Calling) -> None:
    assert (await call(made(CONNECTING, allowed=True))).text == "['lo']"
    declared = 'network = ["api.example.com"]'
    assert (await call(made(CONNECTING, declared, allowed=False))).text == "['lo']"


async def test_a_call_that_died_with_the_worker_is_not_made_again_where_it_may_have_had_effects(
    made: Calling,
) -> None:
    assert (await call(made(f"found = 1\n{ANSWER}", "writes = true"))).text == "1"
    assert (await call(made(f"found = 1\n{ANSWER}", "writes = true", attempt=2))).status == "cut_off"
    assert (await call(made(f"found = 2\n{ANSWER}", attempt=2))).text == "2"


def judged(ctx: ToolContext, name: str = "plugin__odd__do", arguments: str = "{}", **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "mode": "ask",
        "rules": (),
        "sandbox": Sandbox(True, backend="bubblewrap"),
        "plugins": ctx.plugins,
    }
    fields |= changes
    return judge(
        name, arguments, index=0, offered=(), workspace=ctx.workspace, worktree=ctx.worktree, data=ctx.data, **fields
    )


def test_a_call_is_scheduled_under_one_fixed_name_and_a_made_up_one_not_at_all(made: Calling) -> None:
    ctx = made("pass")
    assert (judged(ctx).activity, judged(ctx).effect, judged(ctx).verdict) == ("plugin", "read", "allow")
    made_up = ("plugin__odd__other", "plugin__other__do", "plugin__", "plugin", "agent.turn", "plugin__" + "x" * 2000)
    for name in made_up:
        assert (judged(ctx, name).runs_as, judged(ctx, name).activity) == ("none", "none")
    assert judged(ctx, arguments='{"n": "x"}').runs_as == "none"
    assert "half a character" in judged(ctx, arguments='{"n": 1, "\\ud800": 1}').preview
    assert judged(ctx, plugins=()).runs_as == "none"


def test_without_a_sandbox_nothing_of_a_plugin_runs(made: Calling) -> None:
    call = judged(made("pass"), sandbox=Sandbox(False, reason="none here"))
    assert call.runs_as == "none" and "plugins need a sandbox (none here)" in call.preview


def test_one_that_wants_the_network_is_asked_for_by_code_and_arguments(made: Calling) -> None:
    from app.domain.tool import Rule

    ctx = made("pass", 'network = ["api.example.com"]')
    asked = judged(ctx)
    assert (asked.verdict, asked.reason) == ("ask", "it wants the network: api.example.com")
    tool, _, pattern = asked.rule.partition(": ")
    always = (Rule(tool=tool, pattern=pattern, verdict="allow"),)
    assert judged(ctx, rules=always).verdict == "allow" and judged(ctx, rules=always).reason
    assert judged(ctx, arguments='{"n": 1}', rules=always).verdict == "ask"
    assert judged(ctx, mode="full").verdict == "allow"
    never = (Rule(tool=tool, pattern=pattern, verdict="deny"),)
    assert judged(ctx, rules=never).verdict == "deny"


def test_a_revoked_plugin_is_refused_before_anybody_is_asked(made: Calling) -> None:
    ctx = made("pass")
    trust.revoke(ctx.data, ctx.plugins[0].digest)
    assert judged(ctx).runs_as == "none" and "was revoked" in judged(ctx).preview


def test_there_is_a_sandbox_to_test_in() -> None:
    assert probe().works
