"""What an autoscaler watches: the metrics of a HorizontalPodAutoscaler, or KEDA's triggers for one."""

from __future__ import annotations

from generator.config.model import Model, Target, workload
from generator.config.scaling import Autoscaling

# What the adapter's rule in docs/scaling.md calls the rate of a pod's prediction requests.
METRIC = "prediction_requests_per_second"
_WINDOW = "2m"  # four scrapes


def scaler_component(scaling: Autoscaling) -> str:
    """The component in k8s/components that scales so."""
    by_keda = scaling.requests is not None and scaling.requests.through == "keda"
    return "autoscaling-keda" if by_keda else "autoscaling"


def scaler_patch(scaling: Autoscaling) -> str:
    return {"autoscaling": "autoscaler.yaml", "autoscaling-keda": "scaled-object.yaml"}[scaler_component(scaling)]


def scaling_values(model: Model, target: Target) -> dict[str, object] | None:
    """What the templates show; None without an autoscaler."""
    scaling = target.serve.autoscaling
    if scaling is None:
        return None
    utilization = {"cpu": scaling.cpu, "memory": scaling.memory}
    rate = scaling.requests
    return {
        "min": scaling.min,
        "max": scaling.max,
        "utilization": {name: percent for name, percent in utilization.items() if percent is not None},
        "metric": METRIC,
        "rate": _quantity(rate.per_second) if rate else None,
        "threshold": f"{rate.per_second:g}" if rate else None,
        "prometheus": rate.prometheus.rstrip("/") if rate and rate.prometheus else None,
        "query": _query(model, target),
    }


def _query(model: Model, target: Target) -> str:
    """All requests of this model's pods: KEDA divides them by the number of pods.

    A pod's name has two more parts, or one where a long name is cut at 58 characters before the last five: so no
    model takes another's whose name begins like its own.
    """
    pods = f"{workload(model.name)}-[^-]+(-[^-]+)?"
    return f'sum(rate(prediction_requests_total{{namespace="{target.namespace}",pod=~"{pods}"}}[{_WINDOW}]))'


def _quantity(number: float) -> str:
    """A Kubernetes quantity, which has no fractions but thousandths."""
    thousandths = round(number * 1000)
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"
