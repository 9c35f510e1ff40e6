"""Which places a call names that a person wants to be asked about."""

from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from app.domain.tool import Workspace
from app.tools.gate.shell import Part, Redirect
from app.tools.paths import outside, sensitive

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/etc", "/dev", "/proc", "/tmp", "/nix")
"""Nobody's own data; the sandbox shows them read-only, and `/tmp` empty."""
PROTECTED = (
    *(".github/*", ".gitlab-ci.yml", ".circleci/*", ".travis.yml", "azure-pipelines.yml", "jenkinsfile", ".ci/*"),
    *(".gitattributes", ".gitmodules", ".githooks/*", ".husky/*", ".pre-commit-config.yaml", ".lefthook.yml"),
    *(".vscode/*", ".idea/*", ".devcontainer/*", ".mcp.json", ".claude/*", ".envrc"),
    *(".bashrc", ".bash_profile", ".profile", ".zshrc", ".zprofile", ".zshenv"),
    *("*.lock", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.sum"),
)
"""Files that act outside of the repository's own code: builds, editors, shells, hooks, what is installed."""


def of_path(workspace: Workspace, worktree: Path, path: str) -> str:
    """Why a path is asked for; empty when it is not."""
    if outside(workspace, worktree, path):
        return f"`{path[:200]}` lies outside the repository"
    return f"`{path[:200]}` may hold secrets" if sensitive(path) else ""


def protected(path: str) -> bool:
    """Whether an edit of this path acts outside of the repository's own code."""
    parts = [part for part in PurePosixPath(path.lower()).parts if part not in (".", "/")]
    tails = ["/".join(parts[at:]) for at in range(len(parts))]
    return any(fnmatchcase(tail, pattern) for tail in tails for pattern in PROTECTED)


def of_words(workspace: Workspace, worktree: Path, part: Part) -> str:
    """Why the words of a command are asked for: files of secrets, and a person's own places outside."""
    for word in part.words[1:]:
        text = word.text.partition("=")[2] if word.text.startswith("--") and "=" in word.text else word.text
        if sensitive(text):
            return f"`{text[:200]}` may hold secrets"
        if text.startswith(("~", "$HOME", "${HOME}", '"$HOME', '"${HOME}')):
            return f"`{text[:200]}` lies outside the repository"
        leads = text == ".." or text.startswith(("/", "../")) or "/../" in text
        if leads and not system(text) and outside(workspace, worktree, text):
            return f"`{text[:200]}` lies outside the repository"
    return ""


def of_redirect(workspace: Workspace, worktree: Path, redirect: Redirect, *, careful: bool) -> str:
    """Why a file that the shell opens is asked for. `careful`: also protected files."""
    text = redirect.target.text
    if text.startswith(("/dev/", "/tmp/")) or (system(text) and not redirect.writes):
        return ""
    if text.startswith("~"):
        return f"`{text[:200]}` lies outside the repository"
    if not redirect.target.literal:
        return ""
    if reason := of_path(workspace, worktree, text):
        return reason
    return f"`{text[:200]}` is a protected file" if careful and redirect.writes and protected(text) else ""


def system(path: str) -> bool:
    """Whether an absolute path lies in a folder of the system."""
    import os

    return PurePosixPath(os.path.normpath(path)).parts[:2] in [PurePosixPath(top).parts for top in SYSTEM]
