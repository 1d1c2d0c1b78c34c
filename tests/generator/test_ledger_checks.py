"""Ledgers that contradict themselves, each other, or what they said before: every one refused, with its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from generator.errors import Problem
from generator.ledger import HISTORY, Entry, Ledger, Rejected
from generator.ledger_checks import Placed, contradictions, placed, refused_changes
from generator.overlay import with_image
from tests.generator.repositories import commit_all, git, publish
from tests.generator.test_cli import generator
from tests.generator.workspaces import model_yaml, write

REPOSITORY = "123456789012.dkr.ecr.eu-north-1.amazonaws.com/churn"
TWO = model_yaml("deploy: {environments: {staging: {}, production: {}}}\npipeline: {install: .}\n")


def entry(version: str, digit: str = "", **other: object) -> Entry:
    """An entry whose digest and time follow from its version, unless said otherwise."""
    minor = int(version.split(".")[1])
    values = {
        "version": version, "digest": "sha256:" + (digit * 64 or f"{minor:064x}"), "run": "1" * 32,
        "commit": "c" * 40, "at": f"2026-01-01T{minor // 60:02}:{minor % 60:02}:00Z", "by": "Ada",
    }  # fmt: skip
    return Entry.model_validate(values | other)


def ledger(environment: str, *versions: str | Entry, rejected: tuple[Rejected, ...] = ()) -> Ledger:
    """A ledger of entries, newest first."""
    entries = [item if isinstance(item, Entry) else entry(item) for item in versions]
    current = entries[0] if entries else None
    return Ledger(
        model="churn", environment=environment, current=current, history=tuple(entries[1:]), rejected=rejected
    )


def bad(version: str, digit: str = "", *, digest: str = "") -> Rejected:
    item = entry(version, digit)
    return Rejected(version=version, digest=digest or item.digest, reason="answers nonsense", at=item.at)


def on_disk(*ledgers: Ledger) -> dict[str, Placed]:
    found = {}
    for item in ledgers:
        placed_ = placed(item.text(), f"{item.environment}.yaml")
        assert placed_
        found[item.environment] = placed_
    return found


def said(problems: list[Problem]) -> list[str]:
    return [f"{item.file}:{item.line}: {item.message}" for item in problems]


@pytest.mark.parametrize(
    "ledgers",
    [
        (ledger("staging"), ledger("production")),
        (ledger("staging", "1.1.0", "1.0.0"), ledger("production")),
        (ledger("staging", "1.1.0", "1.0.0"), ledger("production", "1.0.0")),
        (ledger("staging", "1.0.0", "1.1.0", "1.0.0", rejected=(bad("1.1.0"),)), ledger("production", "1.1.0")),
        # Staging is younger than production, or was never used.
        (ledger("staging", "1.5.0"), ledger("production", "1.0.0")),
        (ledger("staging"), ledger("production", "1.0.0")),
        # Production went back to what ran there before staging was made.
        (
            ledger("staging", "1.5.0"),
            ledger("production", entry("1.0.0", at="2026-05-01T00:00:00Z"), "1.5.0", "1.0.0", rejected=(bad("1.5.0"),)),
        ),
        # What staging's history no longer holds.
        (ledger("staging", *(f"1.{n}.0" for n in range(HISTORY + 9, 8, -1))), ledger("production", "1.5.0")),
    ],
)  # fmt: skip
def test_ledgers_in_order(ledgers: tuple[Ledger, ...]) -> None:
    assert said(contradictions(on_disk(*ledgers))) == []


@pytest.mark.parametrize(
    ("ledgers", "message"),
    [
        (
            (ledger("production", "1.1.0", rejected=(bad("1.1.0"),)),),
            "production.yaml:5: its current version 1.1.0 is rejected (answers nonsense); roll back",
        ),
        (
            (ledger("production", "1.1.0", rejected=(bad("1.0.0", digest=entry("1.1.0").digest),)),),
            "production.yaml:5: its current version 1.1.0 is rejected (answers nonsense); roll back",
        ),
        (
            (ledger("production", "1.1.0", entry("1.1.0", "f")),),
            "production.yaml:8: version 1.1.0 stands there with two digests; a version is released once",
        ),
        (
            (ledger("production", "1.2.0", "1.1.0", rejected=(bad("1.1.0", "f"),)),),
            "production.yaml:6: version 1.1.0 stands there with two digests; a version is released once",
        ),
        (
            (ledger("staging", "1.2.0", "1.1.0"), ledger("production", "1.2.0", entry("1.1.0", "f"))),
            "production.yaml:8: version 1.1.0 has another digest in staging; a digest is promoted, never rebuilt",
        ),
        (
            (ledger("staging", "1.3.0", "1.1.0"), ledger("production", "1.2.0")),
            "production.yaml:5: 1.2.0 with this digest never ran in staging, the environment before: release it "
            "there first, then promote it",
        ),
        (
            (Ledger(model="churn", environment="production", history=(entry("1.0.0"),)),),
            "production.yaml:5: has a history but no current release; restore it with git",
        ),
    ],
)
def test_each_contradiction_is_said_with_its_line(ledgers: tuple[Ledger, ...], message: str) -> None:
    assert said(contradictions(on_disk(*ledgers))) == [message]


def changes(base: Mapping[str, Placed], head: Mapping[str, Placed]) -> list[str]:
    return said(refused_changes(base, head))


def test_what_tagship_itself_does_is_no_refused_change() -> None:
    before = ledger("production", "1.1.0", "1.0.0")
    after = before.with_release(entry("1.2.0"))
    assert changes(on_disk(before), on_disk(after)) == []
    back = before.rolled_back(None, reason="bad", at="2026-02-01T00:00:00Z", by="Grace")
    assert changes(on_disk(before), on_disk(back)) == []
    assert changes(on_disk(before), on_disk(before)) == []


def test_a_full_history_loses_its_oldest_alone() -> None:
    before = ledger("production", *(f"1.{n}.0" for n in range(HISTORY, -1, -1)))
    after = before.with_release(entry("1.90.0", "a")).with_release(entry("1.91.0", "b"))
    assert changes(on_disk(before), on_disk(after)) == []
    middle = after.model_copy(update={"history": (*after.history[:9], *after.history[10:], entry("1.0.0"))})
    assert [line.split(" as the")[0] for line in changes(on_disk(before), on_disk(middle))] == [
        f"production.yaml:8: no longer has the entry of {version}" for version in ("1.42.0", "1.1.0")
    ]


def test_a_promotion_of_what_was_rejected_meanwhile() -> None:
    """Each branch is fine alone, they touch different files, and Git merges them."""
    before = on_disk(
        ledger("staging", "1.0.0", "1.1.0", "1.0.0", rejected=(bad("1.1.0"),)), ledger("production", "1.0.0")
    )
    merged = on_disk(before["staging"].ledger, ledger("production", "1.1.0", "1.0.0"))
    assert changes(before, merged) == [
        "production.yaml:5: promotes 1.1.0, which was rejected in staging: answers nonsense"
    ]


def test_a_promotion_past_the_environment_before() -> None:
    before = on_disk(ledger("staging"), ledger("production"))
    assert changes(before, on_disk(ledger("staging"), ledger("production", "1.0.0"))) == [
        "production.yaml:5: 1.0.0 with this digest never ran in staging, the environment before: release it there "
        "first, then promote it"
    ]


def test_a_rollback_in_production_asks_nothing_of_staging() -> None:
    before = ledger("production", "1.5.0", "1.0.0")
    back = before.rolled_back(None, reason="bad", at="2026-02-01T00:00:00Z", by="Grace")
    staging = ledger("staging", "1.5.0")
    assert changes(on_disk(staging, before), on_disk(staging, back)) == []


def test_an_older_version_over_a_newer_one() -> None:
    before, stale = ledger("production", "1.2.0", "1.0.0"), ledger("production", "1.1.0", "1.2.0", "1.0.0")
    assert changes(on_disk(before), on_disk(stale)) == [
        "production.yaml:5: goes back from 1.2.0 to 1.1.0 without rejecting 1.2.0: use `generator rollback production`"
    ]


def test_history_and_rejections_only_grow() -> None:
    before = ledger("production", "1.2.0", "1.1.0", "1.0.0", rejected=(bad("1.3.0"),))
    after = ledger("production", "1.2.0", entry("1.1.0", metrics={"accuracy": 1.0}))
    assert changes(on_disk(before), on_disk(after)) == [
        "production.yaml:6: no longer says that 1.3.0 is rejected (answers nonsense); a rejection stays: restore it",
        *(
            f"production.yaml:8: no longer has the entry of {version} as the base branch has it; history only grows: "
            "restore it, or make this change anew on the base branch's head"
            for version in ("1.1.0", "1.0.0")
        ),
    ]


def test_a_damaged_ledger_of_the_base_is_not_compared() -> None:
    assert placed("schema_version: 2\n", "x") is None
    assert placed(None, "x") is None


def settle(root: Path, *ledgers: Ledger) -> str:
    """Writes ledgers and the digests that belong to them, and commits."""
    for item in ledgers:
        overlay = root / "k8s/overlays" / item.environment
        (overlay / "release.yaml").write_text(item.text())
        text = (overlay / "kustomization.yaml").read_text()
        digest = item.current.digest if item.current else "sha256:" + "0" * 64
        text = with_image(text, "k", repository=REPOSITORY, digest=digest)
        (overlay / "kustomization.yaml").write_text(text)
    return commit_all(root, "Ledgers")


def test_the_required_check_refuses_a_merge_that_git_makes_without_a_conflict(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    publish(write(root, TWO), tmp_path / "origin.git")
    generator("lock", cwd=root)
    staging = ledger("staging", "1.1.0", "1.0.0")
    settle(root, staging, ledger("production", "1.0.0"))
    git(root, "switch", "--quiet", "--create", "promotion")
    settle(root, ledger("production", "1.1.0", "1.0.0"))
    assert generator("validate", "--changed", "main", cwd=root).returncode == 0
    git(root, "switch", "--quiet", "main")
    settle(root, staging.rolled_back(None, reason="doubles prices", at="2026-02-01T00:00:00Z", by="Grace"))
    git(root, "merge", "--quiet", "--no-edit", "promotion")
    done = generator("validate", "--changed", "main~1", cwd=root)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "error: k8s/overlays/production/release.yaml:5:22: promotes 1.1.0, which was rejected in staging: "
        "doubles prices"
    )
    assert generator("validate", cwd=root).returncode == 0, "in the history of both it is no contradiction"


def test_a_ledger_that_a_change_removes(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    publish(write(root), tmp_path / "origin.git")
    (root / "k8s/overlays/production/release.yaml").unlink()
    commit_all(root, "Gone")
    done = generator("validate", "--changed", "main~1", cwd=root)
    assert "production/release.yaml: is gone; restore it with git: a ledger is never removed" in done.stderr
