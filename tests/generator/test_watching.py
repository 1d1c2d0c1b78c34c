"""Where each environment stands: by GitHub's runs, held to its description, by ledgers, and by a cluster."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import pytest

from generator.adapters.git import GitRepository
from generator.adapters.github import connect
from generator.adapters.github.runs import JobFacts, RunFacts
from generator.config.model import Model
from generator.errors import GeneratorError
from generator.ledger import Entry, Ledger
from generator.watching.address import PENDING, Asked, address
from generator.watching.looking import Known, World, look
from generator.watching.releasing import Patient
from generator.watching.standing import Standing, State, spoken
from tests.generator.cluster_parts import NAME, NAMESPACE, FakeCluster, digest, pod
from tests.generator.doctor_parts import answering, kubeconfig
from tests.generator.github.answers import denied
from tests.generator.github.server import GitHubServer
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.generator.test_deploy import Scene
from tests.generator.workspaces import model_yaml, write
from tests.parts import need_program
from tests.processes import running

INGRESS = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/ingresses/{NAME}"
ROUTE = f"/apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/httproutes/{NAME}"
SERVICE = f"/api/v1/namespaces/{NAMESPACE}/services/{NAME}"
INSIDE = {"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}}
MORE = "deploy: {engine: argocd, environments: {production: {namespace: churn}}}\n"
OVERLAY = "k8s/overlays/production"
URL = "repository: {url: https://github.com/acme/churn}\n"
ENTRY = Entry(
    version="1.0.0", digest=digest("a"), run="1" * 32, commit="c" * 40, at="2026-11-22T03:00:00Z", by="ada"
)
RELEASED = Ledger(model="churn", environment="production").with_release(ENTRY)


def known(root: Path, ledgers: Mapping[str, Ledger]) -> Known:
    """As in a clone whose last commit is the overlay's."""
    (root / OVERLAY).mkdir(parents=True)
    (root / OVERLAY / "release.yaml").touch()
    git(root, "init", "--quiet")
    commit_all(root, "Release")
    return Known(ledgers, GitRepository(root))


def progress(cluster: FakeCluster) -> dict[str, Any]:
    """What the Deployment says of its newest rollout."""
    assert cluster.deployment
    found: dict[str, Any] = cluster.deployment["status"]["conditions"][0]
    return found


def rolling(cluster: FakeCluster) -> None:
    """Its rollout still brings pods."""
    cluster.pods[0] = pod("one", None, state={"waiting": {"reason": "ContainerCreating"}})
    progress(cluster)["reason"] = "ReplicaSetUpdated"


class Place:
    """churn in production, whose ledger, cluster and runs a test gives."""

    def __init__(self, root: Path) -> None:
        self.model: Model = write(root, model_yaml(URL + MORE)).model(None)
        self.known = known(root, {})
        self.cluster = FakeCluster(digest("a"))
        self.cluster.more = {INGRESS: None, ROUTE: None, SERVICE: INSIDE}
        self.said: list[str] = []

    def seen(
        self, ledger: Ledger | None = RELEASED, *, github: GitHubServer | None = None, **other: Any
    ) -> Standing:
        runs = connect("acme/churn", github.variables).runs if github else None
        given: dict[str, Any] = {"cluster": self.cluster, "named": lambda _: None, "runs": runs} | other
        ledgers: Mapping[str, Ledger] = {"production": ledger} if ledger else {}
        found = replace(self.known, ledgers=ledgers)
        (row,) = look({"churn": (self.model, found)}, None, World(say=self.said.append, **given))
        return row


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


DONE = "success"
RUNS: dict[str, tuple[dict[str, str], State, str]] = {
    "not begun": ({}, State.TRAINING, "2026-11-22T04:00:00Z"),
    "training": ({"Train": "in_progress"}, State.TRAINING, "2026-11-22T04:01:00Z"),
    "no runner yet": ({"Train": DONE, "Package": "queued"}, State.BUILDING, "2026-11-22T04:05:00Z"),
    "building": ({"Train": DONE, "Package": "in_progress"}, State.BUILDING, "2026-11-22T04:01:00Z"),
    "pushing": ({"Package": DONE, "Publish": "in_progress", "Train": DONE}, State.PUSHING, "2026-11-22T04:01:00Z"),
    "deploying": (
        {"Train": DONE, "Package": DONE, "Publish": DONE, "Deploy": "in_progress"},
        State.DEPLOYING,
        "2026-11-22T04:01:00Z",
    ),
}


@pytest.mark.parametrize("case", RUNS)
def test_a_run_says_what_is_being_done(place: Place, github: GitHubServer, case: str) -> None:
    jobs, state, since = RUNS[case]
    github.repository.add_run("v1.1.0", jobs)
    row = place.seen(github=github)
    assert (row.state, row.version, row.since) == (state, "1.1.0", since)
    assert row.detail == "1.0.0 is deployed meanwhile"
    assert row.address == f"http://{NAME}.{NAMESPACE}.svc", "what serves meanwhile is reached as ever"


def test_the_first_release_has_no_version_before_it(place: Place, github: GitHubServer) -> None:
    github.repository.add_run("v1.0.0", {"Train": "in_progress"})
    row = place.seen(None, github=github)
    assert (row.state, row.version, row.detail) == (State.TRAINING, "1.0.0", "")


def test_a_failed_run_says_where_with_its_address(place: Place, github: GitHubServer) -> None:
    github.repository.add_run("v1.1.0", {"Train": "failure", "Package": "skipped"}, ended="failure")
    row = place.seen(github=github)
    assert row.state is State.FAILED
    assert row.detail.startswith("job Train: failure, at “Train: run it”: https://github.com/")
    assert row.detail.endswith("; 1.0.0 is deployed meanwhile")
    assert row.since == "2026-11-22T04:05:00Z"


@pytest.mark.parametrize(
    ("jobs", "ended", "says"),
    [
        ({"Train": "in_progress"}, None, "; 1.1.0 is training"),
        ({"Train": "failure"}, "failure", "; 1.1.0 failed; "),
    ],
)
def test_what_fails_in_the_cluster_goes_before_a_release_that_is_on_its_way_or_failed(
    place: Place, github: GitHubServer, jobs: dict[str, str], ended: str | None, says: str
) -> None:
    github.repository.add_run("v1.1.0", jobs, ended=ended)
    place.cluster.pods = [
        pod(name, None, state={"waiting": {"reason": "CrashLoopBackOff"}}, last={"terminated": {"exitCode": 1}})
        for name in ("one", "two")
    ]
    row = place.seen(github=github)
    assert (row.state, row.version, row.since) == (State.FAILED, "1.0.0", ENTRY.at)
    assert "exit code 1" in row.detail.partition(says)[0]
    assert says in row.detail


@pytest.mark.parametrize("ended", [None, "failure"])
def test_what_the_cluster_has_is_said_beside_a_release_as_far_as_it_is_seen(
    place: Place, github: GitHubServer, ended: str | None
) -> None:
    github.repository.add_run("v1.1.0", {"Train": ended or "in_progress"}, ended=ended)
    rolling(place.cluster)
    wanted = State.FAILED if ended else State.TRAINING
    row = place.seen(github=github)
    assert (row.state, row.version) == (wanted, "1.1.0")
    assert row.detail.endswith("1.0.0 is deploying meanwhile, 1 of 2 pods ready")
    row = place.seen(github=github, cluster=None)
    assert (row.state, row.version) == (wanted, "1.1.0")
    assert row.detail.endswith("1.0.0 is in the overlay meanwhile, no cluster was asked")


def test_a_run_that_ended_without_a_job_is_failed_too(place: Place, github: GitHubServer) -> None:
    github.repository.add_run("v1.1.0", {}, ended="startup_failure")
    row = place.seen(github=github)
    assert row.state is State.FAILED
    assert row.detail.startswith("the run ended as startup_failure: https://github.com/acme/churn/actions/runs/")


def test_a_run_started_again_goes_on_since_then(place: Place, github: GitHubServer) -> None:
    """Its earlier attempt's jobs ended long ago."""
    again = {"created_at": "2026-11-12T04:00:00Z", "run_started_at": "2026-11-22T05:00:00Z"}
    github.repository.add_run("v1.1.0", {"Train": "queued"}, **again)
    row = place.seen(github=github)
    assert (row.state, row.since) == (State.TRAINING, "2026-11-22T05:00:00Z")
    github.repository.add_run("v1.1.0", {"Train": DONE, "Package": "queued"}, **again)
    row = place.seen(github=github)
    assert (row.state, row.since) == (State.BUILDING, "2026-11-22T05:00:00Z")


def test_an_older_release_that_lands_later_hides_no_failure_of_a_newer_one(
    place: Place, github: GitHubServer
) -> None:
    before = "2026-11-22T02:50:00Z"  # 1.0.0 landed at 03:00
    github.repository.add_run("v1.2.0", {"Train": "failure"}, ended="failure", created_at=before)
    row = place.seen(github=github)
    assert (row.state, row.version) == (State.FAILED, "1.2.0")
    assert row.detail.endswith("1.0.0 is deployed meanwhile")
    higher = RELEASED.with_release(ENTRY.model_copy(update={"version": "1.3.0"}))
    assert place.seen(higher, github=github).state is State.DEPLOYED, "a higher version has come since"


def test_an_older_release_that_goes_on_stands_before_a_newer_one_that_failed(
    place: Place, github: GitHubServer
) -> None:
    github.repository.add_run("v1.1.0", {"Train": "in_progress"})
    github.repository.add_run("v1.2.0", {"Train": "failure"}, ended="failure")
    row = place.seen(github=github)
    assert (row.state, row.version) == (State.TRAINING, "1.1.0")
    assert row.detail.startswith("1.2.0 failed; job Train: failure, at ")
    assert row.detail.endswith("; 1.0.0 is deployed meanwhile")


def test_of_two_that_go_on_the_newer_stands_before_the_other(place: Place, github: GitHubServer) -> None:
    """What the overlay has passed goes on in vain: for an approval it may wait for weeks."""
    github.repository.add_run("v0.9.0", {"Train": DONE, "Package": DONE, "Publish": "waiting"})
    github.repository.add_run("v1.1.0", {"Train": DONE, "Package": "in_progress"})
    github.repository.add_run("v1.2.0", {"Train": "in_progress"})
    row = place.seen(github=github)
    assert (row.state, row.version) == (State.TRAINING, "1.2.0")
    assert row.detail == "1.1.0 is building; 1.0.0 is deployed meanwhile"
    github.repository.runs["release.yml"][:2] = []
    github.repository.add_run("v1.0.0", {"Train": DONE}, ended="success")
    assert place.seen(github=github).state is State.DEPLOYED


def test_a_job_that_waits_for_somebody_says_so(place: Place, github: GitHubServer) -> None:
    github.repository.add_run("v1.1.0", {"Train": DONE, "Package": DONE, "Publish": "waiting"})
    row = place.seen(github=github)
    assert (row.state, row.since) == (State.PUSHING, "2026-11-22T04:05:00Z")
    assert row.detail == "waits for an approval; 1.0.0 is deployed meanwhile"


@pytest.mark.parametrize(
    ("ref", "jobs", "ended", "at"),
    [
        ("v1.1.0", {"Train": DONE}, "success", "2026-11-22T04:00:00Z"),
        ("v1.0.0", {"Train": DONE, "Observe": "in_progress"}, None, "2026-11-22T04:00:00Z"),
        ("v0.9.0", {"Train": "failure"}, "failure", "2026-11-22T02:00:00Z"),
        ("main", {"Train": "in_progress"}, None, "2026-11-22T04:00:00Z"),
        ("vnext", {"Train": "in_progress"}, None, "2026-11-22T04:00:00Z"),
    ],
    ids=["it succeeded", "its commit has landed", "a later one has landed", "no tag", "a branch like a tag"],
)
def test_what_a_run_no_longer_decides_the_cluster_does(
    place: Place, github: GitHubServer, ref: str, jobs: dict[str, str], ended: str | None, at: str
) -> None:
    github.repository.add_run(ref, jobs, ended=ended, created_at=at)
    row = place.seen(github=github)
    assert (row.state, row.version) == (State.DEPLOYED, "1.0.0")


def test_a_repository_without_runs_and_a_refusal_leave_the_cluster_s_word(
    place: Place, github: GitHubServer
) -> None:
    assert place.seen(github=github).state is State.DEPLOYED
    assert place.said == []
    github.fail("actions/list-workflow-runs", denied("actions=read"))
    assert place.seen(github=github).state is State.DEPLOYED
    (said,) = place.said
    assert "training, building and pushing of churn are not shown: " in said
    assert "it needs actions=read" in said


def test_who_watches_does_not_ask_github_each_time(github: GitHubServer) -> None:
    github.repository.add_run("v1.1.0", {"Train": "in_progress"})
    clock = [0.0]
    runs = Patient(connect("acme/churn", github.variables).runs, now=lambda: clock[0])
    for at, asked in ((0.0, 2), (5.0, 2), (14.9, 2), (15.0, 4)):
        clock[0] = at
        runs.jobs(runs.newest("release.yml")[0].id)
        assert len(github.log) == asked, at


def test_a_refusal_is_not_asked_for_again_by_any_model_for_as_long(github: GitHubServer) -> None:
    github.fail("actions/list-workflow-runs", *[denied("actions=read")] * 9)
    clock = [0.0]
    runs = Patient(connect("acme/churn", github.variables).runs, now=lambda: clock[0])
    for at, asked in ((0.0, 1), (0.0, 1), (14.9, 1), (15.0, 2)):
        clock[0] = at
        for workflow in ("release.yml", "release-a.yml"):
            with pytest.raises(GeneratorError, match="it needs actions=read"):
                runs.newest(workflow)
        assert len(github.log) == asked, at


def test_many_models_together_stay_below_github_s_limit() -> None:
    """Each has two runs whose jobs are looked at; an hour at 5 seconds."""
    models, clock = [f"release-{number}.yml" for number in range(20)], [0.0]

    class Counting:
        asked = 0

        def newest(self, workflow: str) -> list[RunFacts]:
            self.asked += 1
            return [RunFacts(models.index(workflow), "v1.1.0", "", "", "")]

        def jobs(self, run: int) -> list[JobFacts]:
            self.asked += 1
            return []

    counting = Counting()
    runs = Patient(counting, now=lambda: clock[0], models=len(models))
    for second in range(0, 3600, 5):
        clock[0] = second
        for workflow in models:
            run = runs.newest(workflow)[0].id
            for one in (run, run + len(models)):
                runs.jobs(one)
    assert counting.asked <= 1800


def test_what_all_pods_run_is_deployed_since_its_last_pod_came(place: Place) -> None:
    progress(place.cluster)["lastUpdateTime"] = "2026-11-22T03:01:30Z"
    row = place.seen()
    assert (row.state, row.since, row.took, row.detail) == (State.DEPLOYED, "2026-11-22T03:01:30Z", 90, "")
    assert row.record(datetime(2026, 11, 22, 4, 1, 30, tzinfo=UTC))["seconds"] == 3600


def test_a_pod_that_comes_again_after_the_rollout_deploys_nothing(place: Place, github: GitHubServer) -> None:
    """After a drain or a scale-up; what the rollout took does not grow."""
    progress(place.cluster)["lastUpdateTime"] = "2026-11-22T03:01:30Z"
    place.cluster.pods[0] = pod("one", None, state={"waiting": {"reason": "ContainerCreating"}})
    row = place.seen()
    assert (row.state, row.since, row.took) == (State.DEPLOYED, "2026-11-22T03:01:30Z", 90)
    assert row.detail == "1 of 2 pods ready"
    github.repository.add_run("v1.1.0", {"Train": "in_progress"})
    assert place.seen(github=github).detail == "1.0.0 is deployed meanwhile, 1 of 2 pods ready"
    place.cluster.pods.append(pod("old", digest("b"), owner="old"))
    assert place.seen().state is State.DEPLOYING, "pods of another release are left"
    place.cluster.pods = [pod("one", None, state={"waiting": {"reason": "ContainerCreating"}})]
    assert place.seen().state is State.DEPLOYING, "nothing serves"


def test_a_deployment_that_was_scaled_to_nothing_does_not_deploy_for_ever(place: Place) -> None:
    assert place.cluster.deployment
    place.cluster.deployment["spec"]["replicas"], place.cluster.pods = 0, []
    row = place.seen()
    assert (row.state, row.detail) == (State.DEPLOYED, "the Deployment asks for no pods")


def test_a_rollout_and_a_failed_one_say_how_far_and_why(place: Place) -> None:
    rolling(place.cluster)
    row = place.seen()
    assert (row.state, row.since, row.detail) == (State.DEPLOYING, ENTRY.at, "1 of 2 pods ready")
    place.cluster.pods[0] = pod(
        "one", None, state={"waiting": {"reason": "CrashLoopBackOff"}}, last={"terminated": {"exitCode": 1}}
    )
    row = place.seen()
    assert row.state is State.FAILED
    assert "exit code 1" in row.detail


def test_a_sync_that_failed_is_that_release_s_whose_commit_it_was_of(place: Place) -> None:
    """Argo CD speaks of the release before until it has seen the next one's commit."""
    before = git(place.known.git.root, "rev-parse", "HEAD")
    (place.known.git.root / OVERLAY / "release.yaml").write_text("1.0.0")
    commits = {State.DEPLOYING: before, State.FAILED: commit_all(place.known.git.root, "Release 1.0.0")}
    place.cluster = FakeCluster(digest("9"))
    place.cluster.more = {INGRESS: None, ROUTE: None, SERVICE: INSIDE}
    for state, commit in commits.items():
        failed = {"phase": "Failed", "message": "exceeded quota: small", "syncResult": {"revision": commit}}
        place.cluster.application = {"status": {"sync": {"revision": commit}, "operationState": failed}}
        row = place.seen()
        assert (row.state, "exceeded quota" in row.detail) == (state, state is State.FAILED)


def test_what_was_never_released_and_what_cannot_be_asked(place: Place) -> None:
    assert place.seen(None).state is State.EMPTY
    assert place.seen(cluster=None).detail == "no cluster was asked"
    place.cluster.refuses = "the cluster does not answer"
    assert (place.seen().state, place.seen().detail) == (State.UNSEEN, "the cluster does not answer")
    place.cluster.refuses, place.cluster.application, place.cluster.deployment = None, None, None
    assert place.seen().detail == "the cluster of context test has nothing of production"


def test_each_cluster_has_a_row(tmp_path: Path, github: GitHubServer) -> None:
    """Its own address, its own failure; a release on its way is all clusters', beside what each of them has."""
    clusters = MORE.replace("{namespace: churn}", "{namespace: churn, clusters: {eu: , us: , ap: }}")
    model = write(tmp_path, model_yaml(URL + clusters)).model(None)
    found = known(tmp_path, {"production": RELEASED})
    hub, eu, us = (FakeCluster(digest("a")) for _ in range(3))
    folder = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
    hub.more = {f"{folder}/churn-production-{name}": hub.application for name in ("eu", "us", "ap")}
    eu.more = {INGRESS: None, ROUTE: None, SERVICE: INSIDE}
    us.more = {INGRESS: {"spec": {"rules": [{"host": "us.example.com"}]}}, ROUTE: None, SERVICE: INSIDE}
    us.pods[0] = pod(
        "one", None, state={"waiting": {"reason": "CrashLoopBackOff"}}, last={"terminated": {"exitCode": 1}}
    )

    eu.named, us.named = "eu", "us"

    def seen() -> list[tuple[str, State, str, str]]:
        runs = connect("acme/churn", github.variables).runs
        world = World(hub, {"eu": eu, "us": us}.get, runs, lambda _: None, context="hub")
        rows = list(look({"churn": (model, found)}, None, world))
        assert [row.context for row in rows] == ["eu", "us", None], "whose cluster was asked"
        return [(row.where, row.state, row.version, row.address) for row in rows]

    inside, outside = f"http://{NAME}.{NAMESPACE}.svc", "http://us.example.com"
    assert seen() == [
        ("production eu", State.DEPLOYED, "1.0.0", inside),
        ("production us", State.FAILED, "1.0.0", outside),
        ("production ap", State.UNSEEN, "1.0.0", ""),
    ]
    github.repository.add_run("v1.1.0", {"Train": "in_progress"})
    assert seen() == [
        ("production eu", State.TRAINING, "1.1.0", inside),
        ("production us", State.FAILED, "1.0.0", outside),
        ("production ap", State.TRAINING, "1.1.0", ""),
    ]


HOST = {"spec": {"rules": [{"host": "churn.example.com"}]}}
BALANCED = {"spec": {"type": "LoadBalancer", "ports": [{"port": 8000}]}}


def balanced(**ingress: str) -> dict[str, Any]:
    return {**BALANCED, "status": {"loadBalancer": {"ingress": [ingress]}}}


@pytest.mark.parametrize(
    ("objects", "wanted"),
    [
        ({INGRESS: HOST, SERVICE: BALANCED}, "http://churn.example.com"),
        ({INGRESS: {"spec": {**HOST["spec"], "tls": [{}]}}}, "https://churn.example.com"),
        ({ROUTE: {"spec": {"hostnames": ["churn.example.com"]}}, SERVICE: INSIDE}, "churn.example.com"),
        ({SERVICE: balanced(hostname="x.elb.amazonaws.com")}, "http://x.elb.amazonaws.com:8000"),
        ({SERVICE: balanced(ip="2001:db8::1")}, "http://[2001:db8::1]:8000"),
        ({SERVICE: BALANCED}, PENDING),
        ({SERVICE: INSIDE}, f"http://{NAME}.{NAMESPACE}.svc"),
        ({}, ""),
    ],
)
def test_the_address_is_the_one_that_leads_furthest_out(objects: dict[str, Any], wanted: str) -> None:
    cluster = FakeCluster(digest("a"))
    cluster.more = {INGRESS: None, ROUTE: None, SERVICE: None, **objects}
    assert address(Asked(cluster), NAMESPACE, NAME) == wanted


def test_what_one_may_not_see_hides_no_address() -> None:
    cluster = FakeCluster(digest("a"))
    cluster.hides = {"gateway": "the cluster does not show it"}
    cluster.more = {INGRESS: None, SERVICE: INSIDE}
    assert address(Asked(cluster), NAMESPACE, NAME) == f"http://{NAME}.{NAMESPACE}.svc"


def test_an_address_is_kept_once_all_was_shown(place: Place) -> None:
    """An Ingress that a time-out hid is asked for again."""
    world, found = (
        World(place.cluster, lambda _: None, None, place.said.append),
        Known({"production": RELEASED}, place.known.git),
    )
    place.cluster.more[INGRESS] = HOST
    seen = []
    for hides in ({"ingresses": "timed out"}, {}, {"ingresses": "timed out"}):
        place.cluster.hides = hides
        (row,) = look({"churn": (place.model, found)}, None, world)
        seen.append(row.address)
    outside = "http://churn.example.com"
    assert seen == [f"http://{NAME}.{NAMESPACE}.svc", outside, outside]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (90061, "1 d 1 h"), (86400, "1 d"), (None, "")],
)
def test_durations_are_said_in_two_units(seconds: int | None, words: str) -> None:
    assert spoken(seconds) == words


class Released(Scene):
    """churn 1.0.0 is committed to production's overlay, and runs."""

    MORE = URL + MORE

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.deploy("1.0.0", "a")
        self.settle()

    def settle(self) -> None:
        """All its pods run it."""
        self.cluster = FakeCluster(digest("a"))
        self.cluster.more = {SERVICE: INSIDE}

    def answers(self) -> dict[str, tuple[int, Any]]:
        """What an API server with the cluster's objects answers."""
        return {path: (200, found) for path, found in self.cluster.held().items() if found is not None}

    def variables(self, host: str, github: GitHubServer | None = None) -> dict[str, str]:
        need_program("kubectl", "put kubectl on the PATH")
        asked = github.variables if github else {"GH_TOKEN": "", "GITHUB_TOKEN": ""}
        home = {"KUBECONFIG": str(kubeconfig(self.folder, host)), "HOME": str(self.folder)}
        return {**home, **asked, "COLUMNS": "240"}


@pytest.fixture(scope="module")
def _released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    return Released(tmp_path_factory.mktemp("released"))


@pytest.fixture
def released(_released: Released) -> Released:
    _released.settle()
    return _released


def test_the_command_shows_a_table_and_ends_with_1_where_one_failed(
    released: Released, github: GitHubServer
) -> None:
    answers = released.answers()
    with answering(answers) as host:
        done = generator("status", "--live", cwd=released.root, **released.variables(host))
        assert done.returncode == 0, done.stderr
        assert "training, building and pushing are not shown: no token for GitHub" in done.stderr
        lines = [line for line in done.stdout.splitlines() if line.strip().startswith("churn")]
        assert len(lines) == 1, done.stdout
        line = lines[0]
        assert line.split()[:4] == ["churn", "production", "deployed", "1.0.0"]
        assert f"http://{NAME}.{NAMESPACE}.svc" in line
        github.repository.add_run(
            "v1.1.0", {"Train": "failure"}, ended="failure", created_at="2126-01-01T00:00:00Z"
        )
        variables = released.variables(host, github)
        done = generator("status", "--live", "--json", cwd=released.root, **variables)
    assert done.returncode == 1, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["state"], row["version"], row["environment"]) == ("failed", "1.1.0", "production")
    assert row["context"] == "test"
    assert "job Train: failure" in row["detail"]


WATCH = [sys.executable, "-m", "generator", "status", "--watch", "--every", "0.2"]


def test_watching_says_what_changes_until_it_is_interrupted(released: Released) -> None:
    answers = released.answers()
    with answering(answers) as host:
        given: dict[str, Any] = {"cwd": released.root, "env": {**os.environ, **released.variables(host)}}
        with running(WATCH, seconds=120, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **given) as process:
            assert process.stdout
            assert process.stderr
            said = _lines_until(process.stdout, "churn 1.0.0 in production: deployed, for ")
            rolling(released.cluster)
            answers.update(released.answers())
            said += _lines_until(process.stdout, ": deploying, for ")
            time.sleep(0.6)  # nothing changes
            process.send_signal(signal.SIGINT)
            said += process.stdout.read().splitlines()
            states = [line.split(": ")[1].split(",")[0] for line in said]
            assert all(before != after for before, after in pairwise(states)), said
            assert process.stderr.read().endswith("interrupted\n")
            assert process.wait(10) == 130


def _lines_until(output: IO[str], words: str) -> list[str]:
    """Its lines up to the one with `words`. A busy machine's cluster may be out of sight for a moment before."""
    lines: list[str] = []
    while not lines or words not in lines[-1]:
        lines.append(output.readline())
        assert lines[-1], f"it ended without {words!r}: {lines}"
    return lines


@pytest.mark.parametrize("columns", ["80", "30"])
def test_on_a_terminal_a_table_stays_in_its_place_until_it_is_interrupted(
    released: Released, columns: str
) -> None:
    answers = released.answers()
    with answering(answers) as host:
        environment = {**os.environ, **released.variables(host), "COLUMNS": columns, "TERM": "xterm"}
        ours, its = pty.openpty()
        given: dict[str, Any] = {"cwd": released.root, "env": environment, "stdin": its, "stdout": its}
        with (
            os.fdopen(ours, "rb", buffering=0) as shows,
            running(WATCH, seconds=120, stderr=subprocess.PIPE, **given) as it,
        ):
            os.close(its)
            assert it.stderr
            shown = _until(shows, b"1.0.0", times=3)
            it.send_signal(signal.SIGINT)
            shown += _until(shows, b"\x1b[?25h")
            assert it.stderr.read().endswith("interrupted\n")
            assert it.wait(10) == 130
    assert b"\x1b[?25l" in shown, "the cursor was hidden"
    assert b"\x1b[1A" in shown, "it did not go back up"
    lines = [line for line in shown.decode().splitlines() if "1.0.0" in line]
    assert all("deployed" in line for line in lines), lines
    assert f"http://{NAME}.{NAMESPACE}.svc" in "".join(shown.decode().split()), "no line is cut"


def _until(terminal: FileIO, words: bytes, times: int = 1) -> bytes:
    """What a terminal shows until `words` came so often; an error once its process has ended."""
    shown = b""
    while shown.count(words) < times:
        more = terminal.read(4096)
        assert more, shown
        shown += more
    return shown


def test_without_a_remote_the_ledgers_here_are_meant(tmp_path: Path) -> None:
    write(tmp_path)
    done = generator("status", "--live", "--json", cwd=tmp_path, KUBECONFIG="/dev/null")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["state"] == "never released"
    assert "deploying and deployed are not shown" in done.stderr
