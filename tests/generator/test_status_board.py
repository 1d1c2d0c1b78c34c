"""What `generator status --live` and `--watch` put on terminals: whatever their size, no word of it is cut."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console
from rich.live import Live

from generator.cli.status_board import board
from generator.watching.standing import Standing, State

AT = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
WHY = "the registry does not let the cluster pull the image; give the nodes' role the right to"
TITLES = "model environment state version since for took address in"
DEPLOYED = Standing(
    "churn-predictor",
    "production",
    "eu-central",
    State.DEPLOYED,
    "1.12.0",
    "2026-11-20T10:00:00Z",
    95,
    "https://churn.models.example.com",
)
FAILED = replace(
    DEPLOYED, cluster="us-east", state=State.FAILED, since="2026-11-22T11:48:00Z", took=None, detail=WHY
)
DEPLOYING = replace(FAILED, cluster="", state=State.DEPLOYING, detail="1 of 2 pods ready")
EMPTY = Standing("demand", "staging", "", State.EMPTY)
ROWS = [DEPLOYED, FAILED, DEPLOYING, EMPTY]
SAID = (
    """
churn-predictor production eu-central deployed 1.12.0 2026-11-20 2 d 2 h 1 min 35 s https://churn.models.example.com
us-east failed 11:48 12 min deploying 1 of 2 pods ready demand staging never released
"""
    + WHY
)


def shown(rows: list[Standing], width: int, height: int | None = None) -> list[str]:
    """On a terminal of that size; with `height` as `--watch` leaves it there."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, height=height or 25, force_terminal=True, color_system=None, soft_wrap=True
    )
    if height is None:
        console.print(board(rows, AT, console))
    else:
        with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
            live.update(board(rows, AT, console, height=height))
    return [line.rstrip() for line in out.getvalue().replace("\x1b[?25l", "").split("\x1b[")[0].splitlines()]


@pytest.mark.parametrize("height", [None, 100])
@pytest.mark.parametrize("width", [240, 140, 120, 100, 80, 60, 40])
def test_no_width_cuts_a_word(width: int, height: int | None) -> None:
    lines = shown(ROWS, width, height)
    words = {word.rstrip(",") for line in lines for word in line.split()}
    assert set(SAID.split()) <= words <= {*SAID.split(), *TITLES.split()}, lines
    assert all(len(line) <= width for line in lines), lines


def test_what_has_no_column_stands_under_its_row() -> None:
    assert shown(ROWS, 140)[1:3] == [
        "churn-predictor  production eu-central  deployed        1.12.0   2026-11-20  2 d 2 h  1 min 35 s"
        "  https://churn.models.example.com",
        "churn-predictor  production us-east     failed          1.12.0   11:48       12 min"
        "               https://churn.models.example.com",
    ]
    assert shown(ROWS, 100)[1:4] == [
        "churn-predictor  production eu-central  deployed        1.12.0   2026-11-20  2 d 2 h",
        "    took 1 min 35 s, https://churn.models.example.com",
        "churn-predictor  production us-east     failed          1.12.0   11:48       12 min",
    ]
    assert shown(ROWS, 80)[:3] == [
        "churn-predictor in production eu-central",
        "    deployed 1.12.0, since 2026-11-20, for 2 d 2 h, took 1 min 35 s,",
        "    https://churn.models.example.com",
    ]
    plain = [replace(DEPLOYED, model="churn", cluster="")]
    assert shown(plain, 80)[1] == "churn  production   deployed  1.12.0   2026-11-20  2 d 2 h"


def test_an_address_is_whole_for_who_copies_it_and_folded_where_lines_are_counted() -> None:
    where = "https://" + "a" * 90 + ".example.com"
    rows = [replace(DEPLOYED, address=where)]
    assert f"    {where}" in shown(rows, 80)
    lines = shown(rows, 80, 24)
    assert lines[3:] == [f"    {where[:76]}", f"    {where[76:]}"]


def test_what_does_not_fit_is_counted_and_what_failed_is_not_among_it() -> None:
    many = [replace(DEPLOYED, model=f"model-{number}", cluster="") for number in range(30)]
    many[17] = replace(FAILED, model="model-17", cluster="")
    many[29] = replace(DEPLOYING, model="model-29")
    for width, height in ((140, 24), (80, 24), (80, 12), (60, 12)):
        lines = shown(many, width, height)
        assert len(lines) <= height
        text = " ".join(" ".join(lines).split())
        assert "failed" in text.partition("model-17")[2]
        assert WHY in text
        assert "1 of 2 pods ready" in text.partition("model-29")[2]
        left = 30 - text.count("model-")
        assert lines[-1] == f"and {left} more: {left} deployed"


def test_the_count_of_the_rest_takes_one_line() -> None:
    states = (State.UNSEEN, State.TRAINING, State.DEPLOYING, State.DEPLOYED, State.EMPTY)
    many = [replace(DEPLOYED, model=f"model-{number}", state=states[number % 5]) for number in range(20)]
    for width in (30, 50):
        lines = shown(many, width, 25)
        assert len(lines) <= 25
        assert lines[-1].startswith("and ")


def test_failures_that_do_not_fit_are_counted_first() -> None:
    many = [DEPLOYED, *(replace(FAILED, model=f"model-{number}") for number in range(9))]
    assert shown(many, 140, 6)[-1] == "and 8 more: 7 failed, 1 deployed"


def test_all_rows_are_there_where_they_fit_exactly() -> None:
    assert "more" not in " ".join(shown(ROWS, 140, 7))
    assert shown(ROWS, 140, 6)[-1] == "and 2 more: 1 deployed, 1 never released"
