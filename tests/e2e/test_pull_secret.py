"""A real cluster and a registry that wants a login: pods wait without it, run with it, and get a new one in time."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.rollouts.kinds import IMAGE_REFUSED
from tests import parts
from tests.e2e.cluster import Cluster, eventually
from tests.e2e.pulled import FIRST, SECOND, Images, Place, aws_for_pods, images, placed
from tests.generator.repositories import git

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With what the command itself needs of the environment, which looks at rollouts."""
    with pytest.MonkeyPatch.context() as patch:
        found = Cluster(parts.need_cluster())
        patch.setenv("KUBECONFIG", found.kubeconfig)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield found


@pytest.fixture(scope="module")
def aws(cluster: Cluster) -> Iterator[str]:
    parts.need_aws()
    with aws_for_pods(cluster) as address:
        yield address


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Images:
    parts.need_engine()
    parts.need_kustomize()
    parts.need_ecr()
    return images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, shared: Images, aws: str) -> Iterator[Place]:
    """The cluster has what is applied once, and nothing of the overlay."""
    with placed(cluster, tmp_path_factory.mktemp("pulled"), shared, aws) as found:
        cluster.kubectl("apply", "-f", str(found.root / "k8s/reconciler/production.yaml"))
        yield found


def roll_out(place: Place, version: str) -> None:
    """As a person does it who has no reconciler."""
    place.release(version)
    place.cluster.kubectl("apply", "-k", str(place.overlay))


def written(place: Place) -> dict[str, object]:
    return {"auths": {place.images.registry: {"auth": place.images.login}}}


def without_the_login(place: Place) -> str:
    """What the job logs."""
    return f"Secret {place.namespace}/{place.model.name}-pull has a new login of {place.images.registry}\n"


def test_a_pod_waits_for_the_login_and_runs_with_it(place: Place) -> None:
    roll_out(place, FIRST)
    assert place.refused(FIRST).kind is IMAGE_REFUSED
    assert place.secret() is None, "nobody has written it yet"
    assert place.refresh() == without_the_login(place)
    assert place.secret() == written(place)
    assert place.serves(FIRST)


def test_a_login_that_has_ended_is_replaced_and_pods_pull_again(place: Place) -> None:
    ended = {"auths": {place.images.registry: {"auth": base64.b64encode(b"AWS:ended").decode()}}}
    data = {".dockerconfigjson": base64.b64encode(json.dumps(ended).encode()).decode()}
    place.kubectl("patch", "secret", f"{place.model.name}-pull", "--patch", json.dumps({"data": data}))
    roll_out(place, SECOND)
    assert place.refused(SECOND).kind is IMAGE_REFUSED
    assert place.images.digests[FIRST] in place.running(), "it still serves"
    assert place.refresh() == without_the_login(place)
    assert place.secret() == written(place)
    assert place.serves(SECOND)


def test_the_job_may_write_this_one_secret_and_read_none(place: Place) -> None:
    own = f"secret/{place.model.name}-pull"
    for verb in ("create", "patch"):
        place.may(verb, own)
        place.may_not(verb, "secret/of-the-test")
    for verb, what in (("get", own), ("create", "secrets"), ("list", "pods")):
        place.may_not(verb, what)


def test_argo_cd_brings_the_login_before_the_pods(
    tmp_path: Path, cluster: Cluster, shared: Images, aws: str
) -> None:
    """One commit has it all, and no pod is ever refused."""
    bed = parts.started_with()
    with placed(cluster, tmp_path, shared, aws, "argocd") as place:
        place.release(FIRST)
        bare, name = Path(bed["TESTBED_GIT_ROOT"], f"{place.namespace}.git"), f"{place.model.name}-production"
        reconciler = tmp_path / "k8s/reconciler/production.yaml"
        here = f"{bed['TESTBED_GIT_URL']}/{bare.name}"
        reconciler.write_text(reconciler.read_text().replace(str(place.model.overlays_url), here))
        git(tmp_path, "init", "-q", "-b", "main")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", "Release")
        git(tmp_path, "clone", "-q", "--bare", str(tmp_path), str(bare))
        try:
            cluster.kubectl("apply", "-f", str(reconciler))
            eventually(f"{name} is synced and healthy", lambda: _state(cluster, name) == ("Synced", "Healthy"))
            _login_came_first(place)
        finally:
            cluster.kubectl("-n", "argocd", "delete", "application,appproject", name, "--ignore-not-found")
            shutil.rmtree(bare)


def _state(cluster: Cluster, name: str) -> tuple[str | None, str | None]:
    status = cluster.get("application", name, "argocd").get("status", {})
    return status.get("sync", {}).get("status"), status.get("health", {}).get("status")


def _login_came_first(place: Place) -> None:
    assert place.secret() == written(place)
    assert place.serves(FIRST)
    assert place.kubectl("get", "events", "--field-selector", "reason=Failed", "-o", "name") == ""
    job = place.kubectl("get", "job", f"{place.model.name}-pull-first", "-o", "jsonpath={.status.completionTime}")
    pods = place.kubectl(
        *("get", "pods", "-l", "app.kubernetes.io/name=inference"),
        *("-o", "jsonpath={.items[*].metadata.creationTimestamp}"),
    )
    assert job
    assert all(job <= pod for pod in pods.split())
