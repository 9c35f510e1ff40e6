"""What every test shares: skips that CI counts as failures, and no settings of the person who runs them."""

import os
from collections.abc import Generator

import pytest

_OWN = ("CODETETHER_", "TEMPORAL_", "VAULT_", "GIT_")


@pytest.fixture(autouse=True)
def _nobodys_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test talks to a server, a Vault or a data folder that somebody configured."""
    for name in list(os.environ):
        if name.startswith(_OWN) or name == "CI":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", "/nonexistent")  # where no private Vault is


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CODETETHER_CI_STRICT a skipped test is a failed one: CI counts on every test it runs."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and _STRICT:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {report.longrepr}"
    return report


_STRICT = bool(os.environ.get("CODETETHER_CI_STRICT"))
