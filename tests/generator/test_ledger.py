"""The ledger: what it accepts, what it refuses, and how it reads."""

from __future__ import annotations

import pytest

from generator.errors import GeneratorError, InvalidInput
from generator.ledger import Entry, Ledger, Rejected, read_ledger


def entry(version: str, digest: str = "a") -> Entry:
    return Entry(
        version=version,
        digest="sha256:" + digest * 64,
        run="0" * 32,
        registered=3,
        commit="c" * 40,
        metrics={"accuracy": 0.91, "odd": "NaN"},
        at="2026-11-21T10:00:00Z",
        by='Ada 🦊 O\'Hara: "x" # \\',
    )


EMPTY = Ledger(model="churn", environment="production")


def test_it_reads_back_as_written() -> None:
    ledger = EMPTY.with_release(entry("1.0.0")).with_release(entry("1.1.0", "b"))
    assert read_ledger(EMPTY.text(), "r") == EMPTY
    assert read_ledger(ledger.text(), "r") == ledger
    assert [e.version for e in ledger.history] == ["1.0.0"]


def test_a_ledger_of_before_is_written_as_it_was() -> None:
    """Two branches that change other lines must not meet in this one."""
    text = EMPTY.with_release(entry("1.0.0")).text()
    assert "load_seconds" not in text
    again = read_ledger(text, "r")
    assert again.text() == text
    newer = again.with_release(entry("1.1.0", "b").model_copy(update={"load_seconds": 2.5}))
    assert newer.text().count("load_seconds") == 1
    assert read_ledger(newer.text(), "r") == newer
    assert text.splitlines()[4].removeprefix("current: ") in newer.text(), "the older entry's own line"


@pytest.mark.parametrize("name", ["null", "true", "on", "e1"])
def test_a_name_that_yaml_would_read_as_something_else(name: str) -> None:
    ledger = Ledger(model=name, environment=name)
    assert read_ledger(ledger.text(), "r") == ledger


def test_current_and_rejected_are_adjacent_lines() -> None:
    lines = EMPTY.with_release(entry("1.0.0")).text().splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("current: "))
    assert lines[place + 1].startswith("rejected: ")


def test_only_newer_versions_are_accepted() -> None:
    ledger = EMPTY.with_release(entry("1.1.0"))
    for version in ("1.1.0", "1.0.9", "1.1.0-rc.1"):
        with pytest.raises(GeneratorError, match=r"is not newer than 1\.1\.0"):
            ledger.with_release(entry(version, "b"))
    older = ledger.with_release(entry("1.0.0", "b"), older_because="customers need it")
    assert older.current and older.current.version == "1.0.0"
    with pytest.raises(GeneratorError, match=r"is not newer than 1\.1\.0, the highest"):
        older.with_release(entry("1.0.5", "d"))


@pytest.mark.parametrize("again", [entry("1.0.0", "b"), entry("1.2.0", "a")])
def test_a_rejected_version_or_digest_stays_away(again: Entry) -> None:
    bad = Rejected(version="1.0.0", digest="sha256:" + "a" * 64, reason="wrong labels", at="2026-11-21T10:00:00Z")
    ledger = EMPTY.model_copy(update={"rejected": (bad,)})
    with pytest.raises(GeneratorError, match="was rejected in production: wrong labels"):
        ledger.with_release(again, older_because="please")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema_version: 1", "schema_version: 2", "r:2:17"),
        ('model: "churn"', "model: ../x", "r:3:8"),
        ("rejected: []", "rejected: 1", "r:6:11"),
        ("history: []", "histroy: []", "r:7:10"),
        ("current: null", "current: {version: 1}", "r:5:"),
    ],
)
def test_a_damaged_ledger_names_the_place(old: str, new: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_ledger(EMPTY.text().replace(old, new), "r")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("serving", "version"), [("a", "1.0.0"), ("b", "1.1.0"), (None, "1.1.0"), ("c", "1.1.0"), ("f", "1.1.0")]
)
def test_it_goes_back_to_what_serves_where_that_ran_here(serving: str | None, version: str) -> None:
    ledger = EMPTY
    for name, digest in (("1.0.0", "a"), ("1.1.0", "b"), ("1.2.0", "c")):
        ledger = ledger.with_release(entry(name, digest))
    back = ledger.rolled_back(
        None, reason="bad", at="2026-11-22T10:00:00Z", by="Ada", serving=serving and f"sha256:{serving * 64}"
    )
    assert back.current
    assert back.current.version == version


def test_what_serves_and_was_rejected_does_not_come_back() -> None:
    bad = Rejected(version="1.0.0", digest="sha256:" + "a" * 64, reason="bad", at="2026-11-21T10:00:00Z")
    ledger = EMPTY
    for name, digest in (("1.0.0", "a"), ("1.1.0", "b"), ("1.2.0", "c")):
        ledger = ledger.with_release(entry(name, digest))
    ledger = ledger.model_copy(update={"rejected": (bad,)})
    back = ledger.rolled_back(None, reason="bad", at="2026-11-22T10:00:00Z", by="Ada", serving=bad.digest)
    assert back.current
    assert back.current.version == "1.1.0"
