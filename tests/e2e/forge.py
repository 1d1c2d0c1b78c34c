"""A forge on this machine: a bare repository whose post-receive hook runs the workflows that a push starts.

The workflows are the committed ones. `act` executes them on the host; third-party actions and AWS's API have
stand-ins, everything else is real.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from generator.adapters.shell import clean_environment

ROOT = Path(__file__).parents[2]
LIMIT = 900  # seconds of one workflow
SETTINGS = "forge.json"  # beside the bare repository: what its hook is told


@dataclass(frozen=True)
class Forge:
    """One repository and its runner; `artifacts` of each run lie in a folder of their own."""

    folder: Path
    name: str
    env: dict[str, str]
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    api: str = ""  # of GitHub's stand-in

    @property
    def bare(self) -> Path:
        return self.folder / "origin.git"

    def create(self) -> None:
        """The bare repository, with the hook."""
        subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", self.bare], check=True)
        kept = ("name", "env", "secrets", "variables", "api")
        settings = {name: getattr(self, name) for name in kept}
        (self.folder / SETTINGS).write_text(json.dumps(settings))
        hook = self.bare / "hooks/post-receive"
        hook.write_text(f"#!/bin/sh\nexec {sys.executable} -m tests.e2e.forge {self.folder}\n")
        hook.chmod(0o755)

    def received(self, line: str) -> None:
        """What a pushed ref starts; each run's output goes to the one who pushes, and is kept."""
        old, new, ref = line.split()
        if set(new) == {"0"} or not ref.startswith(("refs/heads/", "refs/tags/")):
            return
        for workflow in self._started_by(ref, old, new):
            self.run(workflow, "push", {"ref": ref, "after": new})

    def dispatch(self, workflow: str, *, ref: str = "refs/heads/main", **inputs: str) -> str:
        """Starts a workflow by hand, and returns what its run said."""
        return self.run(workflow, "workflow_dispatch", {"ref": ref, "inputs": inputs})

    def pull_request(self, number: int, branch: str, *, labels: Sequence[str] = ()) -> str:
        """Runs what a pull request of `branch` starts: on the merge result, as GitHub makes it."""
        with tempfile.TemporaryDirectory() as folder:
            clone = self._checkout(Path(folder), "refs/heads/main")
            for command in (
                ("merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", f"origin/{branch}"),
                ("push", "--quiet", "origin", f"HEAD:refs/pull/{number}/merge"),
            ):
                subprocess.run(["git", *command], cwd=clone, env=clean_environment(), check=True)
        about = {
            "number": number,
            "labels": [{"name": label} for label in labels],
            "head": {"ref": branch, "repo": {"full_name": self.name}},
            "base": {"ref": "main"},
            "user": {"login": "ada"},
        }
        payload = {"ref": f"refs/heads/{branch}", "number": number, "action": "opened", "pull_request": about}
        with tempfile.TemporaryDirectory() as folder:
            there = {
                path.name
                for path in (self._checkout(Path(folder), "refs/heads/main") / ".github/workflows").iterdir()
            }
        names = [name for name in ("pull-request.yml", "rehearse.yml") if name in there]
        return "\n".join(self.run(name, "pull_request", payload) for name in names)

    def run(self, workflow: str, event: str, payload: dict[str, Any], *, fails: bool = False) -> str:
        """Runs one workflow to its end. Raises AssertionError with its last lines where that is not as told."""
        number = len(list(self.folder.glob("run-*")))
        place = self.folder / f"run-{number}"
        place.mkdir()
        checkout = self._checkout(place, payload["ref"])
        for other in (checkout / ".github/workflows").iterdir():
            if other.name != workflow:
                other.unlink()
        owner = self.name.partition("/")[0]
        about = {"full_name": self.name, "default_branch": "main", "owner": {"login": owner}}
        (place / "event.json").write_text(json.dumps({**payload, "repository": about}))
        command = ["act-local", event, "-C", str(checkout), "-e", str(place / "event.json"), "--actor=ada"]
        command += [f"--env=GITHUB_API_URL={self.api}"] if self.api else []
        command += [f"--secret={key}={value}" for key, value in self.secrets.items()]
        command += [f"--var={key}={value}" for key, value in self.variables.items()]
        with (place / "log").open("w") as log:
            done = subprocess.run(
                command,
                env={**clean_environment(), **self.env, **self._runner(place, number)},
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=LIMIT,
                check=False,
            )
        said = (place / "log").read_text()
        if (done.returncode != 0) != fails:
            raise AssertionError(f"{workflow} ended with {done.returncode}; {place}/log ends:\n{said[-6000:]}")
        return said

    def _runner(self, place: Path, number: int) -> dict[str, str]:
        home = place / "home"
        home.mkdir()
        return {
            "HOME": str(home),
            "TESTBED_ARTIFACTS": str(place / "artifacts"),
            **_cut_off(),
            "TESTBED_CHECKOUT_URL": str(self.bare),
            "GITHUB_RUN_ID": str(4700 + number),
        }

    def _checkout(self, place: Path, ref: str) -> Path:
        folder = place / "checkout"
        branch = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        subprocess.run(
            ["git", "clone", "--quiet", "--branch", branch, self.bare, folder],
            env=clean_environment(),
            capture_output=True,
            check=True,
        )
        return folder

    def _started_by(self, ref: str, old: str, new: str) -> list[str]:
        """The workflows at `ref` that a push of it starts, by their own filters. A branch's first push starts none."""
        if ref.startswith("refs/heads/") and set(old) == {"0"}:
            return []
        with tempfile.TemporaryDirectory() as folder:
            workflows = self._checkout(Path(folder), ref) / ".github/workflows"
            found = []
            for path in sorted(workflows.glob("*.yml")):
                on = yaml.safe_load(path.read_text()).get(True) or {}
                push = on.get("push") or {} if isinstance(on, dict) else {}
                kind, _, name = ref.removeprefix("refs/").partition("/")
                patterns = push.get("tags" if kind == "tags" else "branches", [])
                if _match([name], patterns) and _match(self._changed(old, new), push.get("paths", ["*"])):
                    found.append(path.name)
        return found

    def _changed(self, old: str, new: str) -> list[str]:
        if set(old) == {"0"}:
            return ["*"]
        command = ["git", "-C", str(self.bare), "diff", "--name-only", old, new]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _match(names: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _cut_off() -> dict[str, str]:
    """Where the tests resolve nothing younger than a day, workflows may still install all that is in our lock."""
    given = os.environ.get("UV_EXCLUDE_NEWER")
    if given is None:
        return {}
    uploaded = re.findall(r'upload-time = "(\d{4}-\d\d-\d\d)T', (ROOT / "uv.lock").read_text())
    return {"UV_EXCLUDE_NEWER": max(given, f"{max(uploaded)}T23:59:59Z")}


def main() -> None:
    """The hook."""
    folder = Path(sys.argv[1])
    forge = Forge(folder, **json.loads((folder / SETTINGS).read_text()))
    for line in sys.stdin:
        try:
            forge.received(line)
        except AssertionError as error:
            print(error, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
