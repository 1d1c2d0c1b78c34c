"""What a repository and its `origin` are like, for `generator doctor`: reads alone, each with a short limit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from generator.adapters.shell import ProcessFailed, run, without_logins
from generator.errors import GeneratorError

_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",  # `git status` refreshes the index else
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10",
    "LC_ALL": "C",
    "LANGUAGE": "C",
}


def git_version() -> tuple[int, int]:
    """The version of the installed Git. Raises GeneratorError without one."""
    text = run("git", "--version", timeout=10)
    found = re.search(r"(\d+)\.(\d+)", text)
    if found is None:
        raise GeneratorError(
            f"git says its version is {text.strip()[:50]!r}: install Git from https://git-scm.com"
        )
    return int(found[1]), int(found[2])


@dataclass(frozen=True)
class GitState:
    """One local repository."""

    root: Path

    def _ask(self, *argv: str, seconds: float = 20) -> str:
        return run("git", "-C", str(self.root), *argv, env=_ENVIRONMENT, timeout=seconds)

    def _asked(self, *argv: str) -> str | None:
        try:
            return self._ask(*argv).strip()
        except ProcessFailed:
            return None

    def setting(self, name: str) -> str | None:
        """A setting as it is written: an address without what `insteadOf` makes of it."""
        return self._asked("config", "--get", name)

    def origin(self) -> str | None:
        """The address of `origin`, without user and password."""
        address = self.setting("remote.origin.url")
        return None if address is None else without_logins(address)

    def has_login(self) -> bool:
        """Whether a password or token stands in the address of `origin`."""
        return re.match(r"https?://[^/@\s]+:[^/@\s]+@", self.setting("remote.origin.url") or "") is not None

    def knows_author(self) -> bool:
        return (
            self._asked("var", "GIT_AUTHOR_IDENT") is not None and self._asked("config", "user.email") is not None
        )

    def is_repository(self) -> bool:
        return self._asked("rev-parse", "--git-dir") is not None

    def is_shallow(self) -> bool:
        return self._asked("rev-parse", "--is-shallow-repository") == "true"

    def top_level(self) -> Path | None:
        found = self._asked("rev-parse", "--show-toplevel")
        return Path(found) if found else None

    def commit_of(self, ref: str) -> str | None:
        return self._asked("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")

    def is_ancestor(self, commit: str, of: str) -> bool:
        return self._asked("merge-base", "--is-ancestor", commit, of) is not None

    def tags(self) -> list[str]:
        return self._ask("tag", "--list").split()

    def ignores(self, path: str) -> bool:
        return self._asked("check-ignore", "--quiet", "--no-index", path) is not None

    def tracked(self, *patterns: str) -> list[str]:
        return self._ask("ls-files", "-z", "--", *patterns).split("\0")[:-1]

    def uncommitted(self, *paths: str) -> list[str]:
        """Changed and new files below `paths`."""
        listed = self._ask("status", "--porcelain", "--untracked-files=all", "-z", "--", *paths).split("\0")
        return [line[3:] for line in listed if len(line) > 3]

    def has_branch(self, address: str, branch: str) -> bool:
        """Whether another repository has it."""
        return bool(self._ask("ls-remote", "--quiet", address, f"refs/heads/{branch}"))

    def at_origin(self) -> dict[str, str]:
        """The refs of `origin` and their commits; of an annotated tag the commit that it is of."""
        found = {}
        for line in self._ask("ls-remote", "--quiet", "origin", "refs/heads/*", "refs/tags/*").splitlines():
            commit, _, ref = line.partition("\t")
            found[ref.removesuffix("^{}")] = commit
        return found
