"""Git, by its command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.adapters.deploy_key import DeployKey, explained
from generator.adapters.shell import ProcessFailed, run
from generator.errors import GeneratorError

# No hook, signature or editor of the user's may change or stop what a stage does.
_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false", "-c", "gc.auto=0")
# Nobody is there to answer a prompt, and what git says is compared with its English words.
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "LANGUAGE": "C"}
# Somebody pushed first: seen by our side, by the server, or by the server's lock on the branch.
# A runner's token is asked for by name, in the process that needs it: it is in no file and no command line.
_HELPER = """!f() { printf 'username=x-access-token\\npassword=%s\\n' "$GH_TOKEN"; }; f"""
_MOVED = re.compile(r"fetch first|non-fast-forward|stale info|cannot lock ref|failed to lock|incorrect old value")


@dataclass(frozen=True)
class GitRepository:
    """One local repository; see ports.Git."""

    root: Path
    author: tuple[str, str] | None = None  # name and address of our commits; None: the user's own
    token_for: str | None = None  # the server, such as https://github.com, that GH_TOKEN opens
    key: DeployKey | None = None  # pushes to origin, instead of that token, which then only reads

    def _git(self, *argv: str) -> str:
        argv = (*self._options(), "-C", str(self.root), *argv)
        return run("git", *argv, env={**_ENVIRONMENT, **self._identity()})

    def _options(self) -> tuple[str, ...]:
        if self.token_for is None:
            return _QUIET
        key = f"credential.{self.token_for}.helper"
        return (*_QUIET, "-c", f"{key}=", "-c", f"{key}={_HELPER}")  # nobody else's helper before ours

    def _identity(self) -> dict[str, str]:
        """As variables, which go before any setting, and before the caller's own variables."""
        if self.author is None:
            return {}
        name, address = self.author
        both = ("AUTHOR", "COMMITTER")
        return {f"GIT_{who}_NAME": name for who in both} | {f"GIT_{who}_EMAIL": address for who in both}

    def _push(self, *argv: str) -> None:
        """Pushes to origin."""
        if self.key is None:
            self._git("push", "--quiet", "origin", *argv)
            return
        address = self.key.pushes_to(self.origin() or "")
        options = (*self._options(), "-c", f"remote.origin.pushurl={address}", "-C", str(self.root))
        with self.key.opened() as opened:
            run("git", *options, "push", "--quiet", "origin", *argv, env={**_ENVIRONMENT, **opened})

    def _refused(self, what: str, error: ProcessFailed) -> GeneratorError:
        hint = explained(error.stderr) if self.key else ""
        return GeneratorError(f"{what}:\n{error.stderr.strip()}{hint}")

    def exists(self) -> bool:
        """Whether `root` lies in a Git repository."""
        try:
            self._git("rev-parse", "--git-dir")
        except ProcessFailed:
            return False
        return True

    def init(self, branch: str) -> None:
        """A new repository in `root`."""
        self._git("init", "--quiet", "--initial-branch", branch)

    def init_bare(self, branch: str) -> None:
        """A new bare repository at `root`."""
        argv = ("init", "--quiet", "--bare", "--initial-branch", branch, str(self.root))
        run("git", *_QUIET, *argv, env=_ENVIRONMENT)

    def push_to(self, address: str, commit: str, branch: str) -> None:
        """Pushes `commit` to a branch of another repository."""
        self._git("push", "--quiet", address, f"{commit}:refs/heads/{branch}")

    def commit_of(self, ref: str) -> str:
        try:
            return self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
        except ProcessFailed as error:
            if "not a git repository" in error.stderr:
                raise GeneratorError("this folder is in no Git repository: run `git init` and commit") from error
            if ref == "HEAD":
                raise GeneratorError("no commit here yet: run `git add --all` and `git commit`") from error
            raise GeneratorError(f"Git knows no {ref!r} here: fetch it, or check the name") from error

    def top_level(self) -> Path:
        try:
            return Path(self._git("rev-parse", "--show-toplevel").strip())
        except ProcessFailed as error:
            raise GeneratorError("this folder is in no Git repository: run `git init` and commit") from error

    def is_clean(self) -> bool:
        return not self.changed_files()

    def changed_files(self) -> list[str]:
        """Files that are changed or untracked, ignored ones aside."""
        return self._git("status", "--porcelain", "--untracked-files=all").splitlines()

    def current_branch(self) -> str | None:
        return self._git("branch", "--show-current").strip() or None

    def origin(self) -> str | None:
        """The address of the remote `origin`."""
        try:
            return self._git("remote", "get-url", "origin").strip()
        except ProcessFailed:
            return None

    def clone(self, source: str, *, branch: str | None = None, commit: str | None = None) -> None:
        self.root.parent.mkdir(parents=True, exist_ok=True)
        at = ("--branch", branch) if branch else ()
        argv = ("clone", "--quiet", "--no-checkout", "--origin", "origin", *at, "--", source, str(self.root))
        run("git", *self._options(), *argv, env=_ENVIRONMENT)
        self._git("checkout", "--quiet", *(("--detach", commit) if commit else ()))

    def is_ancestor(self, commit: str, of: str) -> bool:
        try:
            self._git("merge-base", "--is-ancestor", commit, of)
        except ProcessFailed as error:
            if error.code == 1:
                return False
            raise
        return True

    def contains(self, revision: str, commit: str) -> bool | None:
        """Whether `revision` has `commit` in its history; None where this clone does not know one of them."""
        if revision == commit:
            return True
        try:
            return self.is_ancestor(commit, revision) if revision else False
        except ProcessFailed:
            return None

    def merge_base(self, one: str, other: str) -> str | None:
        """The last commit that both have; None where they have none, as in a clone that was cut short."""
        try:
            return self._git("merge-base", one, other).strip()
        except ProcessFailed as error:
            if error.code == 1:
                return None
            raise

    def changed_between(self, one: str, other: str) -> list[str]:
        """Every path that differs between two commits; of a renamed file both."""
        return self._git("diff", "--name-only", "--no-renames", "-z", one, other, "--").split("\0")[:-1]

    def changed_since(self, commit: str) -> list[str]:
        """Every path of the working tree that differs from `commit`, new files that are not ignored included."""
        new = self._git("ls-files", "--others", "--exclude-standard", "-z").split("\0")
        return self._git("diff", "--name-only", "--no-renames", "-z", commit, "--").split("\0")[:-1] + new[:-1]

    def text_at(self, commit: str, path: str) -> str | None:
        """The file as `commit` has it."""
        try:
            return self._git("cat-file", "blob", f"{commit}:{path}")
        except ProcessFailed:
            return None

    def paths_at(self, commit: str) -> list[str]:
        """Every file that `commit` has."""
        return self._git("ls-tree", "-r", "-z", "--full-tree", "--name-only", commit).split("\0")[:-1]

    def export(self, commit: str, folder: Path) -> None:
        """Writes what `commit` holds into `folder`; this repository's index and working tree are left alone."""
        folder.mkdir(parents=True)
        # What large files hold is not asked for: that may take a login.
        index = {**_ENVIRONMENT, "GIT_INDEX_FILE": f"{folder.resolve()}.index", "GIT_LFS_SKIP_SMUDGE": "1"}
        top = ("git", *_QUIET, "-C", str(self.top_level()))
        run(*top, "read-tree", commit, env=index)
        run(*top, "checkout-index", "--all", "--force", f"--prefix={folder.resolve()}/", env=index)

    def fetch(self, branch: str) -> str:
        if self.origin() is None:
            raise GeneratorError("there is no remote named origin: run `git remote add origin ADDRESS` and push")
        refs = f"+refs/heads/{branch}:refs/remotes/origin/{branch}"
        try:
            self._git("fetch", "--quiet", "--no-tags", "origin", refs)
        except ProcessFailed as error:
            if "couldn't find remote ref" in error.stderr:
                hint = f"origin has no branch {branch}: run `git push --set-upstream origin {branch}`"
                raise GeneratorError(hint) from error
            raise GeneratorError(f"{branch} cannot be fetched from origin:\n{error.stderr.strip()}") from error
        return self.commit_of(f"refs/remotes/origin/{branch}")

    def reset(self, commit: str) -> None:
        self._git("checkout", "--quiet", "--force", "--detach", commit)
        self._git("clean", "--quiet", "-ffd")

    def commit(self, paths: Sequence[str], message: str) -> str:
        self._git("add", "--all", "--", *paths)
        self._git("commit", "--quiet", "--message", message, "--", *paths)
        return self.commit_of("HEAD")

    def last_change(self, path: str) -> str:
        return self._git("log", "-1", "--format=%H", "--", path).strip()

    def find_commit(self, line: str, path: str) -> str | None:
        found = self._git("log", "--format=%H", "--fixed-strings", f"--grep={line}", "--", path).split()
        exact = (commit for commit in found if line in self._git("log", "-1", "--format=%B", commit).splitlines())
        return next(exact, None)

    def push(self, commit: str, branch: str) -> bool:
        try:
            self._push(f"{commit}:refs/heads/{branch}")
        except ProcessFailed as error:
            if _MOVED.search(error.stderr):
                return False
            raise self._refused(f"the push to {branch} was refused", error) from error
        return True

    def head_of(self, branch: str) -> str | None:
        found = self._git("ls-remote", "origin", f"refs/heads/{branch}").split()
        return found[0] if found else None

    def message_of(self, commit: str) -> str:
        return self._git("log", "-1", "--format=%B", commit)

    def replace_branch(self, commit: str, branch: str, *, was: str | None = None) -> bool:
        force = "--force" if was is None else f"--force-with-lease=refs/heads/{branch}:{was}"
        try:
            self._push(force, f"{commit}:refs/heads/{branch}")
        except ProcessFailed as error:
            if was is not None and "stale info" in error.stderr:
                return False
            raise self._refused(f"the push to {branch} was refused", error) from error
        return True

    def delete_branch(self, branch: str) -> bool:
        if self.head_of(branch) is None:
            return False
        try:
            self._push(f":refs/heads/{branch}")
        except ProcessFailed as error:
            raise self._refused(f"{branch} cannot be deleted", error) from error
        return True

    def tags(self, pattern: str) -> list[str]:
        return self._git("tag", "--list", pattern).split()

    def tag(self, name: str, commit: str, message: str) -> None:
        self._git("tag", "--annotate", "--message", message, name, commit)

    def fetch_tags(self) -> None:
        """Every tag of origin's. Fails where one of ours points elsewhere: a release tag never moves."""
        self._git("fetch", "--quiet", "origin", "refs/tags/*:refs/tags/*")

    def push_tag(self, name: str) -> None:
        """Where origin refuses the tag it is removed here as well, so that nothing counts as released."""
        try:
            self._push(f"refs/tags/{name}:refs/tags/{name}")
        except ProcessFailed as error:
            self._git("tag", "--delete", name)
            raise self._refused(f"the push of {name} was refused", error) from error
