"""One link of the chain, and how it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """Of a link. What could not be looked at breaks nothing, and proves nothing."""

    HOLDS = "holds"
    MOVING = "moving"  # a rollout is under way
    BROKEN = "broken"
    UNSEEN = "unseen"


@dataclass(frozen=True)
class Link:
    """`name` is the thing that the link leads to, `value` what it is there, `why` what is wrong and what to do."""

    name: str
    standing: Standing
    value: str
    why: str = ""


def holds(name: str, value: str) -> Link:
    return Link(name, Standing.HOLDS, value)


def broken(name: str, value: str, why: str) -> Link:
    return Link(name, Standing.BROKEN, value, why)


def moving(name: str, value: str, why: str) -> Link:
    return Link(name, Standing.MOVING, value, why)


def unseen(name: str, why: str) -> Link:
    return Link(name, Standing.UNSEEN, "", why)


def first_broken(links: Iterable[Link]) -> Link | None:
    return next((link for link in links if link.standing is Standing.BROKEN), None)
