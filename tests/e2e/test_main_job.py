"""From an intent to a measured outcome, as a person does it."""

import subprocess
from pathlib import Path

from harness import System


def git(repo: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=repo, check=True, capture_output=True, text=True).stdout


def test_go_reaches_its_key_results_and_merges(system: System, ledger: Path) -> None:
    base = git(ledger, "rev-parse", "HEAD")
    told = system.json("go", "make the import 2x faster", "--model", "demo/scripted", "--yes", cwd=ledger)
    result = told["result"]
    assert result["outcome"] == "completed"
    assert [(kr["baseline"]["value"], kr["last"]["value"]) for kr in result["key_results"]] == [(120, 0), (3, 0)]
    assert git(ledger, "status", "--porcelain") == "" and git(ledger, "rev-parse", "HEAD") == base
    branch = f"codetether/{told['run']}"
    assert git(ledger, "diff", f"{base.strip()}...{branch}")
    assert "ledger/amounts.py" in system.ctl("diff", "--stat", cwd=ledger)
    system.ctl("merge", cwd=ledger)
    assert "OK" in subprocess.run(["python3", "-m", "unittest"], cwd=ledger, capture_output=True, text=True).stderr
    assert told["run"] in system.ctl("okr", "runs", cwd=ledger)


def test_a_run_waits_for_its_decision_and_is_decided_from_elsewhere(system: System, ledger: Path) -> None:
    told = system.json("go", "make the import 2x faster", "--model", "demo/scripted", cwd=ledger, code=6)
    (request,) = told["requests"]
    assert request["id"] == "draft-1"
    system.ctl("amend", told["run"], "at most 20 comparisons", cwd=ledger)
    waiting = system.ctl("watch", told["run"], cwd=ledger, code=6)
    assert "20" in waiting and "draft-2" in waiting and f"ctl amend {told['run']} TEXT" in waiting
    assert "stale" not in system.ctl("approve", told["run"], "--request", "draft-1", cwd=ledger, code=1)
    system.ctl("approve", cwd=ledger)
    assert "completed" in system.ctl("watch", told["run"], cwd=ledger)


def test_a_denial_is_recorded_with_its_reason(system: System, ledger: Path) -> None:
    told = system.json("go", "make the import 2x faster", "--model", "demo/scripted", cwd=ledger, code=6)
    system.ctl("deny", told["run"], "--reason", "not this week", cwd=ledger)
    assert "not this week" in system.ctl("watch", told["run"], cwd=ledger, code=3)
    assert system.json("okr", "status", told["run"], cwd=ledger)["result"]["outcome"] == "denied"


def test_one_agent_and_a_team_work_without_the_gate(system: System, ledger: Path) -> None:
    told = system.json("run", "make the import faster and exact", "--model", "demo/scripted", "--merge", cwd=ledger)
    assert told["result"]["outcome"] == "completed" and told["result"]["turns"] == 1
    assert "amount_of" in (ledger / "ledger" / "importer.py").read_text()
