"""Kubernetes quantities as numbers (kubernetes.io, "Quantity")."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
}
_UNITS |= {"Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40)}


def amount(quantity: str) -> Decimal:
    """The number that a quantity such as 250m, 512Mi or 1.5 means. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]{0,2})", quantity)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{quantity!r} is no quantity")
    return Decimal(match[1]) * _UNITS[match[2]]


def in_bytes(quantity: str) -> int:
    """The bytes that a memory quantity means; raises like `amount`."""
    return int(amount(quantity))
