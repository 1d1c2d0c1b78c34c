"""Pins of actions, and which of Dependabot's are kept."""

from __future__ import annotations

import pytest

from generator.plan.pins import CHECKOUT, PINS, UPLOAD, UV_VERSION, keep_newer_pins
from generator.render import data_text
from tests.checks.lock import version_of
from tests.templates.workflow_variants import VARIANTS, workflows

NEW, OTHER = "a" * 40, "b" * 40
PLANNED = f"""\
jobs:
  one:
    steps:
      - name: Check out
        uses: {CHECKOUT.uses}
      - uses: {UPLOAD.uses}
  two:
    steps:
      - uses: {CHECKOUT.uses}
"""


def with_checkout(rest: str) -> str:
    """The planned text with another pin of checkout."""
    return PLANNED.replace(CHECKOUT.uses, f"{CHECKOUT.action}@{rest}")


@pytest.mark.parametrize("tag", ["v7.0.2", "v7.1.0", "v8.0.0", "v10.0.0", "v8"])
def test_a_newer_pin_is_kept(tag: str) -> None:
    existing = with_checkout(f"{NEW} # {tag}")
    assert keep_newer_pins(PLANNED, existing) == existing


@pytest.mark.parametrize(
    "rest",
    [
        f"{CHECKOUT.sha} # {CHECKOUT.tag}",
        f"{NEW} # v7.0.0",
        f"{NEW} # v6.9.9",
        f"{NEW} # v7",
        f"{NEW} # {CHECKOUT.tag}",
        NEW,
        f"{NEW} # main",
        f"{NEW} # v8.0.0-beta",
        "v8.0.0",
        "v8.0.0 # v8.0.0",
        f"{NEW[:39]} # v8.0.0",
        f"{'A' * 40} # v8.0.0",
        f"{NEW} # v8.0.0 or so",
    ],
    ids=lambda rest: rest.replace(NEW, "NEW"),
)
def test_any_other_pin_is_not_kept(rest: str) -> None:
    """Older, the same version under another commit, no version, a tag, half a commit."""
    assert keep_newer_pins(PLANNED, with_checkout(rest)) == PLANNED


def test_the_newest_of_several_pins_goes_everywhere() -> None:
    existing = (
        f"      - uses: {CHECKOUT.action}@{OTHER} # v7.1.0\n      - uses: {CHECKOUT.action}@{NEW} # v7.2.0\n"
    )
    assert keep_newer_pins(PLANNED, existing) == with_checkout(f"{NEW} # v7.2.0")


def test_an_action_that_is_not_planned_is_not_brought_in() -> None:
    existing = PLANNED.replace(CHECKOUT.action, "someone/checkout").replace(CHECKOUT.tag, "v9.0.0")
    assert keep_newer_pins(PLANNED, existing) == PLANNED


def test_nothing_but_pins_is_kept() -> None:
    existing = with_checkout(f"{NEW} # v8.0.0") + "  three:\n    steps: []\n"
    assert keep_newer_pins(PLANNED, existing) == with_checkout(f"{NEW} # v8.0.0")


def test_keeping_twice_changes_nothing() -> None:
    existing = with_checkout(f"{NEW} # v8.0.0")
    once = keep_newer_pins(PLANNED, existing)
    assert keep_newer_pins(PLANNED, once) == once


def test_every_pin_in_a_generated_workflow_can_be_raised() -> None:
    """The kept form and the generated form are the same, so Dependabot's work survives."""
    for text in workflows("everything").values():
        raised = text
        for pin in PINS.values():
            raised = raised.replace(pin.uses, f"{pin.action}@{NEW} # v99.0.0")
        assert raised.count("v99.0.0") == text.count("uses: ")
        assert keep_newer_pins(text, raised) == raised


def test_every_pin_is_used() -> None:
    texts = "".join(text for variant in VARIANTS for text in workflows(variant).values())
    assert [action for action, pin in PINS.items() if pin.uses not in texts] == []


def test_runners_get_the_uv_of_the_lock() -> None:
    assert version_of("uv", data_text("templates/github/tagship.lock")) == UV_VERSION, (
        "uv.lock has another uv than generator/plan/pins.py: change UV_VERSION"
    )
