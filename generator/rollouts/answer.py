"""What a Service's pods say of themselves at /metadata, asked through the API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generator.errors import GeneratorError
from generator.ports import Cluster


def metadata(cluster: Cluster, namespace: str, service: str) -> Any:
    """The answer; None where nothing answers.

    Raises GeneratorError where the cluster does not show it, or its API server does not reach pods.
    """
    try:
        return cluster.get(f"/api/v1/namespaces/{namespace}/services/{service}:http/proxy/metadata")
    except GeneratorError as error:
        if "no endpoints available" in str(error):  # 503 of the API server: the Service leads to no pod
            return None
        raise


def difference(told: Mapping[str, Any], wanted: Mapping[str, object]) -> str | None:
    """The first fact that is not as wanted, in words."""
    odd = (key for key, value in wanted.items() if told.get(key) != value)
    return next((f"/metadata says {key} {told.get(key)}, not {wanted[key]}" for key in odd), None)
