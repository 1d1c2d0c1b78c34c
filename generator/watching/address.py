"""Where a model's service is reached, as the cluster has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from generator.errors import GeneratorError
from generator.ports import Cluster

PENDING = "its LoadBalancer has no address yet"


@dataclass
class Asked:
    """A cluster that is asked for addresses."""

    cluster: Cluster
    refused: bool = False  # it did not show all that it was asked for

    def get(self, path: str) -> Any:
        """What may not be seen does not hide what may."""
        try:
            return self.cluster.get(path) or {}
        except GeneratorError:
            self.refused = True
            return {}


def address(asked: Asked, namespace: str, name: str) -> str:
    """An Ingress's or HTTPRoute's host, a LoadBalancer's address, or else what pods of the cluster call it.

    Empty where there is no Service.
    """
    ingress = asked.get(f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}")
    for rule in ingress.get("spec", {}).get("rules", []):
        if host := rule.get("host"):
            return f"{'https' if ingress['spec'].get('tls') else 'http'}://{host}"
    route = asked.get(f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{name}")
    for host in route.get("spec", {}).get("hostnames", []):
        return str(host)  # which scheme, its Gateway knows
    service = asked.get(f"/api/v1/namespaces/{namespace}/services/{name}")
    if not service:
        return ""
    port = next((one["port"] for one in service["spec"].get("ports", [])), 80)
    suffix = "" if port == 80 else f":{port}"
    if service["spec"].get("type") == "LoadBalancer":
        for one in service.get("status", {}).get("loadBalancer", {}).get("ingress", []):
            return f"http://{_host(one)}{suffix}"
        return PENDING
    return f"http://{name}.{namespace}.svc{suffix}"


def _host(one: Any) -> str:
    text = str(one.get("hostname") or one.get("ip"))
    return f"[{text}]" if ":" in text else text
