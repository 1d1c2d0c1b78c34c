"""What a cluster says of a rollout: each way to fail has its reason, and what passes by itself may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generator.rollouts import failures
from generator.rollouts.failures import Kind
from generator.rollouts.judge import Seen, State, judge
from generator.rollouts.snapshot import take
from tests.generator.cluster_parts import NAME, NAMESPACE, FakeCluster, digest, event, pod

NEW, OLD = digest("b"), digest("a")
PULL = 'failed to pull and unpack image "registry/churn@sha256:b": failed to resolve reference "x": '
PATH = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/churn-production"


def rolling(**of_new_pod: object) -> FakeCluster:
    """A rollout under way: an old pod serves, the new one is as given."""
    cluster = FakeCluster(NEW)
    cluster.pods = [pod("old-one", OLD, owner="old"), pod("one", **of_new_pod)]  # type: ignore[arg-type]
    return cluster


def seen(cluster: FakeCluster) -> Seen:
    return judge(take(cluster, NAMESPACE, NAME, PATH), NEW)


def waiting(reason: str, message: str = "") -> dict[str, object]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def ended(reason: str, code: int, message: str = "") -> dict[str, object]:
    return {"terminated": {"reason": reason, "exitCode": code, "message": message}}


def pulling(said: str) -> FakeCluster:
    cluster = rolling(**waiting("ImagePullBackOff", "Back-off pulling image"))
    cluster.events = [
        event("one", "Failed", f"Failed to pull image: {said}"),
        event("one", "Failed", "Error: ImagePullBackOff", "2026-11-22T00:00:01Z"),
    ]
    return cluster


def probed() -> FakeCluster:
    cluster = rolling(state={"running": {}}, last=ended("Error", 143))
    cluster.events = [
        event("one", "Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 503"),
        event("one", "Killing", "Container server failed startup probe, will be restarted"),
    ]
    return cluster


def refused(message: str) -> FakeCluster:
    cluster = FakeCluster(NEW)
    cluster.pods = [pod("old-one", OLD, owner="old")]
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    cluster.sets[1]["status"] = {"conditions": [condition]}
    return cluster


def unschedulable() -> FakeCluster:
    cluster = rolling()
    cluster.pods[1]["status"] = {
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/3 nodes are available: 3 Insufficient memory.",
            }
        ]
    }
    return cluster


def not_synced() -> FakeCluster:
    cluster = rolling()
    message = "one or more objects failed to apply: admission webhook denied the request"
    cluster.application = {"status": {"operationState": {"phase": "Failed", "message": message}}}
    return cluster


def late(cluster: FakeCluster) -> FakeCluster:
    """The rollout's deadline has passed."""
    assert cluster.deployment
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "late"}
    cluster.deployment["status"]["conditions"] = [condition]
    return cluster


def out_of_time() -> FakeCluster:
    cluster = late(rolling())
    cluster.events = [event("one", "Unhealthy", "Readiness probe failed: statuscode: 503")]
    return cluster


def unmounted() -> FakeCluster:
    cluster = rolling(**waiting("ContainerCreating"))
    message = 'MountVolume.SetUp failed for volume "keys" : secret "churn-keys" not found'
    cluster.events = [event("one", "FailedMount", message)]
    return cluster


def crashed_before(reason: str, code: int, message: str = "") -> FakeCluster:
    return rolling(**waiting("CrashLoopBackOff", "back-off 10s"), last=ended(reason, code, message))


FAILING: dict[str, tuple[Callable[[], FakeCluster], Kind, str]] = {
    "no such image": (
        lambda: pulling(PULL + "registry/churn@sha256:b: not found"),
        failures.IMAGE_ABSENT,
        "not found",
    ),
    "no right to pull": (
        lambda: pulling(PULL + "unexpected status from HEAD request: 401 Unauthorized"),
        failures.IMAGE_REFUSED,
        "401",
    ),
    "an expired token": (
        lambda: pulling(PULL + "unexpected status: 403 Forbidden"),
        failures.IMAGE_REFUSED,
        "403",
    ),
    "no login": (
        lambda: pulling("pull access denied, insufficient_scope: authorization failed: no basic auth credentials"),
        failures.IMAGE_REFUSED,
        "no basic auth",
    ),
    "a crash": (
        lambda: crashed_before("Error", 1, "Traceback\nValueError: no model"),
        failures.CRASH,
        "exit code 1: ValueError: no model",
    ),
    "a first crash": (lambda: rolling(state=ended("Error", 3)), failures.CRASH, "exit code 3"),
    "no memory": (lambda: crashed_before("OOMKilled", 137), failures.OUT_OF_MEMORY, "OOMKilled"),
    "another processor": (
        lambda: crashed_before("StartError", 128, 'exec: "python": exec format error'),
        failures.ARCHITECTURE,
        "exec format error",
    ),
    "no start": (
        lambda: rolling(**waiting("CreateContainerError", 'exec: "serve": executable file not found')),
        failures.CANNOT_START,
        "executable file not found",
    ),
    "a start that another processor ends": (
        lambda: rolling(**waiting("RunContainerError", "exec /usr/bin/python: exec format error")),
        failures.ARCHITECTURE,
        "exec format error",
    ),
    "a startup probe": (probed, failures.NEVER_READY, "statuscode: 503"),
    "a deadline": (out_of_time, failures.NEVER_READY, "Readiness probe failed"),
    "no Secret": (
        lambda: rolling(**waiting("CreateContainerConfigError", 'secret "churn-keys" not found')),
        failures.CONFIG_ABSENT,
        "churn-keys",
    ),
    "no volume": (unmounted, failures.CONFIG_ABSENT, "churn-keys"),
    "a quota": (
        lambda: refused('pods "x" is forbidden: exceeded quota: small, requested: pods=1'),
        failures.QUOTA,
        "exceeded quota: small",
    ),
    "Pod Security": (
        lambda: refused('pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'),
        failures.POLICY,
        "runAsNonRoot",
    ),
    "a webhook, at sync": (not_synced, failures.POLICY, "admission webhook"),
}
PASSING: dict[str, tuple[Callable[[], FakeCluster], Kind]] = {
    "no way to the registry": (
        lambda: pulling(PULL + "dial tcp: lookup registry: i/o timeout"),
        failures.IMAGE_UNREACHABLE,
    ),
    "no room": (unschedulable, failures.UNSCHEDULABLE),
}


@pytest.mark.parametrize("case", FAILING)
def test_each_failure_has_its_reason_in_the_clusters_own_words(case: str) -> None:
    make, kind, said = FAILING[case]
    found = seen(make())
    assert (found.state, found.failure and found.failure.kind) == (State.FAILED, kind)
    assert said in found.detail
    assert kind.fix in found.detail


@pytest.mark.parametrize("case", PASSING)
def test_what_may_pass_by_itself_fails_only_at_the_rollouts_deadline(case: str) -> None:
    make, kind = PASSING[case]
    found = seen(make())
    assert (found.state, found.failure and found.failure.kind) == (State.ROLLING, kind)
    found = seen(late(make()))
    assert (found.state, found.failure and found.failure.kind) == (State.FAILED, kind)


def test_all_pods_ready_with_the_digest_is_serving() -> None:
    assert seen(FakeCluster(NEW)).state is State.SERVING


def test_a_rollout_goes_on_until_the_last_old_pod_has_gone() -> None:
    cluster = FakeCluster(NEW)
    cluster.pods.append(pod("old-one", OLD, owner="old"))
    assert seen(cluster).state is State.ROLLING


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
@pytest.mark.parametrize("owner", ["old", "new"])
def test_a_pod_that_has_ended_for_good_does_not_count(owner: str, phase: str) -> None:
    """An evicted pod, or one whose node is gone, stays in the list until it is collected."""
    cluster = FakeCluster(NEW)
    gone = pod("gone", owner=owner, state=ended("Error", 137))
    gone["status"]["phase"] = phase
    cluster.pods.append(gone)
    found = seen(cluster)
    assert (found.state, found.failure) == (State.SERVING, None)


def test_the_old_digest_is_waited_for() -> None:
    found = seen(FakeCluster(OLD))
    assert (found.state, found.detail) == (State.WAITING, f"the Deployment names {OLD[:19]} still")


@pytest.mark.parametrize("what", ["pods", "quota", "deadline"])
def test_a_rollback_does_not_fail_by_what_it_ends(what: str) -> None:
    """The Deployment names the version that fails, until the commit arrives."""
    make = {
        "pods": lambda: crashed_before("Error", 1),
        "quota": lambda: refused("exceeded quota"),
        "deadline": out_of_time,
    }
    found = judge(take(make[what](), NAMESPACE, NAME, PATH), OLD)
    assert (found.state, found.failure) == (State.WAITING, None)


@pytest.mark.parametrize("named", ["syncResult", "operation"])
def test_a_sync_of_an_earlier_commit_that_failed_says_nothing_of_this_one(named: str) -> None:
    def failed_at(commit: str) -> FakeCluster:
        cluster = not_synced()
        assert cluster.application
        tried = (
            {"syncResult": {"revision": commit}}
            if named == "syncResult"
            else {"operation": {"sync": {"revision": commit}}}
        )
        cluster.application["status"]["operationState"] |= tried
        cluster.application["status"]["sync"] = {"revision": "c" * 40}
        return cluster

    assert seen(failed_at("b" * 40)).failure is None
    assert seen(failed_at("c" * 40)).state is State.FAILED


def test_no_deployment_is_waited_for() -> None:
    cluster = FakeCluster(NEW)
    cluster.deployment = None
    assert seen(cluster).state is State.WAITING


def test_a_revision_that_its_controller_has_not_seen_is_no_success() -> None:
    cluster = FakeCluster(NEW)
    assert cluster.deployment
    cluster.deployment["metadata"]["generation"] = 4
    assert seen(cluster).state is State.ROLLING


def test_a_pod_that_runs_something_else_under_the_right_name_is_no_success() -> None:
    cluster = FakeCluster(NEW)
    cluster.pods[1] = pod("two", OLD)
    found = seen(cluster)
    assert found.state is State.ROLLING
    assert OLD[:19] in found.detail


def test_an_old_crash_of_a_pod_that_is_ready_now_says_nothing() -> None:
    cluster = FakeCluster(NEW)
    cluster.pods[0] = pod("one", NEW, last=ended("Error", 1))
    assert seen(cluster).state is State.SERVING


def test_zero_pods_are_no_success() -> None:
    cluster = FakeCluster(NEW)
    assert cluster.deployment
    cluster.deployment["spec"]["replicas"], cluster.pods = 0, []
    assert seen(cluster).state is State.WAITING


def test_the_runbook_has_a_section_for_each_failure_and_no_other() -> None:
    text = (Path(__file__).parents[2] / "docs/runbook.md").read_text()
    sections = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert sections == [*(kind.name for kind in failures.KINDS), "An empty cluster"]
