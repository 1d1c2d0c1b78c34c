"""Cron's five fields, as GitHub takes them for schedules: at least five minutes apart, no names like @daily."""

from __future__ import annotations

import re

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
# Name, lowest and highest number, and words for numbers from the lowest one on.
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_ITEM = re.compile(r"(?:(?P<all>\*)|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d{1,2}))?", re.ASCII)
LEAST = 5  # minutes between two runs; GitHub's own minimum


def checked(text: str) -> str:
    """`text`, if it is a schedule that GitHub runs. Raises ValueError that says what is wrong with it."""
    fields = text.split(" ")
    if len(fields) != len(_FIELDS):
        raise ValueError('must be five fields with one space between, such as "0 3 * * 1" (Mondays at 3:00 UTC)')
    minutes, hours, *_ = (_numbers(field, *about) for field, about in zip(fields, _FIELDS, strict=True))
    if _closest(minutes, hours) < LEAST:
        raise ValueError(f"must leave {LEAST} minutes between two runs: GitHub starts none more often")
    return text


def _numbers(field: str, name: str, lowest: int, highest: int, words: list[str]) -> list[int]:
    found: set[int] = set()
    for item in field.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"{field!r} is no {name}: use *, numbers, a-b, */n or a list of them")
        low = lowest if match["all"] else _number(match["low"], name, lowest, highest, words)
        high = _number(match["high"], name, lowest, highest, words) if match["high"] else low
        if match["all"] or (match["step"] and not match["high"]):
            high = highest
        step = int(match["step"] or 1)
        if step == 0 or low > high:
            raise ValueError(f"{item!r} is no {name}: it names none")
        found.update(range(low, high + 1, step))
    return sorted(found)


def _number(text: str, name: str, lowest: int, highest: int, words: list[str]) -> int:
    if text.upper() in words:
        return words.index(text.upper()) + lowest
    if not re.fullmatch(r"\d{1,2}", text, re.ASCII) or not lowest <= int(text) <= highest:
        raise ValueError(f"{text!r} is no {name}: it goes from {lowest} to {highest}")
    return int(text)


def _closest(minutes: list[int], hours: list[int]) -> int:
    """The fewest minutes between two runs of one day, or of it and the next."""
    times = [60 * hour + minute for hour in hours for minute in minutes]
    following = [*times[1:], times[0] + 24 * 60]
    return min(after - before for before, after in zip(times, following, strict=True))
