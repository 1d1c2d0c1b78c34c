"""Strict YAML: what is read, what is refused, and where the message points."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.errors import InvalidInput
from generator.yamlio import MAX_BYTES, parse, quote, read


def test_values_follow_the_core_schema() -> None:
    text = "a: on\nb: yes\nc: true\nd: 0x1F\ne: 1e3\nf: 2020-01-01\ng:\nh: 'x'\ni: [1, {j: 2.5}]\n"
    assert parse(text, "f").data == {
        "a": "on", "b": "yes", "c": True, "d": 31, "e": 1000.0, "f": "2020-01-01", "g": None, "h": "x",
        "i": [1, {"j": 2.5}],
    }  # fmt: skip


def test_every_place_is_known() -> None:
    document = parse("a: 1\nb:\n  - x\n  - {c: 2}\n", "f")
    assert document.keys[("b",)] == (2, 1)
    assert document.values[("b", 1, "c")] == (4, 9)
    assert str(document.problem(("b", 7, "z"), "odd")) == "f:3:3: odd"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: *x\n", "f:1:4: anchors and aliases (&, *) are refused"),
        ("a: 1\nb: 2\na: 3\n", "f:3:1: 'a' is given twice, first in line 1"),
        ("? [x]\n: 1\n", "f:1:3: a key must be a plain word"),
        ("a: !!python/object:os.system 1\n", "f:1:4: tag"),
        ("a: !!set {b}\n", "f:1:4: tag"),
        ("[" * 5000, "f:1:21: nested deeper than 20 levels"),
        ("a: [\n", "is not valid YAML"),
        ("a: b: c\n", "is not valid YAML"),
        ("a: \x07\n", "f:1:4: control character U+0007 is refused"),
        ("a: 1\n---\nb: 2\n", "f:2:1: is not valid YAML"),
        ("a: " + "9" * 5000 + "\n", "is no number"),
        ("\ta: 1\n", "is not valid YAML"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(text, "f")
    assert message in str(refused.value)


def test_wrong_encoding_names_the_byte(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(InvalidInput, match=r"^m:2:7: byte 0xe9 is not UTF-8"):
        read(tmp_path / "m", "m")
    (tmp_path / "m").write_bytes("a: 1\n".encode("utf-16"))
    with pytest.raises(InvalidInput, match=r"^m:1:1: byte 0xff is not UTF-8"):
        read(tmp_path / "m", "m")


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(tmp_path / "m", "m").data == {"a": 1}


def test_too_large_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"a" * (MAX_BYTES + 1))
    with pytest.raises(InvalidInput, match="larger than 256 KiB"):
        read(tmp_path / "m", "m")


@given(st.text())
def test_any_text_is_data_or_a_clear_error(text: str) -> None:
    try:
        parse(text, "f")
    except InvalidInput as refused:
        assert all(problem.line >= 1 for problem in refused.problems)


@given(st.text())
def test_a_quoted_value_reads_back(text: str) -> None:
    plain = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    quoted = quote(plain)
    assert "\n" not in quoted
    assert parse(f"a: {quoted}\n", "f").data == {"a": plain}
