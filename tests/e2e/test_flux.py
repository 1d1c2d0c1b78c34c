"""Flux's own controllers bring what we commit to a real cluster, from a private repository."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from generator.adapters.git import GitRepository
from generator.adapters.kubectl import Kubectl, cluster_from
from generator.chain.link import Link, Standing
from generator.chain.running import Place as At
from generator.chain.running import running
from generator.ledger import read_ledger
from generator.plan.credentials import KUBECONFIG
from generator.plan.reconciler import OBSERVER, api_path, object_name
from generator.rollouts.failures import failure
from generator.rollouts.kinds import IMAGE_ABSENT, SYNC, Failure
from generator.rollouts.snapshot import take
from tests import parts
from tests.e2e.cluster import Cluster, eventually
from tests.e2e.flux import Followed, controllers, followed
from tests.e2e.pulled import FIRST, SECOND, aws_for_pods, images, placed
from tests.generator import sshd
from tests.generator.repositories import git
from tests.templates.manifests import generate

pytestmark = pytest.mark.e2e
THIRD, ABSENT = "1.2.0", "9.0.0"
# Flux's own answer to a rollback that would wait for what it undoes: docs/reconcilers.md.
GATE = "--feature-gates=CancelHealthCheckOnNewRevision=true"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    parts.need_flux()
    parts.need_aws()
    parts.need_engine()
    parts.need_kustomize()
    cluster = Cluster(parts.need_cluster())
    folder = tmp_path_factory.mktemp("flux")
    (folder / "repo").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", cluster.kubeconfig)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        with (
            controllers(cluster, folder / "controllers", GATE),
            sshd.running(folder / "sshd") as server,
            aws_for_pods(cluster) as aws,
            placed(cluster, folder / "repo", images(tmp_path_factory.mktemp("images")), aws, "flux") as place,
            followed(place, server, folder) as found,
        ):
            yield found


def failed(model: Followed, version: str, commit: str) -> Failure | None:
    """What the command says of the release, with the rights that the generated file gives to who watches."""
    place, target = model.place, model.place.model.targets[0]
    access = place.cluster.restricted(OBSERVER.format(object_name(place.model, target)), "system:authenticated")
    with cluster_from({KUBECONFIG: access}) as cluster:
        seen = take(cluster, place.namespace, place.deployment, api_path(place.model, target))
    return failure(seen, place.images.digests[version], lambda named: named == commit)


def links(model: Followed, commit: str) -> dict[str, Link]:
    """What `generator status --chain` says, up to the pods: this server answers no /metadata."""
    place = model.place
    ledger = read_ledger((place.overlay / "release.yaml").read_text(), "release.yaml")
    found = running(At(place.model, place.model.targets[0], Kubectl()), ledger, commit, GitRepository(place.root))
    return {link.name: link for link in found}


def test_a_commit_is_fetched_with_the_deploy_key_and_runs(model: Followed) -> None:
    commit = model.publish(FIRST)
    model.applied(commit)
    assert model.place.serves(FIRST)
    assert model.place.secret(), "its pull secret was brought along"


def test_the_next_release_takes_its_place(model: Followed) -> None:
    commit = model.publish(SECOND)
    model.applied(commit)
    assert model.place.serves(SECOND)
    earlier = model.place.images.digests[FIRST]
    eventually("the earlier pod has gone", lambda: earlier not in model.place.running())
    found = links(model, commit)
    assert {found[name].standing for name in ("reconciler", "deployment", "pods")} == {Standing.HOLDS}, found
    assert found["reconciler"].value == commit


def test_what_leaves_the_overlay_is_deleted_and_the_namespace_stays(model: Followed) -> None:
    place = model.place
    path = place.root / "model.yaml"
    before = path.read_text()
    budget = ("pdb", place.deployment, place.namespace)
    path.write_text(before.replace("replicas: 1", "replicas: 2"))
    generate(place.root)
    model.applied(model.push("Two pods"))
    assert place.cluster.get(*budget)
    path.write_text(before)
    generate(place.root)
    model.applied(model.push("One pod"))
    assert place.cluster.get(*budget) is None
    assert place.serves(SECOND)


def test_an_overlay_that_cannot_be_built_is_told(model: Followed) -> None:
    path = model.place.overlay / "kustomization.yaml"
    before, released = path.read_text(), git(model.place.root, "rev-parse", "HEAD")
    path.write_text(before + "  - path: absent.yaml\n")
    commit = model.push("Forget a file")
    found: Failure = eventually("it is told", lambda: failed(model, SECOND, commit))
    assert found.kind is SYNC
    assert "absent.yaml" in str(found)
    link = links(model, released)["reconciler"]
    assert (link.standing, "absent.yaml" in link.why) == (Standing.BROKEN, True), "though it has the release"
    path.write_text(before)
    model.applied(model.push("Remember it"))


def test_a_repository_that_cannot_be_fetched_is_told(model: Followed) -> None:
    """The key was taken away: Flux goes on with what it has, and only its GitRepository says why."""
    place = model.place
    patch = ("-n", "flux-system", "patch", "gitrepository", model.name, "--type=merge", "--patch")
    place.cluster.kubectl(*patch, '{"spec": {"secretRef": {"name": "absent"}}}')
    found: Failure = eventually("it is told", lambda: failed(model, FIRST, "a commit that never arrives"))
    assert (found.kind, found.final) == (SYNC, False)
    assert "absent" in str(found)
    place.cluster.kubectl(*patch, json.dumps({"spec": {"secretRef": {"name": f"{place.model.name}-git"}}}))
    eventually("it is well again", lambda: failed(model, FIRST, "a commit that never arrives") is None)


def test_who_suspended_it_is_reminded(model: Followed) -> None:
    place = model.place
    patch = ("-n", "flux-system", "patch", "kustomization", model.name, "--type=merge", "--patch")
    place.cluster.kubectl(*patch, '{"spec": {"suspend": true}}')
    place.images.digests[THIRD] = place.images.digests[FIRST]
    commit = model.publish(THIRD)
    found = failed(model, THIRD, commit)
    assert found and f"flux resume kustomization {model.name}" in str(found)
    place.cluster.kubectl(*patch, '{"spec": {"suspend": false}}')  # what the command does
    model.applied(commit)
    assert place.serves(THIRD)


def test_a_failed_release_is_told_and_its_rollback_does_not_wait(model: Followed) -> None:
    """It would wait for ten minutes."""
    place = model.place
    patient = ("kustomization", model.name, "--type=merge", "--patch", '{"spec": {"timeout": "10m"}}')
    place.cluster.kubectl("-n", "flux-system", "patch", *patient)
    place.images.digests[ABSENT] = "sha256:" + "ab" * 32
    before = place.overlay / "kustomization.yaml", (place.overlay / "kustomization.yaml").read_text()
    commit = model.publish(ABSENT)
    found: Failure = eventually("it is told", lambda: failed(model, ABSENT, commit))
    assert found.kind is IMAGE_ABSENT
    assert model.ready()["reason"] == "Progressing", "Flux waits for its health still"
    before[0].write_text(before[1])
    model.applied(model.push("Roll back"))
    assert place.serves(THIRD)


def test_without_its_kustomization_the_model_runs_on(model: Followed) -> None:
    place = model.place
    place.cluster.kubectl("-n", "flux-system", "delete", "kustomization", model.name)
    assert place.serves(THIRD)
    assert place.cluster.get("deployment", place.deployment, place.namespace)
