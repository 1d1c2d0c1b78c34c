"""Schedules: what GitHub would run, and what it would refuse or silently leave out."""

from __future__ import annotations

import pytest

from generator.config.cron import checked


@pytest.mark.parametrize(
    "text",
    ["0 3 * * 1", "*/5 * * * *", "0 3 * JAN-MAR mon-fri", "1/10 3 * * *", "0,30 6-18/2 1,15 * *", "0 0 31 12 6"],
)
def test_a_schedule(text: str) -> None:
    assert checked(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0 3 * *", "five fields"),
        ("0  3 * * 1", "five fields"),
        ("@daily", "five fields"),
        ("61 3 * * *", "'61' is no minute: it goes from 0 to 59"),
        ("0 24 * * *", "no hour"),
        ("0 3 0 * *", "no day of the month"),
        ("0 3 * 13 *", "no month"),
        ("0 3 * * 7", "no day of the week"),
        ("0 3 5-2 * *", "it names none"),
        ("*/0 3 * * *", "it names none"),
        ("0 3 * * $(id)", "is no day of the week"),
        ("0 3 * * 1\n", "no day of the week"),
        ("* * * * *", "5 minutes between two runs"),
        ("*/4 * * * *", "5 minutes"),
        ("0,57 * * * *", "5 minutes"),
        ("0,58 23,0 * * *", "5 minutes"),
    ],
)
def test_no_schedule(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        checked(text)
    assert why in str(refused.value)
