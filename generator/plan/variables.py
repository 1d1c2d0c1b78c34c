"""`serve.env` as the Deployment's patch shows it."""

from __future__ import annotations

from collections.abc import Mapping

from generator.config.variables import Reference, Value


def variables_shown(variables: Mapping[str, Value]) -> dict[str, Value]:
    """Text with each `$` doubled, of which Kubernetes makes one: `$(X)` would be another variable's value."""
    return {
        name: value if isinstance(value, Reference) else value.replace("$", "$$")
        for name, value in variables.items()
    }
