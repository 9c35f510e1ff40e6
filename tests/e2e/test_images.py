"""A model looks at an image: it gets the image itself, and neither the stream nor Temporal holds its bytes."""

import base64
import io
import os
from collections.abc import Callable
from pathlib import Path

from harness import Script, System
from PIL import Image
from playbook import chores, commit_all, working

from app.demo.scenario import Call, Reply

LOOK = Reply(calls=(Call("image", {"path": "shot.png"}),))


def test_an_image_reaches_the_model_by_reference(
    system: System, tmp_path: Path, model: Callable[[Script], list[str]]
) -> None:
    repo, held = chores(tmp_path / "chores"), io.BytesIO()
    Image.frombytes("RGB", (200, 150), os.urandom(200 * 150 * 3)).save(held, "PNG")
    (repo / "shot.png").write_bytes(held.getvalue())
    commit_all(repo)
    text = base64.b64encode(held.getvalue()).decode()
    asked: list[list[dict[str, object]]] = []
    plan = working(LOOK, Reply(calls=(Call("list", {}),)))

    def script(messages: list[dict[str, object]], offered: set[str]) -> Reply:
        asked.append(messages)
        return plan(messages, offered)

    _, _, *server = model(script)
    run = system.json("run", "look", "--model", "openai/gpt-4o", *server, cwd=repo)["run"]
    assert [str(messages).count(text) for messages in asked] == [0, 1, 1], "in every turn, once"
    (session,) = (line["session"] for line in system.json("sessions", "list", "--run", run, cwd=repo))
    shown = system.ctl("sessions", "show", session, cwd=repo)
    assert f"[image png 200x150, {round(len(held.getvalue()) / 1000)} kB] shot.png" in shown
    assert text[:400].encode() not in (system.data / "temporal.db").read_bytes()
    assert all(text[:400] not in file.read_text() for file in system.data.glob("streams/*/*.jsonl"))
