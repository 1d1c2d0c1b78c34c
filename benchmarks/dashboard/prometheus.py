"""A Prometheus that scrapes servers on this machine as the operator would have it scrape a model's pods."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
WINDOW = "10s"  # what Grafana would put for $__rate_interval: four times the scrape interval, and some


class Prometheus:
    """Questions to a running one."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def now(self, query: str) -> list[Any]:
        """The series that a query gives now."""
        return list(self._ask("query", query=asked(query))["result"])

    def over(self, query: str, start: float, end: float, step: float) -> list[Any]:
        """The same over time."""
        return list(self._ask("query_range", query=asked(query), start=start, end=end, step=step)["result"])

    def rules(self) -> list[Object]:
        """Each rule with its state and its last error."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def _ask(self, what: str, **parameters: object) -> Any:
        address = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return json.load(answer)["data"]


def asked(query: str) -> str:
    """A query as Grafana sends it."""
    return query.replace("$__rate_interval", WINDOW)


def board_of(objects: list[Object]) -> Object:
    """The dashboard among an overlay's objects."""
    (text,) = _one(objects, "ConfigMap")["data"].values()
    return dict(json.loads(text))


@contextmanager
def scraping(objects: list[Object], pods: Mapping[str, int], folder: Path) -> Iterator[Prometheus]:
    """A Prometheus with the overlay's rules and its ServiceMonitor's relabelings; `pods` are ports by name."""
    with socket.socket() as held:  # or somebody else may get the port before Prometheus does
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        with _scraping(objects, pods, folder, held.getsockname()[1]) as prometheus:
            yield prometheus


@contextmanager
def _scraping(objects: list[Object], pods: Mapping[str, int], folder: Path, port: int) -> Iterator[Prometheus]:
    (folder / "rules.yaml").write_text(yaml.safe_dump(_one(objects, "PrometheusRule")["spec"]))
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(_config(objects, pods)))
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ],
        cwd=folder,
    )
    try:
        prometheus = Prometheus(port)
        deadline = time.monotonic() + 60
        while not prometheus.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("prometheus does not start")
            time.sleep(0.1)
        yield prometheus
    finally:
        process.terminate()
        process.wait()


def _config(objects: list[Object], pods: Mapping[str, int]) -> Object:
    service = _one(objects, "Service")["metadata"]
    (endpoint,) = _one(objects, "ServiceMonitor")["spec"]["endpoints"]
    targets = [
        {
            "targets": [f"127.0.0.1:{port}"],
            # Those that the operator gives to a pod behind a Service.
            "labels": {
                "namespace": service["namespace"],
                "service": service["name"],
                "job": service["name"],
                "pod": pod,
                "container": "server",
                "endpoint": endpoint["port"],
            },
        }
        for pod, port in pods.items()
    ]
    relabelings = [{_snake(key): value for key, value in one.items()} for one in endpoint["relabelings"]]
    scrape = {
        "job_name": "model",
        "metrics_path": endpoint["path"],
        "static_configs": targets,
        "relabel_configs": relabelings,
    }
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [scrape],
    }


def _snake(key: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)


def _one(objects: list[Object], kind: str) -> Object:
    (found,) = [item for item in objects if item["kind"] == kind]
    return found
