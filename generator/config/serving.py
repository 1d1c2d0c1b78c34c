"""What of `serve` does not fit the rest of model.yaml, for the model and for each of its environments."""

from __future__ import annotations

from collections.abc import Iterator

from generator.config.alerts import Alerts
from generator.config.callers import Callers
from generator.config.ecr import ecr_of
from generator.config.exposure import own_host
from generator.config.schema import ModelFile, Serve, ServeOverride
from generator.quantity import amount
from generator.yamlio import Path_

WAITING = 1024  # requests that a worker lets wait (inference/settings.py)


def serving_problems(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """(path, message) for each key of `serve` that cannot be had here."""
    places: list[tuple[Path_, Serve | ServeOverride]] = [(("serve",), config.serve)]
    for name, settings in config.deploy.environments.items():
        places.append((("deploy", "environments", name, "serve"), settings.serve))
    yield from _scraping(config)
    yield from _alerting(config)
    yield from _pulling(config)
    yield from _queueing(config)
    yield from dict(_lengthy(config)).items()
    yield from dict(_without_a_request(config)).items()
    for path, serve in places:
        if serve.pull_secret is None:
            continue
        if serve.pull_secret.key == f"{config.name}-pull":
            message = (
                f"key: {serve.pull_secret.key} is where the login is kept; name the access key's Secret otherwise"
            )
            yield (*path, "pull_secret", "key"), message
        if ecr_of(config.image.registry) is None:
            message = (
                f"pull_secret is for ECR, and image.registry is {config.image.registry}: leave it out, and name a "
                "pull secret of your own in a patch of the overlay (docs/pull-secret.md)"
            )
            yield (*path, "pull_secret"), message


def _queueing(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """Thresholds that no queue reaches."""
    base = config.serve
    places: list[tuple[Path_, int | None, int]] = []
    if base.alerts.queue != Alerts().queue:
        places.append((("serve", "alerts", "queue"), base.alerts.queue, base.workers))
    for name, settings in config.deploy.environments.items():
        own = settings.serve
        alerts = own.alerts.onto(base.alerts) if own.alerts else base.alerts
        if own.alerts or own.workers:
            places.append((("deploy", "environments", name, "serve"), alerts.queue, own.workers or base.workers))
    for path, queue, workers in places:
        most = WAITING * workers
        if queue is not None and queue >= most:
            message = f"alerts.queue is {queue}, and a pod refuses what is more than {most}: give less"
            yield path, message


def _lengthy(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """Hosts that are too long for the DNS with the names in them, at the key that says them."""
    for environment, own in _environments(config).items():
        for way in ("ingress", "gateway"):
            given = way in own.model_fields_set
            exposed = getattr(own if given else config.serve, way)
            host = own_host(exposed.host, config.name, environment) if exposed else ""
            if len(host) > 253 or any(len(label) > 63 for label in host.split(".")):
                place: Path_ = ("deploy", "environments", environment) if given else ()
                message = f"host is {host} in {environment}: at most 63 characters between dots and 253 in all fit"
                yield (*place, "serve", way, "host"), message


def _without_a_request(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """CPU of which an autoscaler is to take a share, and none is requested."""
    for environment, own in _environments(config).items():
        scaling = own.autoscaling if "autoscaling" in own.model_fields_set else config.serve.autoscaling
        given = own.resources.requests.cpu if own.resources else None
        if scaling and scaling.cpu and not amount(given or config.serve.resources.requests.cpu):
            place: Path_ = ("deploy", "environments", environment) if given else ()
            message = "autoscaling.cpu is in percent of this: request more than 0, or leave autoscaling.cpu empty"
            yield (*place, "serve", "resources", "requests", "cpu"), message


def _environments(config: ModelFile) -> dict[str, ServeOverride]:
    """What each environment changes; without any there is one, which changes nothing."""
    found = {name: settings.serve for name, settings in config.deploy.environments.items()}
    return found or {"production": ServeOverride.model_construct()}


def _pulling(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """Where the role that is made for one cluster's issuer would have to be all clusters'."""
    message = (
        "pull_secret's own role trusts one cluster's issuer, and this environment has several clusters: give "
        "pull_secret a role that trusts each (docs/pull-secret.md), or a key"
    )
    for name, settings in config.deploy.environments.items():
        own = settings.serve
        pull = own.pull_secret if "pull_secret" in own.model_fields_set else config.serve.pull_secret
        if pull and not (pull.role or pull.key) and len(settings.clusters) > 1:
            yield ("deploy", "environments", name, "clusters"), message


def _scraping(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """Where Prometheus would be shut out, by the model's own keys or together with an environment's."""
    message = (
        "callers leaves Prometheus out, which monitoring needs at the same port: name its namespace, such as "
        "callers: {namespaces: [shop], prometheus: monitoring}"
    )
    if not config.deploy.environments and _shut_out(config.serve.callers, monitoring=config.serve.monitoring):
        yield ("serve", "callers"), message
    for name, settings in config.deploy.environments.items():
        own = settings.serve
        callers = own.callers if "callers" in own.model_fields_set else config.serve.callers
        monitoring = config.serve.monitoring if own.monitoring is None else own.monitoring
        if _shut_out(callers, monitoring=monitoring):
            yield ("deploy", "environments", name, "serve"), message


def _shut_out(callers: Callers | None, *, monitoring: bool) -> bool:
    return monitoring and callers is not None and callers.prometheus is None


def _alerting(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """Thresholds that nothing would look at."""
    message = "alerts needs monitoring, which brings them: set serve.monitoring to true, or leave alerts out"
    environments, base = config.deploy.environments, config.serve.monitoring
    monitored = {
        name: base if settings.serve.monitoring is None else settings.serve.monitoring
        for name, settings in environments.items()
    }
    if "alerts" in config.serve.model_fields_set and not any((base, *monitored.values())):
        yield ("serve", "alerts"), message
    for name, settings in environments.items():
        if settings.serve.alerts is not None and not monitored[name]:
            yield ("deploy", "environments", name, "serve", "alerts"), message.replace("serve.mon", "mon")
