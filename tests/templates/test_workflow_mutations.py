"""Generated workflows that somebody weakened by hand: our rules, or else a linter, find each change.

Golden files would find them, too, but only in the two variants that have some.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import parts
from tests.checks.allowed import KINDS, kind_of
from tests.checks.rules import broken, workflow_of
from tests.checks.tools import TOOLS, how, installed
from tests.templates.workflow_variants import workflows
from tests.templates.workflow_variants import VARIANTS as ALL

# One of each way to log in and to push, with and without approvals, secrets, identities.
VARIANTS = ("everything", "app-approval", "key", "approval", "github-registry", "other-registry", "role-and-secrets", "own-runner",
    "index", "configuration-repository", "observe-eks-all-ways", "observe-kubeconfig",
)
LEAK = r"\g<0>          LEAK: ${{ %s }}\n"
ENV = r"^        env:\n"
GIVEN = r"^    permissions:\n"


@dataclass(frozen=True)
class Mutation:
    """A change at one place after another. Patterns are those of `re.MULTILINE`."""

    old: str
    new: str = ""
    but: str = "(?!)"  # jobs in which this is no weakening


def _added(right: str) -> Mutation:
    return Mutation(rf"{GIVEN}(?!(?:      .*\n)*      {right}:)", rf"\g<0>      {right}: write # a reason\n")


MUTATIONS = {
    # permissions
    "a right raised": Mutation(r"^( +[a-z-]+): read # ", r"\1: write # "),
    "a right without its reason": Mutation(r"^( +[a-z-]+: (?:read|write)) #.*$", r"\1"),
    "no rights at the top": Mutation(r"^permissions: \{\}.*\n"),
    "all rights at the top": Mutation(r"^permissions: \{\}", "permissions: write-all"),
    "some rights at the top": Mutation(r"^permissions: \{\}.*$", "permissions:\n  contents: read # all do"),
    "no rights in a job": Mutation(rf"{GIVEN}(?:      .*\n)+"),
    "all rights in a job": Mutation(rf"{GIVEN}(?:      .*\n)+", "    permissions: write-all\n"),
    "an approval's rights": Mutation(r"^    permissions: \{\}.*$", "    permissions:\n      contents: read # look"),
    "an identity": _added("id-token"),
    "packages": _added("packages"),
    "pull requests": _added("pull-requests"),
    "attestations": _added("attestations"),
    "every right of the App": Mutation(r"(?:^          permission-.*\n)+"),
    "another right of the App": Mutation(r"^          permission-", r"          permission-workflows: write # why\n\g<0>"),
    "every repository of the App": Mutation(r"^          repositories:.*\n"),
    "another repository of the App": Mutation(r'^(          repositories: "[^"]+)"', r'\1,churn"'),
    # pins
    "another commit": Mutation(r"@[0-9a-f]{40} #", "@0123456789012345678901234567890123456789 #"),
    "another version of the same commit": Mutation(r"( # v\d+\.\d+)\.\d+$", r"\1.99"),
    "an older version": Mutation(r"@[0-9a-f]{40} # v.*$", "@0123456789012345678901234567890123456789 # v0.1.0"),
    "a tag": Mutation(r"@[0-9a-f]{40} # (v.*)$", r"@\1"),
    "a tag that says its version": Mutation(r"@[0-9a-f]{40} # (v.*)$", r"@\1 # \1"),
    "a commit without a version": Mutation(r"(@[0-9a-f]{40}) # v.*$", r"\1"),
    "half a commit": Mutation(r"(@[0-9a-f]{7})[0-9a-f]{33}", r"\1"),
    "another owner": Mutation(r"uses: [\w-]+/", "uses: someone/"),
    "a package without hashes": Mutation(r" --require-hashes", ""),
    "a package that is built": Mutation(r" --only-binary :all:", ""),
    "the command's dependencies": Mutation(r" --no-deps", ""),
    "what builds the command": Mutation(r" --no-build-isolation", ""),
    "settings of the repository": Mutation(r"^          UV_NO_CONFIG.*\n"),
    "any uv": Mutation(r'^          version: "\d.*\n'),
    "credentials of any account": Mutation(r"^          allowed-account-ids.*\n"),
    # values in shell
    "an expression in a script": Mutation(r'"\$([A-Z_]+)"', r"${{ env.\1 }}"),
    "a variable without quotes": Mutation(r'"(\$[A-Z_]+)"', r"\1"),
    "a path without quotes": Mutation(r'"(\$RUNNER_TEMP/[a-z/]+)"', r"\1"),
    # secrets
    "a token stays": Mutation(r"^          persist-credentials.*\n"),
    "a token is kept": Mutation(r"persist-credentials: false", "persist-credentials: true"),
    "a cache by default": Mutation(r"^          enable-cache.*\n"),
    "a cache": Mutation(r"enable-cache: false", "enable-cache: true"),
    "a training secret elsewhere": Mutation(ENV, LEAK % "secrets.WAREHOUSE_TOKEN", but="train"),
    "the App's key elsewhere": Mutation(ENV, LEAK % "secrets.TAGSHIP_APP_PRIVATE_KEY", but="deploy|to-.*|rollback.*|refresh"),
    "the deploy key elsewhere": Mutation(ENV, LEAK % "secrets.TAGSHIP_DEPLOY_KEY", but="deploy|to-.*|rollback.*|refresh"),
    "the registry's password elsewhere": Mutation(ENV, LEAK % "secrets.REGISTRY_PASSWORD", but="publish"),
    "all secrets": Mutation(ENV, LEAK % "toJSON(secrets)"),
    "a secret by a name of its own": Mutation(ENV, LEAK % "secrets[github.actor]"),
    "the token elsewhere": Mutation(ENV, LEAK % "github.token", but="publish|deploy|observe.*|to-.*|rollback.*|refresh|preview|announce"),
    "the token by its other name": Mutation(ENV, LEAK % "secrets.GITHUB_TOKEN"),
    "a secret for all jobs": Mutation(r"^jobs:\n", r"env:\n  LEAK: ${{ secrets.WAREHOUSE_TOKEN }}\n\g<0>"),
    "no environment": Mutation(r"^    environment: .*\n"),
    "another environment": Mutation(r"^    environment: .*$", "    environment: anyone"),
    "the environment of another job": Mutation(r"^    environment: tagship-publish$", "    environment: tagship-train"),
    # what starts, and after what
    "strangers' pull requests": Mutation(r"^  pull_request:", "  pull_request_target:"),
    "another workflow": Mutation(r"^(on:\n)", r"\1  workflow_run: {workflows: [CI]}\n"),
    "comments": Mutation(r"^(on:\n)", r"\1  issue_comment:\n"),
    "branches": Mutation(r"^    tags: \[.*$", "    branches: [main]"),
    "branches, too": Mutation(r"^    tags: \[.*\n", r"\g<0>    branches: [main]\n"),
    "any branch": Mutation(r"^    branches: \[.*$", '    branches: ["**"]'),
    "no order": Mutation(r"^    needs: .*\n"),
    "another promotion": Mutation(r"^    if: inputs\.environment == .*\n"),
    "after a failure": Mutation(r"^    timeout-minutes: ", r"    if: ${{ always() }}\n\g<0>", but="(approve|to|rehearse|observe|rollback)-.*|preview|announce|rollback"),
    "a stage after a failure": Mutation(r"^        run: generator stage", r"        if: always()\n\g<0>"),
    "errors that do not count": Mutation(r"^        run: generator ", r"        continue-on-error: true\n\g<0>"),
    "a job whose errors do not count": Mutation(r"^    timeout-minutes: ", r"    continue-on-error: true\n\g<0>"),
    "no group": Mutation(r"^concurrency:\n(?:  .*\n)+"),
    "a group whose runs are ended": Mutation(r"^  cancel-in-progress: false", "  cancel-in-progress: true"),
    "no group of a job": Mutation(r"^    concurrency:\n(?:      .*\n)+"),
    "a job that others end": Mutation(r"^      cancel-in-progress: false", "      cancel-in-progress: true"),
    "no time limit": Mutation(r"^    timeout-minutes: .*\n"),
    "a runner that changes": Mutation(r"ubuntu-24\.04", "ubuntu-latest"),
    "somebody's runner": Mutation(r"^    runs-on: .*$", "    runs-on: self-hosted", but="train"),
    "a runner without a word": Mutation(r" # zizmor: ignore.*$"),
    "what is nowhere": Mutation(r"\$\{\{ github\.ref \}\}", "${{ github.reff }}"),
}
# Those that a linter finds, and no rule of ours has to.
LEFT_TO = {"a runner without a word": "zizmor", "what is nowhere": "actionlint"}


def mutants(mutation: Mutation) -> Iterator[tuple[str, str]]:
    """(name of a workflow, its changed text), each with one change; in equal jobs equal texts change once."""
    seen = set()
    for path, text in (item for variant in VARIANTS for item in workflows(variant).items()):
        starts = [place.start() for place in re.finditer(r"^  (?=[\w-]+:\n    name:)", text, re.MULTILINE)]
        parts_of = [text[start:end] for start, end in zip([0, *starts], [*starts, len(text)], strict=True)]
        for i, part in enumerate(parts_of):
            job = part.split(":")[0].strip() if i else ""
            for place in re.finditer(mutation.old, part, re.MULTILINE):
                once = (path, part, place[0])
                if once not in seen and not re.fullmatch(mutation.but, job):
                    seen.add(once)
                    changed = part[: place.start()] + place.expand(mutation.new) + part[place.end() :]
                    yield Path(path).name, "".join((*parts_of[:i], changed, *parts_of[i + 1 :]))


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_weakened_workflow_is_found(name: str, tmp_path: Path) -> None:
    files = []
    for number, (workflow, text) in enumerate(mutants(MUTATIONS[name])):
        files.append(tmp_path / str(number) / workflow)
        files[-1].parent.mkdir()
        files[-1].write_text(text, encoding="utf-8")
    assert files, "nothing to weaken: does the pattern still fit the templates?"
    missed = [file for file in files if not broken(file)]
    if missed and (tool := LEFT_TO.get(name)):
        if not installed(tool):
            parts.absent(tool, how(tool))
        missed = [file for file in missed if not TOOLS[tool]([file])]
    assert missed == []


def test_the_table_allows_nothing_that_no_workflow_has() -> None:
    """Each row, and each of its rights, is some job's; `ci` is this repository's own."""
    used: set[tuple[str, str]] = set()
    for path, text in {item for variant in ALL for item in workflows(variant).items()}:
        kind = kind_of(Path(path).name)
        assert kind is not None
        for name, job in workflow_of(text)["jobs"].items():
            row = next(row.job for row in kind.jobs if re.fullmatch(row.job, name))
            used |= {(row, "")} | {(row, f"{scope}: {access}") for scope, access in job["permissions"].items()}
    rows = [row for name, kind in KINDS.items() if name != "ci" for row in kind.jobs]
    assert {(row.job, right) for row in rows for right in ("", *row.rights)} - used == set()
