"""SemVer as far as releases need it."""

from __future__ import annotations

import pytest

from generator.errors import GeneratorError
from generator.version import Version


def test_order_is_semvers() -> None:
    texts = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
             "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"]  # fmt: skip
    assert sorted(map(Version.parse, reversed(texts))) == [Version(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    ["1", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3\n", "1.2.3-é", "1.2.3-" + "a" * 80, "١.٢.٣"],
)
def test_no_version(text: str) -> None:
    with pytest.raises(GeneratorError, match="is no version: use SemVer"):
        Version.parse(text)


def test_build_metadata_is_refused_with_the_fix() -> None:
    with pytest.raises(GeneratorError, match=r"tag '1\.2\.3' instead"):
        Version.parse("1.2.3+build.5")


@pytest.mark.parametrize(
    ("text", "part", "expected"),
    [
        ("1.2.3", "patch", "1.2.4"),
        ("1.2.3", "minor", "1.3.0"),
        ("1.2.3", "major", "2.0.0"),
        ("2.0.0-rc.1", "patch", "2.0.0"),
        ("2.0.0-rc.1", "minor", "2.0.0"),
        ("2.0.0-rc.1", "major", "2.0.0"),
        ("2.1.0-rc.1", "major", "3.0.0"),
        ("2.1.1-rc.1", "minor", "2.2.0"),
    ],
)
def test_bumped(text: str, part: str, expected: str) -> None:
    assert str(Version.parse(text).bumped(part)) == expected
