"""What a Service's pods say of themselves at /metadata, asked through the API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generator.ports import Cluster


def metadata(cluster: Cluster, namespace: str, service: str) -> Any:
    """The answer; None where nothing answers. Raises GeneratorError where the cluster does not show it."""
    return cluster.get(f"/api/v1/namespaces/{namespace}/services/{service}:http/proxy/metadata")


def difference(told: Mapping[str, Any], wanted: Mapping[str, object]) -> str | None:
    """The first fact that is not as wanted, in words."""
    odd = (key for key, value in wanted.items() if told.get(key) != value)
    return next((f"/metadata says {key} {told.get(key)}, not {wanted[key]}" for key in odd), None)
