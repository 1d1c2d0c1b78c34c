"""A rollout is watched until it is decided: by its end, its failure, its time, or a release that came after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from generator.errors import GeneratorError
from generator.rollouts.answer import metadata
from generator.rollouts.snapshot import take
from generator.rollouts.watch import FRESH, PATIENCE, TICK, Clock, Sighting, Watcher, watch
from tests.generator.cluster_parts import NAME, NAMESPACE, FakeCluster, digest, event, pod
from tests.generator.test_deploy import Quiet

NEW, OLD = digest("b"), digest("a")
FACTS = {"name": "churn", "version": "1.1.0", "digest": NEW}
Step = Callable[[FakeCluster], Any]


@dataclass
class Film:
    """A cluster that changes by itself: each step once its second has come."""

    cluster: FakeCluster = field(default_factory=lambda: FakeCluster(OLD))
    steps: dict[float, Step] = field(default_factory=dict)
    wanted: Callable[[float], bool] = lambda _: True
    timeout: float = 600
    application: str | None = None  # its path
    time: float = 0.0
    said: list[str] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        for second in [second for second in self.steps if second <= self.time]:
            self.steps.pop(second)(self.cluster)

    def is_wanted(self) -> bool:
        self.asked.append(self.time)
        return self.wanted(self.time)

    def watch(self, *, asks: bool = True) -> Sighting:
        reporter = Quiet()
        reporter.say = self.said.append  # type: ignore[method-assign]
        watcher = Watcher(
            look=lambda: take(self.cluster, NAMESPACE, NAME, self.application),
            told=(lambda: metadata(self.cluster, NAMESPACE, NAME)) if asks else None,
            wanted=self.is_wanted,
            ours=lambda revision: revision == "ours",
            reporter=reporter,
            timeout=self.timeout,
            clock=Clock(lambda: self.time, self.sleep),
        )
        return watch(NEW, FACTS, watcher)


def arrives(cluster: FakeCluster) -> None:
    """The reconciler brings the new digest; one of its pods is there and pulls."""
    fresh = FakeCluster(NEW)
    cluster.deployment = fresh.deployment
    cluster.pods = [
        pod("old-one", OLD, owner="old"),
        pod("one", state={"waiting": {"reason": "ContainerCreating"}}),
    ]


def serves(cluster: FakeCluster) -> None:
    cluster.pods = [pod("one", NEW), pod("two", NEW)]


def answers(version: str, its: str) -> Step:
    def step(cluster: FakeCluster) -> None:
        cluster.told = {"name": "churn", "version": version, "digest": its}

    return step


def cannot_pull(cluster: FakeCluster) -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": ""}}
    cluster.pods = [pod("old-one", OLD, owner="old"), pod("one", state=waiting)]
    cluster.events = [event("one", "Failed", "Failed to pull image: not found")]


def unreachable(cluster: FakeCluster) -> None:
    cannot_pull(cluster)
    cluster.events = [event("one", "Failed", "Failed to pull image: dial tcp: i/o timeout")]


def does_not_answer(cluster: FakeCluster) -> None:
    cluster.refuses = "the cluster does not answer"


def answers_again(cluster: FakeCluster) -> None:
    cluster.refuses = None


def test_it_ends_when_every_pod_runs_it_and_the_service_says_so() -> None:
    film = Film(steps={10: arrives, 20: serves, 21: answers("1.0.0", OLD), 30: answers("1.1.0", NEW)})
    seen = film.watch()
    assert (seen.state, seen.detail, seen.kind) == ("serving", "2 of 2 pods ready, churn 1.1.0 answers", None)
    assert seen.seconds == pytest.approx(30, abs=TICK)
    assert film.said == [
        "the Deployment names sha256:aaaaaaaaaaaa still",
        "0 of 2 pods ready, 1 of an earlier revision",
        "2 of 2 pods ready, and the Service leads to nothing that answers /metadata yet",
        "2 of 2 pods ready, and /metadata says version 1.0.0, not 1.1.0 yet",
        "2 of 2 pods ready, churn 1.1.0 answers",
    ]


def test_with_api_keys_the_pods_are_proof_enough() -> None:
    film = Film(steps={10: arrives, 20: serves})
    assert (film.watch(asks=False).state, film.time) == ("serving", 20)


def test_a_failure_is_told_as_soon_as_kubernetes_knows() -> None:
    film = Film(steps={10: arrives, 20: cannot_pull})
    seen = film.watch()
    assert (seen.state, seen.kind, film.time) == ("failed", "image-absent", 20)
    assert "not found" in seen.detail


@pytest.mark.parametrize(
    ("others", "serving"),
    [([OLD], OLD), ([OLD, OLD, NEW], OLD), ([], None), ([NEW], None), ([OLD, digest("c")], None)],
)
def test_a_failure_names_what_serves_in_its_place(others: list[str], serving: str | None) -> None:
    """Where two others serve, neither is."""

    def fails(cluster: FakeCluster) -> None:
        cannot_pull(cluster)
        failed = [one for one in cluster.pods if one["metadata"]["name"] == "one"]
        cluster.pods = failed + [pod(f"old-{i}", its, owner="old") for i, its in enumerate(others)]

    seen = Film(steps={10: arrives, 20: fails}).watch()
    assert (seen.state, seen.serving) == ("failed", serving)


def test_an_old_pod_that_is_not_ready_serves_nothing() -> None:
    def fails(cluster: FakeCluster) -> None:
        cannot_pull(cluster)
        starts = pod("old-two", digest("c"), owner="old", state={"running": {}})
        cluster.pods.append(starts)

    assert Film(steps={10: arrives, 20: fails}).watch().serving == OLD


def test_what_may_pass_by_itself_is_waited_for() -> None:
    film = Film(steps={10: arrives, 20: unreachable, 100: serves, 101: answers("1.1.0", NEW)})
    assert film.watch().state == "serving"
    assert any("i/o timeout" in line for line in film.said)


def test_no_reason_within_its_time_is_late_and_no_failure() -> None:
    film = Film(timeout=60, steps={10: arrives})
    seen = film.watch()
    assert (seen.state, seen.kind) == ("late", None)
    assert seen.detail == "not within 60 s: 0 of 2 pods ready, 1 of an earlier revision"


def test_what_is_late_names_the_reason_that_was_seen() -> None:
    film = Film(timeout=60, steps={10: arrives, 20: unreachable})
    seen = film.watch()
    assert (seen.state, seen.kind) == ("late", "image-unreachable")


@pytest.mark.parametrize("ending", [cannot_pull, None])
def test_a_release_that_was_followed_by_another_neither_fails_nor_is_late(ending: Step | None) -> None:
    film = Film(timeout=60, wanted=lambda time: time < 5, steps={10: arrives, **({20: ending} if ending else {})})
    assert film.watch().state == "superseded"


def test_the_branch_is_asked_now_and_then_and_before_anything_is_said_to_have_failed() -> None:
    film = Film(steps={10: arrives, 40: cannot_pull})
    film.watch()
    assert film.asked == [0, 16, 32, 40], "asked more often than every 15 s, or not at the end"
    assert FRESH == 15


def test_a_cluster_may_be_away_for_a_moment() -> None:
    film = Film(steps={10: does_not_answer, 50: answers_again, 60: arrives, 70: serves, 71: answers("1.1.0", NEW)})
    assert film.watch().state == "serving"
    assert film.said.count("the cluster does not answer; it is asked again") == 1


def test_a_cluster_that_stays_away_is_no_failed_rollout() -> None:
    film = Film(steps={10: does_not_answer})
    with pytest.raises(GeneratorError, match="does not answer"):
        film.watch()
    assert film.time == pytest.approx(10 + PATIENCE, abs=2 * TICK)


UNREACHED = "the cluster does not answer (error trying to reach service: dial tcp 10.8.0.7:8000: i/o timeout)"


def does_not_reach_pods(cluster: FakeCluster) -> None:
    cluster.hides = {"proxy/metadata": UNREACHED}


def reaches_pods(cluster: FakeCluster) -> None:
    cluster.hides = {}


def test_where_the_api_server_reaches_no_pod_their_readiness_must_do() -> None:
    """As in a private cluster whose firewall lets the control plane to no pod's port."""
    film = Film(steps={0: does_not_reach_pods, 10: arrives, 20: serves})
    seen = film.watch()
    assert (seen.state, film.time) == ("serving", 20 + PATIENCE)
    assert seen.detail == f"2 of 2 pods ready; /metadata could not be asked: {UNREACHED}"


def test_an_api_server_that_misses_a_pod_for_a_moment_is_asked_again() -> None:
    steps = {20: serves, 22: does_not_reach_pods, 60: reaches_pods, 62: answers("1.0.0", OLD)}
    film = Film(
        steps={10: arrives, **steps, 70: does_not_reach_pods, 100: reaches_pods, 101: answers("1.1.0", NEW)}
    )
    assert film.watch().detail == "2 of 2 pods ready, churn 1.1.0 answers"


def test_a_service_that_leads_to_no_pod_is_no_success() -> None:
    def leads_nowhere(cluster: FakeCluster) -> None:
        cluster.hides = {"proxy/metadata": 'no endpoints available for service "churn-inference"'}

    film = Film(timeout=200, steps={0: leads_nowhere, 10: arrives, 20: serves})
    seen = film.watch()
    assert (seen.state, "leads to nothing that answers /metadata" in seen.detail) == ("late", True)


def test_why_the_service_leads_nowhere_is_told_where_the_reconciler_knows_it() -> None:
    """The Deployment has arrived and its pods are ready: a Service that a policy refuses ends it as late, with that."""

    def is_refused(cluster: FakeCluster) -> None:
        said = 'admission webhook "policy" denied the request: no such type of Service'
        result = {"revision": "ours", "resources": [{"kind": "Service", "status": "SyncFailed", "message": said}]}
        cluster.application = {"status": {"operationState": {"phase": "Failed", "syncResult": result}}}
        cluster.hides = {"proxy/metadata": 'no endpoints available for service "churn-inference"'}

    path = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/churn-production"
    film = Film(timeout=200, application=path, steps={10: arrives, 12: is_refused, 20: serves})
    seen = film.watch()
    assert (seen.state, seen.kind) == ("late", "policy")
    assert "no such type of Service" in seen.detail
