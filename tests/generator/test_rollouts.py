"""What a cluster says of a rollout: each way to fail has its reason, and what passes by itself may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.rollouts import kinds
from generator.rollouts.judge import Seen, State, judge
from generator.rollouts.kinds import Kind
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


def probed(probe: str = "startup", restarts: int = 1) -> FakeCluster:
    cluster = rolling(state={"running": {}}, last=ended("Error", 143))
    cluster.pods[1]["status"]["containerStatuses"][0]["restartCount"] = restarts
    cluster.events = [
        event("one", "Unhealthy", f"{probe.capitalize()} probe failed: HTTP probe failed with statuscode: 503"),
        event("one", "Killing", f"Container server failed {probe} probe, will be restarted"),
    ]
    return cluster


def refused(message: str) -> FakeCluster:
    cluster = FakeCluster(NEW)
    cluster.pods = [pod("old-one", OLD, owner="old")]
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    cluster.sets[1]["status"] = {"conditions": [condition]}
    return cluster


def pod_that_ends() -> dict[str, Any]:
    found = pod("old-two", OLD, owner="old")
    found["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
    return found


def full(
    other: dict[str, Any], *, arrived: bool, why: str = "exceeded quota: small, requested: pods=1"
) -> FakeCluster:
    """Room for the `other` pod and for none beside it. `arrived`: the rollout was complete once."""
    cluster = refused(f'pods "x" is forbidden: {why}')
    cluster.pods.append(other)
    assert cluster.deployment
    if not arrived:
        cluster.deployment["status"]["conditions"][0]["reason"] = "ReplicaSetUpdated"
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
    cluster = FakeCluster(OLD)
    message = "one or more objects failed to apply: admission webhook denied the request"
    cluster.application = {"status": {"operationState": {"phase": "Failed", "message": message}}}
    return cluster


def late(cluster: FakeCluster) -> FakeCluster:
    """The rollout's deadline has passed."""
    assert cluster.deployment
    message = 'ReplicaSet "new" has timed out progressing.'
    condition = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": message,
    }
    cluster.deployment["status"]["conditions"] = [condition]
    return cluster


def out_of_time() -> FakeCluster:
    cluster = late(rolling())
    cluster.events = [event("one", "Unhealthy", "Readiness probe failed: statuscode: 503")]
    return cluster


def unmounted(count: int = 5, why: str = 'secret "churn-keys" not found') -> FakeCluster:
    cluster = rolling(**waiting("ContainerCreating"))
    message = f'MountVolume.SetUp failed for volume "keys" : {why}'
    cluster.events = [event("one", "FailedMount", message) | {"count": count}]
    return cluster


def without_config(count: int) -> FakeCluster:
    message = 'secret "churn-keys" not found'
    cluster = rolling(**waiting("CreateContainerConfigError", message))
    cluster.events = [event("one", "Failed", f"Error: {message}") | {"count": count}]
    return cluster


def mounted_since() -> FakeCluster:
    """The Secret came after the pod; now it runs, and loads its model."""
    cluster = unmounted()
    cluster.pods[1] = pod("one", state={"running": {}})
    return cluster


def crashing(reason: str, code: int, message: str = "") -> dict[str, object]:
    return {**waiting("CrashLoopBackOff", "back-off 10s"), "last": ended(reason, code, message)}


def crashed_before(reason: str, code: int, message: str = "") -> FakeCluster:
    return rolling(**crashing(reason, code, message))


REFUSED = [{"status": "SyncFailed", "message": "the server could not find the requested resource"}]


FAILING: dict[str, tuple[Callable[[], FakeCluster], Kind, str]] = {
    "no such image": (
        lambda: pulling(PULL + "registry/churn@sha256:b: not found"),
        kinds.IMAGE_ABSENT,
        "not found",
    ),
    "no right to pull": (
        lambda: pulling(PULL + "unexpected status from HEAD request: 401 Unauthorized"),
        kinds.IMAGE_REFUSED,
        "401",
    ),
    "an expired token": (
        lambda: pulling(PULL + "unexpected status: 403 Forbidden"),
        kinds.IMAGE_REFUSED,
        "403",
    ),
    "no login": (
        lambda: pulling("pull access denied, insufficient_scope: authorization failed: no basic auth credentials"),
        kinds.IMAGE_REFUSED,
        "no basic auth",
    ),
    "a crash": (
        lambda: crashed_before("Error", 1, "Traceback\nValueError: no model"),
        kinds.CRASH,
        "exit code 1: ValueError: no model",
    ),
    "no memory": (lambda: crashed_before("OOMKilled", 137), kinds.OUT_OF_MEMORY, "OOMKilled"),
    "another processor": (
        lambda: crashed_before("StartError", 128, 'exec: "python": exec format error'),
        kinds.ARCHITECTURE,
        "exec format error",
    ),
    "no start": (
        lambda: rolling(**waiting("CreateContainerError", 'exec: "serve": executable file not found')),
        kinds.CANNOT_START,
        "executable file not found",
    ),
    "a start that another processor ends": (
        lambda: rolling(**waiting("RunContainerError", "exec /usr/bin/python: exec format error")),
        kinds.ARCHITECTURE,
        "exec format error",
    ),
    "a startup probe": (probed, kinds.NEVER_READY, "statuscode: 503"),
    "a liveness probe, again": (lambda: probed("liveness", 2), kinds.NEVER_READY, "statuscode: 503"),
    "a deadline": (out_of_time, kinds.NEVER_READY, "Readiness probe failed"),
    "no Secret": (lambda: without_config(5), kinds.CONFIG_ABSENT, "churn-keys"),
    "no volume": (unmounted, kinds.CONFIG_ABSENT, "churn-keys"),
    "a quota": (
        lambda: refused('pods "x" is forbidden: exceeded quota: small, requested: pods=1'),
        kinds.QUOTA,
        "exceeded quota: small",
    ),
    "a quota, when all were there once": (
        lambda: full(pod("one", NEW), arrived=True),
        kinds.QUOTA,
        "exceeded quota: small",
    ),
    "a limit range beside pods that end": (
        lambda: full(
            pod_that_ends(), arrived=False, why="maximum memory usage per Pod is 512Mi, but limit is 1Gi"
        ),
        kinds.QUOTA,
        "maximum memory usage",
    ),
    "a limit range's least": (
        lambda: refused('pods "x" is forbidden: minimum cpu usage per Container is 500m, but request is 100m'),
        kinds.QUOTA,
        "minimum cpu usage",
    ),
    "a limit range's most": (
        lambda: refused('pods "x" is forbidden: maximum memory usage per Pod is 512Mi, but limit is 1Gi'),
        kinds.QUOTA,
        "maximum memory usage",
    ),
    "a limit range's ratio": (
        lambda: refused(
            'pods "x" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4'
        ),
        kinds.QUOTA,
        "ratio per Container is 2",
    ),
    "no priority class": (
        lambda: refused('pods "x" is forbidden: no PriorityClass with name high was found'),
        kinds.CONFIG_ABSENT,
        "no PriorityClass with name high",
    ),
    "Pod Security": (
        lambda: refused('pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'),
        kinds.POLICY,
        "runAsNonRoot",
    ),
    "a webhook, at sync": (not_synced, kinds.POLICY, "admission webhook"),
}
PASSING: dict[str, tuple[Callable[[], FakeCluster], Kind]] = {
    "no way to the registry": (
        lambda: pulling(PULL + "dial tcp: lookup registry: i/o timeout"),
        kinds.IMAGE_UNREACHABLE,
    ),
    "no room": (unschedulable, kinds.UNSCHEDULABLE),
    "a first crash": (lambda: rolling(state=ended("Error", 3)), kinds.CRASH),
    "a node that was started again": (
        lambda: rolling(state={"running": {}}, last=ended("Unknown", 255)),
        kinds.CRASH,
    ),
    "a Secret on its way": (lambda: without_config(1), kinds.CONFIG_ABSENT),
    "a volume on its way": (lambda: unmounted(1), kinds.CONFIG_ABSENT),
    "a kubelet that takes its time": (
        lambda: unmounted(9, "failed to sync secret cache: timed out waiting for the condition"),
        kinds.CONFIG_ABSENT,
    ),
    "a quota that counts old pods which end": (lambda: full(pod_that_ends(), arrived=True), kinds.QUOTA),
    "a quota that counts an old pod beside a new one": (lambda: full(pod("one", NEW), arrived=False), kinds.QUOTA),
    "a webhook that does not answer": (
        lambda: refused('failed calling webhook "policy.example.com": context deadline exceeded'),
        kinds.POLICY,
    ),
    "a store that does not answer": (lambda: refused("etcdserver: request timed out"), kinds.POLICY),
    "a runtime that does not answer": (
        lambda: rolling(**waiting("CreateContainerError", "context deadline exceeded")),
        kinds.CANNOT_START,
    ),
    "a runtime that is at the first try still": (
        lambda: rolling(
            **waiting(
                "CreateContainerError",
                'failed to reserve container name "server_one_churn_1_0": name "server_one_churn_1_0" is reserved '
                'for "4f2a"',
            )
        ),
        kinds.CANNOT_START,
    ),
    "a first liveness kill": (lambda: probed("liveness"), kinds.NEVER_READY),
}


@pytest.mark.parametrize("case", FAILING)
def test_each_failure_has_its_reason_in_the_clusters_own_words(case: str) -> None:
    make, kind, said = FAILING[case]
    found = seen(make())
    assert (found.state, found.failure and found.failure.kind) == (State.FAILED, kind)
    assert said in found.detail
    assert kind.fix.replace("{pod}", "one") in found.detail


@pytest.mark.parametrize("case", PASSING)
def test_what_may_pass_by_itself_fails_only_at_the_rollouts_deadline(case: str) -> None:
    make, kind = PASSING[case]
    found = seen(make())
    assert (found.state, found.failure and found.failure.kind) == (State.ROLLING, kind)
    found = seen(late(make()))
    assert (found.state, found.failure and found.failure.kind) == (State.FAILED, kind)


def test_what_may_pass_hides_no_final_failure() -> None:
    """Neither that of another pod, nor behind what the reconciler says."""
    cluster = unschedulable()
    memory = pod("two", **crashing("OOMKilled", 137))  # type: ignore[arg-type]
    cluster.pods.append(memory)
    found = seen(cluster)
    assert (found.state, found.failure and found.failure.kind) == (State.FAILED, kinds.OUT_OF_MEMORY)
    cluster.application = {
        "status": {"operationState": {"phase": "Running", "syncResult": {"resources": REFUSED}}}
    }
    found = seen(cluster)
    assert (found.state, found.failure and found.failure.kind) == (State.FAILED, kinds.OUT_OF_MEMORY)


def test_a_volume_that_came_at_last_says_nothing() -> None:
    found = seen(mounted_since())
    assert (found.state, found.failure) == (State.ROLLING, None)


def test_what_a_condition_said_of_another_revision_says_nothing_of_this_one() -> None:
    """The Deployment keeps them for a moment: a rollback must not be judged by what it ends."""
    cluster = late(FakeCluster(NEW))
    assert cluster.deployment
    (condition,) = cluster.deployment["status"]["conditions"]
    condition["message"] = 'ReplicaSet "old" has timed out progressing.'
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}
    cluster.deployment["status"]["conditions"].append(failure)
    cluster.pods = [pod("old-one", OLD, owner="old"), pod("one", state={"running": {}})]
    found = seen(cluster)
    assert (found.state, found.failure) == (State.ROLLING, None)


SAYS: dict[str, Callable[[str], dict[str, object]]] = {
    "Argo CD gave up": lambda revision: {
        "sync": {"revision": revision},
        "operationState": {
            "phase": "Failed",
            "message": "exceeded quota: small",
            "syncResult": {"revision": revision},
        },
    },
    "Argo CD tries again": lambda revision: {
        "sync": {"revision": revision},
        "operationState": {
            "phase": "Running",
            "message": "waiting to retry",
            "syncResult": {
                "revision": revision,
                "resources": [{"status": "SyncFailed", "message": "exceeded quota: small"}],
            },
        },
    },
    "Flux": lambda revision: {
        "lastAttemptedRevision": f"main@sha1:{revision}",
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "ReconciliationFailed",
                "message": "exceeded quota: small",
            }
        ],
    },
}


@pytest.mark.parametrize("engine", SAYS)
def test_a_reconciler_speaks_for_the_commit_that_it_has_seen_alone(engine: str) -> None:
    """The fix of a release that was refused is not refused, though nobody has looked at it yet."""
    cluster = FakeCluster(OLD)
    cluster.application = {"status": SAYS[engine]("b" * 40)}
    snapshot = take(cluster, NAMESPACE, NAME, PATH)
    own, next_one = (judge(snapshot, NEW, lambda revision, c=c: revision == c * 40) for c in "bc")
    assert (own.state, own.failure and own.failure.kind) == (State.FAILED, kinds.QUOTA)
    assert (next_one.state, next_one.failure) == (State.WAITING, None)


COMPARED = {"type": "ComparisonError", "message": "Failed to load target state: kustomize build failed"}


@pytest.mark.parametrize("revision", ["b" * 40, ""], ids=["after another commit", "before any"])
def test_what_argo_cd_cannot_compare_is_told_whatever_it_tried_last(revision: str) -> None:
    cluster = FakeCluster(OLD)
    done = {"phase": "Succeeded", "syncResult": {"revision": revision}} if revision else {}
    last = {"type": "SyncError", "message": f"Failed last sync attempt to {revision}"}
    cluster.application = {"status": {"operationState": done, "conditions": [last, COMPARED]}}
    found = judge(take(cluster, NAMESPACE, NAME, PATH), NEW, lambda revision: revision == "c" * 40)
    assert (found.state, found.failure and found.failure.kind) == (State.WAITING, kinds.SYNC)
    assert "kustomize build failed" in found.detail


@pytest.mark.parametrize(
    "reason", ["Progressing", "DependencyNotReady", "HealthCheckCanceled", "HealthCheckFailed"]
)
def test_what_flux_says_of_a_rollout_on_its_way_is_no_complaint(reason: str) -> None:
    cluster = FakeCluster(OLD)
    told = {"type": "Ready", "status": "False", "reason": reason, "message": "New reconciliation triggered"}
    cluster.application = {"status": {"lastAttemptedRevision": f"main@sha1:{'c' * 40}", "conditions": [told]}}
    assert judge(take(cluster, NAMESPACE, NAME, PATH), NEW, lambda _: True).failure is None


def ready_false(reason: str, message: str) -> dict[str, object]:
    return {"conditions": [{"type": "Ready", "status": "False", "reason": reason, "message": message}]}


NOTHING_ARRIVES = {
    "the repository cannot be fetched": ({}, {"status": ready_false("GitOperationFailed", "unable to clone")}, "clone"),
    "it has no such folder": (
        {"status": ready_false("ArtifactFailed", "kustomization path not found")}, {}, "path not found",
    ),
    "somebody suspended it": (
        {"spec": {"suspend": True}}, {}, "churn-production is suspended: run `flux resume kustomization churn-prod",
    ),
    "somebody suspended the repository": (
        {}, {"spec": {"suspend": True}}, "churn-production is suspended: run `flux resume source git churn-prod",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("follower", "source", "told"), NOTHING_ARRIVES.values(), ids=NOTHING_ARRIVES)
def test_why_flux_brings_nothing_is_told_though_it_has_not_tried_the_commit(
    follower: dict[str, Any], source: dict[str, Any], told: str
) -> None:
    cluster = FakeCluster(OLD)
    status = {"lastAttemptedRevision": f"main@sha1:{'b' * 40}", **follower.get("status", {})}
    cluster.followed_by_flux(source=source, **{**follower, "status": status})
    found = judge(take(cluster, NAMESPACE, NAME, PATH), NEW, lambda revision: revision == "c" * 40)
    assert (found.state, found.failure and found.failure.kind) == (State.WAITING, kinds.SYNC)
    assert told in found.detail


AUTOMATED = {"syncPolicy": {"automated": {"prune": True}}}
STOPPED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "switched off": ({"syncPolicy": {"retry": {}}}, {}, "is not synced by itself any more"),
    "not enabled": ({"syncPolicy": {"automated": {"enabled": False}}}, {}, "is not synced by itself any more"),
    "passed over": (AUTOMATED, {"annotations": {"argocd.argoproj.io/skip-reconcile": "true"}}, "skip-reconcile-"),
    "on its way out": (AUTOMATED, {"deletionTimestamp": "2026-01-31T12:00:00Z"}, "is being deleted"),
}


def application(spec: dict[str, Any], metadata: dict[str, Any], **status: Any) -> dict[str, Any]:
    about = {"name": "churn-production", **metadata}
    return {"kind": "Application", "metadata": about, "spec": spec, "status": status}


@pytest.mark.parametrize(("spec", "metadata", "told"), STOPPED.values(), ids=STOPPED)
def test_an_application_that_follows_no_more_is_told(
    spec: dict[str, Any], metadata: dict[str, Any], told: str
) -> None:
    cluster = FakeCluster(OLD)
    cluster.application = application(spec, metadata)
    found = judge(take(cluster, NAMESPACE, NAME, PATH), NEW, lambda revision: revision == "c" * 40)
    assert (found.state, found.failure and found.failure.kind) == (State.WAITING, kinds.SYNC)
    assert told in found.detail


def test_what_a_sync_waits_for_is_told() -> None:
    cluster = FakeCluster(OLD)
    waits = {"phase": "Running", "message": "waiting for healthy state of batch/Job/churn-pull-first"}
    cluster.application = application(AUTOMATED, {}, operationState=waits)
    found = judge(take(cluster, NAMESPACE, NAME, PATH), NEW, lambda _: True)
    assert (found.state, found.failure) == (State.WAITING, None)
    assert found.detail.endswith("still: waiting for healthy state of batch/Job/churn-pull-first")


WEBHOOK = 'admission webhook "vscaledobject.kb.io" denied the request: already managed by the hpa churn-inference'


@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_another_object_that_is_refused_does_not_fail_what_has_arrived(phase: str) -> None:
    """Nor does a later commit: the Deployment names the digest, so its pods decide."""
    cluster = rolling(state={"running": {}})
    refusal = {"resources": [{"status": "SyncFailed", "message": WEBHOOK}], "revision": "c" * 40}
    cluster.application = application(AUTOMATED, {}, operationState={"phase": phase, "syncResult": refusal})
    found = judge(take(cluster, NAMESPACE, NAME, PATH), NEW, lambda _: True)
    assert (found.state, "already managed" in found.detail) == (State.ROLLING, True)
    cluster.pods[1] = unschedulable().pods[-1]
    found = judge(take(cluster, NAMESPACE, NAME, PATH), NEW, lambda _: True)
    assert (found.failure and found.failure.kind) == kinds.UNSCHEDULABLE, "its own reason is the better one"
    cluster.deployment = FakeCluster(OLD).deployment
    found = judge(take(cluster, NAMESPACE, NAME, PATH), NEW, lambda _: True)
    assert (found.state, found.failure and found.failure.kind) == (State.FAILED, kinds.POLICY)


def test_who_may_not_see_what_flux_reads_still_sees_the_rest() -> None:
    cluster = FakeCluster(NEW)
    cluster.followed_by_flux()
    cluster.hides["gitrepositories"] = "the cluster does not show it"
    assert judge(take(cluster, NAMESPACE, NAME, PATH), NEW).state is State.SERVING


def test_who_has_brought_a_release_and_is_suspended_since_does_not_complain_of_it() -> None:
    cluster = FakeCluster(OLD)
    cluster.followed_by_flux(spec={"suspend": True}, status={"lastAttemptedRevision": f"main@sha1:{'c' * 40}"})
    assert judge(take(cluster, NAMESPACE, NAME, PATH), NEW, lambda revision: revision == "c" * 40).failure is None


def test_a_sync_that_nobody_tries_again_is_final() -> None:
    cluster = FakeCluster(OLD)
    said = SAYS["Argo CD gave up"]("b" * 40)
    said["operationState"]["message"] = "field is immutable"  # type: ignore[index]
    cluster.application = {"status": said}
    found = judge(take(cluster, NAMESPACE, NAME, PATH), NEW, lambda _: True)
    assert (found.state, found.failure and found.failure.kind) == (State.FAILED, kinds.SYNC)


@pytest.mark.parametrize(("tries", "state"), [(1, State.ROLLING), (3, State.ROLLING), (4, State.FAILED)])
def test_the_first_login_of_a_pull_secret_may_come_a_moment_later(tries: int, state: State) -> None:
    cluster = pulling(PULL + "unexpected status from HEAD request: 401 Unauthorized")
    for one in cluster.pods:
        one["spec"] = {"imagePullSecrets": [{"name": "churn-pull"}]}
    for one in cluster.events:
        one["count"] = tries
    found = seen(cluster)
    assert (found.state, found.failure and found.failure.kind) == (state, kinds.IMAGE_REFUSED)


def test_the_registrys_word_stands_at_the_end_of_a_long_message() -> None:
    name = "123456789012.dkr.ecr.eu-north-1.amazonaws.com/models/churn@" + NEW
    said = f'pull "{name}": unpack "{name}": resolve "{name}": HEAD https://{name}: 401 Unauthorized'
    found = seen(pulling(said))
    assert found.detail.count("401 Unauthorized") == 1
    assert len(found.failure.said) <= kinds.LONGEST  # type: ignore[union-attr]


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


@pytest.mark.parametrize("arrived", [True, False])
def test_a_crash_counts_while_its_rollout_goes_on(arrived: bool) -> None:
    """After that a server that has come up again may be unready for another reason."""
    cluster = rolling(state={"running": {}}, last=ended("OOMKilled", 137))
    cluster.pods[1]["status"]["containerStatuses"][0]["started"] = True
    assert cluster.deployment
    if not arrived:
        cluster.deployment["status"]["conditions"][0]["reason"] = "ReplicaSetUpdated"
    failed = (State.ROLLING, None) if arrived else (State.FAILED, kinds.OUT_OF_MEMORY)
    found = seen(cluster)
    assert (found.state, found.failure and found.failure.kind) == failed


def test_zero_pods_are_no_success() -> None:
    cluster = FakeCluster(NEW)
    assert cluster.deployment
    cluster.deployment["spec"]["replicas"], cluster.pods = 0, []
    assert seen(cluster).state is State.WAITING


def test_the_runbook_has_a_section_for_each_failure_and_no_other() -> None:
    text = (Path(__file__).parents[2] / "docs/runbook.md").read_text()
    sections = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    alerts = [section for section in sections if section.startswith("Model")]  # tests/templates/test_monitoring.py
    assert sections == [*(kind.name for kind in kinds.KINDS), *alerts, "An empty cluster"]
