"""A plugin from its key to its recorded result, as a person and an agent use it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from harness import Script, System
from playbook import chores, texts, working

from app.demo.scenario import Call, Reply

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugins" / "wordcount"
COUNT = Reply(calls=(Call("plugin__wordcount__count", {"path": "todo.txt"}),))
MADE_UP = Reply(calls=(Call("plugin__wordcount__erase", {}), Call("plugin", {}), Call("agent.turn", {})))


def test_an_agent_calls_an_installed_plugin_and_its_result_is_recorded(
    system: System, tmp_path: Path, model: Callable[[Script], list[str]]
) -> None:
    repo, folder, key = chores(tmp_path / "chores"), tmp_path / "wordcount", tmp_path / "key.pem"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    made = system.json("plugin", "keygen", "--out", str(key), cwd=repo)
    system.ctl("plugin", "sign", str(folder), "--key", str(key), cwd=repo)
    assert "do not trust" in system.ctl("plugin", "install", str(folder), "--yes", cwd=repo, code=3)
    system.ctl("plugin", "trust", "add", made["public_key"], cwd=repo)
    system.ctl("plugin", "install", str(folder), "--yes", cwd=repo)
    (row,) = system.json("plugin", "list", cwd=repo)
    heard: list[str] = []
    offers: set[str] = set()
    plan = working(COUNT, MADE_UP, COUNT)

    def script(messages: list[dict[str, object]], offered: set[str]) -> Reply:
        heard[:] = texts(messages, "tool")
        offers.update(offered)
        if len(heard) == 4:
            system.ctl("plugin", "remove", "wordcount", cwd=repo)
        return plan(messages, offered)

    run = system.json("run", "count the words", *model(script), cwd=repo)
    assert run["result"]["outcome"] == "completed"
    assert "plugin__wordcount__count" in offers
    counted, *made_up, removed = heard
    assert counted == "3 lines, 3 words, 14 characters"
    assert all("unknown tool" in text for text in made_up)
    assert "not installed any more" in removed
    (session,) = run["result"]["sessions"]
    shown = system.ctl("sessions", "show", session, "--json", cwd=repo).splitlines()
    records = [json.loads(line) for line in shown]
    assert records[0]["body"]["plugins"] == [{"name": "wordcount", "digest": row["digest"], "tools": ["count"]}]
    results = [record["body"] for record in records if record["kind"] == "tool_result"]
    assert (results[0]["name"], results[0]["text"]) == ("plugin__wordcount__count", counted)
