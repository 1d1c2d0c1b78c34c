"""From `git push` of a tag to a pod's answer: the generated workflows under act, Argo CD, and a real cluster.

One story of one model with two environments: releases that come up while somebody asks all the time, a promotion
that the cluster refuses, releases that are broken in three ways, and a cluster that loses everything.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.ledger import Ledger, read_ledger
from generator.plan.pipeline import JOBS
from generator.rollouts.kinds import CRASH, IMAGE_ABSENT, NEVER_READY, QUOTA
from tests import parts
from tests.e2e import load
from tests.e2e.cluster import Cluster, curl, derived, ecr_password, eventually
from tests.e2e.forge import Forge
from tests.e2e.test_workflows_run import scaffolded
from tests.generator.github.server import TOKEN, GitHubServer, serving
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.processes import running

pytestmark = pytest.mark.e2e
ENVIRONMENTS = ("staging", "production")
SERVICE = "churn-inference"
GROUPS = [f"tagship-observer:churn-{environment}" for environment in ENVIRONMENTS]
# Of the user: the registry's login for the pods, and a server that is given up after half a minute.
PATCHES = """
patches:
  - path: patches/pull.yaml
  - path: patches/patience.yaml
"""
PULL = """
apiVersion: v1
kind: ServiceAccount
metadata:
  name: inference
imagePullSecrets:
  - name: ecr
"""
PATIENCE = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: inference
spec:
  template:
    spec:
      containers:
        - name: server
          startupProbe:
            failureThreshold: 15
"""
# Versions whose image is broken, by how: what the container does instead of serving.
BROKEN = {
    "1.2.0": (IMAGE_ABSENT, None),
    "1.3.0": (CRASH, ["python", "-c", "raise SystemExit('there is no model here')"]),
    "1.4.0": (NEVER_READY, ["sleep", "600"]),
}


@dataclass
class Story:
    """What happened; each step is kept by its name."""

    forge: Forge
    cluster: Cluster
    root: Path
    golden: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def ledger(self, environment: str) -> Ledger:
        text = git(self.forge.bare, "show", f"main:k8s/overlays/{environment}/release.yaml")
        return read_ledger(text, "release.yaml")

    def running(self, environment: str) -> set[str]:
        """The digests that pods of an environment run, by the container runtime's word."""
        pods = json.loads(self.cluster.kubectl("-n", f"churn-{environment}", "get", "pods", "-o", "json"))
        return {
            status["imageID"].rpartition("@")[2]
            for pod in pods["items"]
            for status in pod["status"].get("containerStatuses", [])
            if status.get("ready")
        }

    def address(self, environment: str) -> str:
        return self.cluster.address(f"churn-{environment}", SERVICE)

    def application(self, environment: str) -> dict[str, Any]:
        found = self.cluster.get("application", f"churn-{environment}", "argocd") or {}
        return dict(found.get("status", {}))

    def times(self, run: int) -> dict[str, float]:
        """Seconds of each job of a release, from what it handed on; the tag was pushed at zero."""
        place = self.forge.folder / f"run-{run}"
        ends = [(place / "event.json").stat().st_mtime]
        for job in JOBS:
            (path,) = (place / f"artifacts/{job.gives[0].name}").rglob(f"{job.stages[-1]}.json")
            ends.append(path.stat().st_mtime)
        return {job.name: end - before for job, (before, end) in zip(JOBS, pairwise(ends), strict=True)}

    def artifact(self, run: int, parcel: str, name: str) -> dict[str, Any]:
        (path,) = (self.forge.folder / f"run-{run}/artifacts/{parcel}").rglob(name)
        return dict(json.loads(path.read_text()))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    parts.need_engine()
    parts.need_kustomize()
    parts.need_act()
    cluster, host, given = Cluster(parts.need_cluster()), parts.need_ecr(), parts.started_with()
    name = f"tag-to-pod-{uuid.uuid4().hex[:8]}"
    served, folder = Path(given["TESTBED_GIT_ROOT"], name), tmp_path_factory.mktemp("tag-to-pod")
    _forget(cluster)
    root = folder / "repo"
    scaffolded(root, host)
    address = f"{given['TESTBED_GIT_URL']}/{name}/origin.git"
    _for_a_cluster(root)
    env = {**given, "SSL_CERT_FILE": given["TESTBED_CA_BUNDLE"]}
    del env["KUBECONFIG"]  # the workflows have what their secret says
    secrets = {"GITHUB_TOKEN": TOKEN, "CLUSTER": cluster.restricted(*GROUPS)}
    with serving(GitHubServer()) as github:
        forge = Forge(served, "acme/churn", env=env, secrets=secrets, api=github.url)
        served.mkdir()
        told = Story(forge, cluster, root)
        try:
            _tell(told, address, folder)
            yield told
        finally:
            _forget(cluster)
            shutil.rmtree(served, ignore_errors=True)


def _for_a_cluster(root: Path) -> None:
    """What a person would write: how rollouts are watched, small pods, and patches of their own."""
    path = root / "model.yaml"
    model = yaml.safe_load(path.read_text())
    model["deploy"] |= {"observe": {"kubeconfig": "CLUSTER", "timeout": 300}}
    for environment in ENVIRONMENTS:
        model["deploy"]["environments"][environment] = {
            **(model["deploy"]["environments"][environment] or {}),
            "rollback_on_failure": True,
        }
    model["serve"] = {
        "replicas": 2,
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
    }
    path.write_text(yaml.safe_dump(model, sort_keys=False))
    done = generator("generate", cwd=root)
    assert done.returncode == 0, done.stderr
    for environment in ENVIRONMENTS:
        overlay = root / "k8s/overlays" / environment
        with (overlay / "kustomization.yaml").open("a") as kustomization:
            kustomization.write(PATCHES)
        (overlay / "patches").mkdir()
        (overlay / "patches/pull.yaml").write_text(PULL)
        (overlay / "patches/patience.yaml").write_text(PATIENCE)
    commit_all(root, "Watch rollouts")


def _forget(cluster: Cluster) -> None:
    """Takes away what a story leaves in the cluster, or one before it left."""
    for kind in ("application", "appproject"):
        names = [f"churn-{environment}" for environment in ENVIRONMENTS]
        cluster.kubectl("-n", "argocd", "delete", kind, *names, "--ignore-not-found", "--timeout=60s")
    names = [f"churn-{environment}" for environment in ENVIRONMENTS]
    cluster.kubectl("delete", "namespace", *names, "--ignore-not-found", "--timeout=120s")


def _tell(story: Story, address: str, folder: Path) -> None:
    forge, root = story.forge, story.root
    forge.create()
    git(root, "remote", "set-url", "origin", str(forge.bare))
    git(root, "push", "--quiet", "origin", "main")
    for environment in ENVIRONMENTS:
        _apply(story, environment, address)
    _release(story, "1.0.0")  # run 0
    story.golden = story.artifact(0, "model", "golden.json")
    story.seen["first"] = curl(f"{story.address('staging')}/predict", story.golden["request"])
    story.seen["metadata"] = curl(f"{story.address('staging')}/metadata")
    story.seen["synced"] = story.application("staging")
    forge.dispatch("promote.yml", environment="production")  # run 1
    story.seen["promoted"] = story.running("production")
    _second_release(story, folder)  # run 2
    _refused_promotion(story)  # runs 3 and 4
    story.seen["status"] = _status(story, folder)
    for version, (_kind, entrypoint) in BROKEN.items():
        story.seen[version] = _broken_release(story, folder / version, version, entrypoint)
    story.seen["after all"] = story.running("staging")
    _lose_a_namespace(story, address)
    _lose_everything(story, address)


def _apply(story: Story, environment: str, address: str) -> None:
    """What a person applies once; the reconciler follows this repository in place of the one on GitHub."""
    text = (story.root / f"k8s/reconciler/{environment}.yaml").read_text()
    assert "https://github.com/acme/churn" in text
    text = text.replace("https://github.com/acme/churn", address)
    story.cluster.kubectl("apply", "-f", "-", stdin=text)
    host = parts.need_ecr()
    story.cluster.let_pull(f"churn-{environment}", host, ecr_password())


def _release(story: Story, version: str) -> None:
    git(story.root, "tag", f"v{version}")
    began = time.monotonic()
    git(story.root, "push", "--quiet", "origin", "main", f"v{version}")
    story.seconds[f"release {version}"] = time.monotonic() - began


def _second_release(story: Story, folder: Path) -> None:
    """While somebody asks all the time, and with room for one pod more, which the one that ends takes for a while."""
    staging = ("-n", "churn-staging")
    story.cluster.kubectl(*staging, "create", "quota", "roomy", "--hard=pods=3")
    body = folder / "body.json"
    body.write_text(json.dumps(story.golden["request"]))
    git(story.root, "pull", "--quiet", "--no-rebase", "origin", "main")
    with (story.root / "train.py").open("a") as script:
        script.write("# better\n")
    commit_all(story.root, "Improve")
    command = [sys.executable, "-m", load.__name__, f"{story.address('staging')}/predict", str(body)]
    with running(command, seconds=1200, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as asking:
        _release(story, "1.1.0")
        time.sleep(15)  # the last pod of the earlier release ends meanwhile
        asking.terminate()
        story.seen["load"] = json.loads(asking.communicate(timeout=60)[0])
    story.seen["second"] = story.running("staging")
    story.seen["crowded"] = story.cluster.kubectl(
        *staging, "get", "events", "--field-selector=reason=FailedCreate"
    )
    story.cluster.kubectl(*staging, "delete", "quota", "roomy")


def _refused_promotion(story: Story) -> None:
    """The namespace has no room for one more pod."""
    quota = ("-n", "churn-production", "create", "quota", "tight", "--hard=pods=2")
    story.cluster.kubectl(*quota)
    ask = {"ref": "refs/heads/main", "inputs": {"environment": "production", "version": "1.1.0"}}
    began = time.monotonic()
    story.seen["refused"] = story.forge.run("promote.yml", "workflow_dispatch", ask, fails=True)
    story.seconds["refused and rolled back"] = time.monotonic() - began
    story.cluster.kubectl("-n", "churn-production", "delete", "quota", "tight")
    story.seen["production after"] = story.ledger("production")
    story.seen["again"] = story.forge.run("promote.yml", "workflow_dispatch", ask, fails=True)
    story.seen["production runs"] = story.running("production")


def _status(story: Story, folder: Path) -> subprocess.CompletedProcess[str]:
    clone = folder / "clone"
    git(folder, "clone", "--quiet", str(story.forge.bare), str(clone))
    return generator("status", "--chain", "--json", cwd=clone, **_given(story))


def _given(story: Story) -> dict[str, str]:
    given = parts.started_with()
    kubeconfig = story.cluster.kubeconfig
    access = {"KUBECONFIG": kubeconfig, "HOME": str(Path(kubeconfig).parent)}
    return {**given, **access, "SSL_CERT_FILE": given["TESTBED_CA_BUNDLE"]}


def _broken_release(story: Story, folder: Path, version: str, entrypoint: list[str] | None) -> dict[str, Any]:
    """A release whose image does not serve, from publish on: what the stages and the rollback after them say."""
    good = story.artifact(2, "publish", "publish.json")
    image = f"{good['repository']}@{good['digest']}"
    digest, tag = "sha256:" + "ab" * 32, f"{good['repository']}:{version}"
    folder.mkdir()
    if entrypoint:
        digest = derived(folder / "image", image, tag, version=version, entrypoint=entrypoint)
    runner = folder / "runner"
    git(folder, "clone", "--quiet", str(story.forge.bare), str(runner))
    git(runner, "tag", f"v{version}")
    commit = git(runner, "rev-parse", "HEAD")
    store = runner / f".tagship/churn-{version}"
    store.mkdir(parents=True)
    changed = {"version": version, "commit": commit, "digest": digest, "tag": version}
    (store / "publish.json").write_text(json.dumps({**good, **changed}))
    env = _given(story)

    def stage(name: str) -> subprocess.CompletedProcess[str]:
        return generator("stage", name, "--release", f"v{version}", "--again", cwd=runner, **env)

    deployed = stage("deploy")
    assert deployed.returncode == 0, deployed.stderr
    began = time.monotonic()
    observed = stage("observe")
    seconds = time.monotonic() - began
    serving = story.running("staging")
    seen = json.loads((store / "observe.json").read_text())
    observe = str(store / "observe.json")
    back = generator("rollback", "staging", "--observed", observe, cwd=runner, **env)
    again = stage("deploy")
    late = stage("observe")
    return {
        "observed": observed,
        "seen": seen,
        "seconds": seconds,
        "serving": serving,
        "back": back,
        "again": again,
        "late": late,
    }


def _lose_a_namespace(story: Story, address: str) -> None:
    """Argo CD goes on following it, and needs the namespace alone."""
    story.cluster.kubectl("delete", "namespace", "churn-staging", "--timeout=120s")
    _apply(story, "staging", address)
    current = story.ledger("staging").current
    assert current is not None
    wanted = {current.digest}
    eventually(f"staging runs {wanted} again", lambda: story.running("staging") == wanted)
    story.seen["namespace restored"] = story.running("staging")


def _lose_everything(story: Story, address: str) -> None:
    """All that the cluster knew of the model is gone, and what a person applies once is applied again."""
    _forget(story.cluster)
    assert story.cluster.get("deployment", SERVICE, "churn-staging") is None
    for environment in ENVIRONMENTS:
        _apply(story, environment, address)
    for environment in ENVIRONMENTS:
        current = story.ledger(environment).current
        assert current is not None
        wanted = {current.digest}
        eventually(f"{environment} runs {wanted} again", lambda e=environment, w=wanted: story.running(e) == w)
    story.seen["restored"] = {name: story.running(name) for name in ENVIRONMENTS}
    answer = eventually("the Service answers", lambda: _predicted(story), 60)
    story.seen["answered after"] = answer


def _predicted(story: Story) -> Any:
    try:
        return curl(f"{story.address('staging')}/predict", story.golden["request"])
    except AssertionError:
        return None


def test_a_pushed_tag_ends_in_pods_that_answer_the_golden_prediction(story: Story) -> None:
    assert story.seen["first"]["predictions"] == pytest.approx(story.golden["predictions"])
    published = story.artifact(0, "publish", "publish.json")
    told = story.seen["metadata"]
    assert (told["name"], told["version"], told["digest"]) == ("churn", "1.0.0", published["digest"])


def test_each_job_takes_its_time_one_after_the_other(story: Story) -> None:
    """The figures of docs/rollouts.md: `pytest -s` prints them."""
    times = story.times(0)
    print({name: round(seconds) for name, seconds in times.items()}, story.seconds)  # noqa: T201
    assert list(times) == ["train", "package", "publish", "deploy", "observe"]
    assert min(times.values()) > 0
    assert sum(times.values()) <= story.seconds["release 1.0.0"]


def test_argo_cd_has_applied_exactly_the_overlays_commit(story: Story) -> None:
    status, deployed = story.seen["synced"], story.artifact(0, "deploy", "deploy.json")
    assert (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")
    assert status["sync"]["revision"] == deployed["overlay_commit"]


def test_the_workflow_saw_it_with_no_more_rights_than_the_generated_role(story: Story) -> None:
    seen = story.artifact(0, "observe", "observe.json")
    assert (seen["state"], seen["kind"]) == ("serving", None)
    assert "2 of 2 pods ready, churn 1.0.0 answers" in seen["detail"]
    config = story.forge.folder / "restricted"
    config.write_text(story.cluster.restricted(*GROUPS))
    restricted = Cluster(str(config))
    for attempt in (
        ("-n", "churn-staging", "get", "secrets"),
        ("-n", "default", "get", "pods"),
        ("-n", "churn-staging", "delete", "pod", "--all"),
        ("-n", "argocd", "get", "applications"),
    ):
        assert "Forbidden" in restricted.kubectl(*attempt, fails=True), attempt


def test_a_promotion_brings_the_same_digest(story: Story) -> None:
    assert story.seen["promoted"] == {story.artifact(0, "publish", "publish.json")["digest"]}


def test_a_second_release_rolls_out_without_losing_a_request(story: Story) -> None:
    assert story.seen["second"] == {story.artifact(2, "publish", "publish.json")["digest"]}
    load = story.seen["load"]
    assert load["asked"] > 1000
    assert load["failed"] == []


def test_a_quota_that_a_pod_which_ends_fills_for_a_while_fails_no_rollout(story: Story) -> None:
    assert "exceeded quota: roomy" in story.seen["crowded"]
    assert story.artifact(2, "observe", "observe.json")["state"] == "serving"


def test_what_the_cluster_refuses_is_rolled_back_by_the_run_that_saw_it(story: Story) -> None:
    seen = story.artifact(3, "observe-production", "observe.json")
    assert (seen["state"], seen["kind"], seen["version"]) == ("failed", QUOTA.name, "1.1.0")
    assert "exceeded quota: tight" in seen["detail"]
    ledger = story.seen["production after"]
    assert ledger.current.version == "1.0.0"
    assert [(item.version, item.reason.split(":")[0]) for item in ledger.rejected] == [
        ("1.1.0", "the rollout failed")
    ]
    assert story.seen["production runs"] == story.seen["promoted"], "pods of the earlier release went away"


def test_a_rejected_version_stays_away_when_it_is_promoted_again(story: Story) -> None:
    assert "1.1.0 was rejected" in story.seen["again"]
    assert story.ledger("production").current.version == "1.0.0"  # type: ignore[union-attr]


@pytest.mark.parametrize("version", BROKEN)
def test_a_broken_release_is_reported_with_its_reason_and_rolled_back(story: Story, version: str) -> None:
    found, kind = story.seen[version], BROKEN[version][0]
    assert (found["observed"].returncode, found["seen"]["state"]) == (1, "failed"), found["observed"].stderr
    assert found["seen"]["kind"] == kind.name, found["seen"]["detail"]
    assert kind.fix.split(":")[0] in found["observed"].stderr
    assert re.search(rf"runbook(\.md#|: ){kind.name}\)", found["observed"].stderr)
    assert found["back"].returncode == 0, found["back"].stderr
    assert f"{version} is rejected, 1.1.0 runs again" in found["back"].stdout


@pytest.mark.parametrize("version", BROKEN)
def test_a_rejected_release_stays_away_when_its_run_is_run_again(story: Story, version: str) -> None:
    found = story.seen[version]
    assert found["again"].returncode == 1
    assert f"{version} was rejected" in found["again"].stderr
    assert found["late"].returncode == 0, "a run that is late reports a failure of what is gone"
    assert "another release" in found["late"].stderr


def test_a_crash_says_what_the_server_said(story: Story) -> None:
    assert "exit code 1" in story.seen["1.3.0"]["seen"]["detail"]


def test_pods_of_the_good_release_serve_beside_a_broken_one(story: Story) -> None:
    good = {story.artifact(2, "publish", "publish.json")["digest"]}
    assert [story.seen[version]["serving"] for version in BROKEN] == [good] * len(BROKEN)
    assert story.seen["after all"] == good


def test_status_proves_the_whole_chain(story: Story) -> None:
    done = story.seen["status"]
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["environment"]: row["links"] for row in json.loads(done.stdout)}
    for environment in ENVIRONMENTS:
        standing = {link["name"]: link["standing"] for link in rows[environment]}
        # No tracking server is named, so the run is what the ledger says.
        seen = {name: standing[name] for name in standing if name not in ("data", "run")}
        assert set(seen.values()) == {"holds"}, f"{environment}: {rows[environment]}"
        assert {"tag", "commit", "digest", "overlay", "reconciler", "deployment", "pods", "answer"} <= set(seen)


def test_an_empty_namespace_or_cluster_and_git_give_back_what_ran(story: Story) -> None:
    wanted = {name: {story.ledger(name).current.digest} for name in ENVIRONMENTS}  # type: ignore[union-attr]
    assert story.seen["namespace restored"] == wanted["staging"]
    assert story.seen["restored"] == wanted
    assert story.seen["answered after"]["predictions"] == pytest.approx(story.golden["predictions"])


def test_the_namespace_refuses_what_is_not_restricted(story: Story) -> None:
    command = ("-n", "churn-staging", "run", "root", "--image", "any", "--dry-run=server")
    assert 'violates PodSecurity "restricted' in story.cluster.kubectl(*command, fails=True)
