"""What is sent: rows a request and clients at once."""

from __future__ import annotations

from dataclasses import dataclass

MODELS = {"forest": "Random forest, 100 trees, 20 features", "linear": "Logistic regression, 20 features"}


@dataclass(frozen=True)
class Case:
    """So many clients, each sending a request of so many rows when it has the answer to its last."""

    rows: int
    clients: int

    @property
    def name(self) -> str:
        return f"{self.rows:,} row{'s' * (self.rows > 1)}, {self.clients} client{'s' * (self.clients > 1)}"


CASES = (Case(1, 1), Case(1, 8), Case(1, 64), Case(1000, 8))
BODIES = {1: 100, 1000: 4}
"""Different bodies by their rows, so that nothing is gained by remembering an answer."""
