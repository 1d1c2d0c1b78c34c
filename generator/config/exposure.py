"""How others reach the service: `serve.ingress` and `serve.gateway`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from generator.config import types as t
from generator.config.types import Section


class Issuer(Section):
    """Who signs the certificate: an object of cert-manager."""

    name: t.KubernetesName = Field(description="Its name.")
    kind: Literal["ClusterIssuer", "Issuer"] = Field("ClusterIssuer", description="An Issuer is of the namespace.")


def _in_full(value: object) -> object:
    """`letsencrypt` says the same as `{name: letsencrypt}`."""
    return value if isinstance(value, dict) else {"name": t.named(value)}


_HOST = "Host name, another in each environment: `{name}` is the model's and `{environment}` the environment's."


def own_host(host: str, model: str, environment: str) -> str:
    """`host` as one environment of one model has it."""
    return host.replace("{name}", model).replace("{environment}", environment)


class Ingress(Section):
    """An Ingress for the service."""

    host: t.Host = Field(description=_HOST)
    tls: bool = Field(True, description="Serve TLS with the secret `<model>-inference-tls`.")
    class_name: t.KubernetesName | None = Field(
        None, alias="class", description="Ingress class; default: the cluster's."
    )
    issuer: Annotated[
        Issuer | None, BeforeValidator(_in_full, json_schema_input_type=t.KubernetesName | Issuer)
    ] = Field(
        None, description="cert-manager's ClusterIssuer that fills the secret, or a mapping; else a person does."
    )

    @model_validator(mode="after")
    def _fits(self) -> Ingress:
        if self.issuer and not self.tls:
            raise ValueError("issuer is for tls: leave it out, or set tls to true")
        return self


class Gateway(Section):
    """An HTTPRoute of the Gateway API for the service. TLS is the Gateway's own."""

    host: t.Host = Field(description=_HOST)
    name: t.KubernetesName = Field(description="Name of the Gateway.")
    namespace: t.Namespace = Field(description="The Gateway's namespace; it must let routes of the model's in.")
    listener: t.KubernetesName | None = Field(
        None, description="Its listener (`sectionName`); default: each that fits the host."
    )
