"""The chain from a tag to a live answer, in a real repository with a real release: which link is broken."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from generator.adapters.git import GitRepository
from generator.chain.follow import follow
from generator.chain.link import Link, Standing, first_broken
from generator.chain.recorded import Records
from generator.config.workspace import load
from generator.errors import GeneratorError
from generator.generate import ledgers
from generator.plan.reconciler import applying
from generator.ports import Found
from tests.generator.cluster_parts import FakeCluster, digest, pod
from tests.generator.configurations import separate
from tests.generator.doctor_parts import answering, kubeconfig
from tests.generator.repositories import commit_all, git, renderer_or_none
from tests.generator.test_cli import generator
from tests.generator.test_deploy import Scene
from tests.generator.workspaces import write
from tests.parts import need_program

RUN, DATA = "1" * 32, "d" * 64
EARLIER, RELEASED, OTHER = digest("9"), digest("a"), digest("f")


@dataclass
class Held:
    """A registry and a tracking server, by what they hold."""

    labels: dict[str, str] | None
    tags: dict[str, str | None] = field(default_factory=lambda: {RUN: "churn-1.0.0"})
    versions: dict[str, str] = field(default_factory=lambda: {"3": RUN})
    down: str | None = None

    def find(self, reference: str) -> Found | None:
        if self.down:
            raise GeneratorError(self.down)
        return Found(reference, self.labels) if self.labels is not None else None

    def ensure(self) -> None:
        raise AssertionError("nothing is made here")

    def push(self, archive: Path, tag: str) -> None:
        raise AssertionError("nothing is pushed here")

    def tag(self, run: str, name: str) -> str | None:
        assert name == "tagship.release"
        return self.tags.get(run)

    def run_of(self, name: str, version: str) -> str | None:
        assert name == "churn"
        return self.versions.get(version)


class Chain(Scene):
    """churn 1.0.0 is released after 0.9.0, and runs; everything agrees."""

    MORE = (
        "repository: {url: https://github.com/acme/churn}\n"
        "serve: {replicas: 2}\n"
        "deploy: {engine: argocd, environments: {production: {namespace: churn}}}\n"
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.deploy("0.9.0", "9")
        self.deploy("1.0.0", "a")
        git(self.root, "tag", "v1.0.0", self.commit)
        git(self.root, "push", "--quiet", "origin", "v1.0.0")
        self._record(registered=3, data=DATA)
        labels = {
            "io.tagship.model": "churn", "org.opencontainers.image.version": "1.0.0",
            "org.opencontainers.image.revision": self.commit, "io.tagship.run-id": RUN,
            "io.tagship.registered-version": "3", "io.tagship.data-sha256": DATA, "io.tagship.engine": "docker",
            "io.tagship.metrics": "{}",
        }  # fmt: skip
        self.held = Held(labels)
        self.cluster = FakeCluster(RELEASED, revision=git(self.bare, "rev-parse", "main"))
        self.cluster.told = {
            "name": "churn", "version": "1.0.0", "digest": RELEASED, "run_id": RUN, "commit": self.commit,
            "data_hash": DATA,
        }  # fmt: skip

    def _record(self, **values: Any) -> None:
        git(self.root, "pull", "--quiet", "origin", "main")
        path = self.root / "k8s/overlays/production/release.yaml"
        ledger = ledgers(self.root, load(self.root).model(None))["production"]
        assert ledger.current
        path.write_text(ledger.model_copy(update={"current": ledger.current.model_copy(update=values)}).text())
        commit_all(self.root, "what the record says")
        git(self.root, "push", "--quiet", "origin", "main")

    def edit(self, path: str, old: str, new: str) -> None:
        """Somebody edits a file of the release branch by hand."""
        git(self.root, "pull", "--quiet", "origin", "main")
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))
        commit_all(self.root, "by hand")
        git(self.root, "push", "--quiet", "origin", "main")

    def followed(self, *, cluster: bool = True, runs: bool = True, **named: FakeCluster) -> dict[str, Link]:
        clone = GitRepository(self.folder / "head")
        clone.clone(str(self.bare), branch="main")
        model = load(clone.root).model(None)
        records = Records(clone, clone, self.held, renderer_or_none(), self.held if runs else None)  # type: ignore[arg-type]
        ledger = ledgers(clone.root, model).get("production")
        asked = self.cluster if cluster else None
        links = follow(model, model.targets[0], ledger, records, asked, named.get)
        return {link.name: link for link in links}


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return Chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture
def chain(_made: Chain, tmp_path: Path) -> Chain:
    """A copy: making one takes a deploy."""
    copied = copy.deepcopy(_made)
    copied.root, copied.bare, copied.folder = tmp_path / "repo", tmp_path / "origin.git", tmp_path
    shutil.copytree(_made.root, copied.root)
    shutil.copytree(_made.bare, copied.bare)
    git(copied.root, "remote", "set-url", "origin", str(copied.bare))
    return copied


ALL = ["tag", "commit", "data", "run", "registered version", "digest", "overlay", "reconciler", "deployment"]
ALL += ["pods", "answer"]


def test_a_release_that_runs_has_every_link(chain: Chain) -> None:
    links = chain.followed()
    assert list(links) == ALL
    assert {link.standing for link in links.values()} == {Standing.HOLDS}, links
    assert links["answer"].value == "churn 1.0.0"


def test_what_was_never_released_has_no_chain(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    model = load(scene.root).model(None)
    records = Records(GitRepository(scene.root), GitRepository(scene.root), None, None, None)
    assert follow(model, model.targets[0], None, records, None) == ()


def _moved_tag(chain: Chain) -> None:
    git(chain.root, "tag", "--force", "v1.0.0", "HEAD")
    git(chain.root, "push", "--quiet", "--force", "origin", "v1.0.0")


def _deleted_tag(chain: Chain) -> None:
    git(chain.root, "push", "--quiet", "origin", ":v1.0.0")


def _rewritten(chain: Chain) -> None:
    """The branch begins anew, with the same files."""
    git(chain.root, "checkout", "--quiet", "--orphan", "anew")
    git(chain.root, "commit", "--quiet", "--message", "all in one")
    git(chain.root, "push", "--quiet", "--force", "origin", "anew:main")
    chain.cluster.application["status"]["sync"]["revision"] = git(chain.root, "rev-parse", "HEAD")  # type: ignore[index]


def _hand_edited_digest(chain: Chain) -> None:
    chain.edit("k8s/overlays/production/kustomization.yaml", RELEASED, OTHER)


def _no_replacement(chain: Chain) -> None:
    path = "k8s/overlays/production/kustomization.yaml"
    text = (chain.root / path).read_text()
    chain.edit(path, text[text.index("replacements:") :], "")


def _labels(chain: Chain, **changes: str) -> None:
    assert chain.held.labels
    names = {"commit": "org.opencontainers.image.revision", "data": "io.tagship.data-sha256"}
    chain.held.labels |= {names[name]: value for name, value in changes.items()}


def _set(chain: Chain, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(chain.cluster, name, value)


def _held(chain: Chain, **changes: Any) -> None:
    chain.held = replace(chain.held, **changes)


def _told(chain: Chain, **changes: Any) -> None:
    chain.cluster.told |= changes


def _sync(chain: Chain, **changes: str) -> None:
    assert chain.cluster.application
    chain.cluster.application["status"]["sync"] |= changes


def _crash(chain: Chain) -> None:
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    last = {"terminated": {"reason": "Error", "exitCode": 1}}
    chain.cluster.pods[0] = pod("one", RELEASED, state=state, last=last)


def _not_applied(chain: Chain) -> None:
    _earlier(chain)
    _sync(chain, status="OutOfSync")
    _operation(chain, "Failed", git(chain.bare, "rev-parse", "main"), "no such field")


def _not_reconciled(chain: Chain) -> None:
    _earlier(chain)
    told = {"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "no such field"}
    tried, applied = f"main@sha1:{git(chain.bare, 'rev-parse', 'main')}", f"main@sha1:{chain.commit}"
    status = {"lastAttemptedRevision": tried, "lastAppliedRevision": applied, "conditions": [told]}
    _set(chain, application={"status": status})


def _not_reconciled_later(chain: Chain) -> None:
    """Flux goes on naming the commit that it applied, which has the release."""
    assert chain.cluster.application
    applied = chain.cluster.application["status"]["sync"]["revision"]
    told = {"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "no such file"}
    status = {f"last{which}Revision": f"main@sha1:{applied}" for which in ("Attempted", "Applied")}
    chain.cluster.followed_by_flux(status={**status, "conditions": [told]})


def _not_fetched(chain: Chain) -> None:
    _earlier(chain)
    applied = {f"last{which}Revision": f"main@sha1:{chain.commit}" for which in ("Attempted", "Applied")}
    told = {"type": "Ready", "status": "False", "reason": "GitOperationFailed", "message": "unable to clone"}
    chain.cluster.followed_by_flux(status=applied, source={"status": {"conditions": [told]}})


def _suspended(chain: Chain) -> None:
    _earlier(chain)
    applied = {f"last{which}Revision": f"main@sha1:{chain.commit}" for which in ("Attempted", "Applied")}
    chain.cluster.followed_by_flux(status=applied, spec={"suspend": True})


def _not_compared(chain: Chain) -> None:
    """Argo CD forgets the revision then; its last operation was of the release before."""
    _earlier(chain)
    _operation(chain, "Succeeded", chain.commit)
    _sync(chain, status="Unknown", revision="")
    assert chain.cluster.application
    told = {"type": "ComparisonError", "message": "kustomize build failed"}
    chain.cluster.application["status"]["conditions"] = [told]


def _another_deployment(chain: Chain) -> None:
    fresh = FakeCluster(OTHER)
    chain.cluster.deployment, chain.cluster.pods = fresh.deployment, fresh.pods


BROKEN: dict[str, tuple[Callable[[Chain], None], str, str]] = {
    "the tag was moved": (_moved_tag, "tag", "Move it back"),
    "the tag was deleted": (_deleted_tag, "tag", "push it again"),
    "the branch was rewritten": (_rewritten, "commit", "was the branch rewritten"),
    "the run was deleted": (lambda c: _held(c, tags={}), "run", "no such run"),
    "the run is another release's": (lambda c: _held(c, tags={RUN: "churn-0.9.0"}), "run", "of churn-0.9.0"),
    "the version was deleted": (lambda c: _held(c, versions={}), "registered version", "does not have it"),
    "the version is of another run": (
        lambda c: _held(c, versions={"3": "2" * 32}),
        "registered version",
        "it is of run 2222",
    ),
    "the image was deleted": (lambda c: _held(c, labels=None), "digest", "does not have it"),
    "the image is of another commit": (
        lambda c: _labels(c, commit="e" * 40),
        "digest",
        "the image's commit is eee",
    ),
    "the image is of other data": (lambda c: _labels(c, data="e" * 64), "digest", "the image's data hash is eee"),
    "the overlay was edited": (_hand_edited_digest, "overlay", "its ledger sha256:aaaa"),
    "nothing follows the overlay": (
        lambda c: _set(c, application=None),
        "reconciler",
        "production.yaml`, or choose the cluster",
    ),
    "the reconciler follows something else": (
        lambda c: _sync(c, revision="9" * 40),
        "reconciler",
        "does not have",
    ),
    "the cluster differs from the commit": (lambda c: _sync(c, status="OutOfSync"), "reconciler", "OutOfSync"),
    "Argo CD could not apply it": (_not_applied, "reconciler", "cannot apply the overlay (no such field)"),
    "Argo CD could not compare it": (_not_compared, "reconciler", "(kustomize build failed)"),
    "Flux could not apply it": (_not_reconciled, "reconciler", "cannot apply the overlay (no such field)"),
    "Flux could not apply a later commit": (
        _not_reconciled_later,
        "reconciler",
        "cannot apply the overlay (no such file)",
    ),
    "Flux cannot fetch it": (_not_fetched, "reconciler", "cannot apply the overlay (unable to clone)"),
    "Flux was suspended": (_suspended, "reconciler", "run `flux resume kustomization churn-production`"),
    "the Deployment was deleted": (lambda c: _set(c, deployment=None), "deployment", "is not there"),
    "the Deployment was edited": (_another_deployment, "deployment", "it names sha256:ffff"),
    "a pod crashes": (_crash, "pods", "exit code 1"),
    "a pod runs another image": (
        lambda c: _set(c, pods=[pod("one", RELEASED), pod("two", OTHER)]),
        "pods",
        "it runs sha256:ffff",
    ),
    "the Service leads nowhere": (lambda c: _set(c, told=None), "answer", "leads to nothing"),
    "the server says another run": (lambda c: _told(c, run_id="2" * 32), "answer", "run_id 2222"),
    "the server says other data": (lambda c: _told(c, data_hash=None), "answer", "data_hash None"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_first_broken_link_is_named(chain: Chain, case: str) -> None:
    breaks, name, why = BROKEN[case]
    breaks(chain)
    links = chain.followed()
    first = first_broken(links.values())
    assert first, links
    assert first.name == name, first
    assert why in first.why
    before = ALL[: ALL.index(name)]
    assert {links[one].standing for one in before} <= {Standing.HOLDS}, links


def test_an_overlay_that_tells_the_server_no_digest_is_broken(chain: Chain) -> None:
    if renderer_or_none() is None:
        pytest.skip("kustomize is absent: put it on the PATH")
    _no_replacement(chain)
    first = first_broken(chain.followed().values())
    assert first
    assert (first.name, "tells the server the digest" in first.why) == ("overlay", True)


def test_a_rollout_under_way_breaks_nothing(chain: Chain) -> None:
    assert chain.cluster.deployment
    chain.cluster.pods[0] = pod("one", None, state={"waiting": {"reason": "ContainerCreating"}})
    links = chain.followed()
    assert first_broken(links.values()) is None
    assert links["pods"].standing is Standing.MOVING


def _earlier(chain: Chain, running: str = EARLIER) -> None:
    """What ran before the release still runs, and answers."""
    fresh = FakeCluster(running)
    chain.cluster.deployment, chain.cluster.pods = fresh.deployment, fresh.pods
    _told(chain, version="0.9.0", digest=running)


def _operation(chain: Chain, phase: str, revision: str, message: str = "") -> None:
    assert chain.cluster.application
    told = {"phase": phase, "message": message, "syncResult": {"revision": revision}}
    chain.cluster.application["status"]["operationState"] = told


def _applied_before(chain: Chain) -> None:
    """Argo CD has compared the commit, and has not begun to apply it."""
    _sync(chain, status="OutOfSync")
    _operation(chain, "Succeeded", chain.commit)


def _applying(chain: Chain) -> None:
    _sync(chain, status="OutOfSync")
    _operation(chain, "Running", git(chain.bare, "rev-parse", "main"))


ARRIVING: dict[str, tuple[Callable[[Chain], None], str]] = {
    "it has not seen the commit": (lambda c: _sync(c, revision=c.commit), "has not seen"),
    "it has not begun": (_applied_before, "has not applied"),
    "it is applying it": (_applying, "has not applied"),
    "it has applied nothing yet": (
        lambda c: _set(c, application={"status": {}}),
        "has not seen",
    ),
}


@pytest.mark.parametrize("case", ARRIVING)
def test_a_commit_that_is_on_its_way_breaks_nothing(chain: Chain, case: str) -> None:
    arrives, why = ARRIVING[case]
    arrives(chain)
    _earlier(chain)
    links = chain.followed()
    assert first_broken(links.values()) is None, links
    assert why in links["reconciler"].why
    names = ("reconciler", "deployment", "pods", "answer")
    assert {links[name].standing for name in names} == {Standing.MOVING}, links


@pytest.mark.parametrize("first", ["nothing is there", "it runs nothing"])
def test_a_first_release_on_its_way_breaks_nothing(chain: Chain, first: str) -> None:
    _sync(chain, revision=chain.commit)
    _earlier(chain, digest("0"))
    chain.cluster.pods = []
    if first == "nothing is there":
        chain.cluster.deployment = None
    links = chain.followed()
    assert first_broken(links.values()) is None, links
    assert links["deployment"].standing is links["pods"].standing is Standing.MOVING


def test_on_the_way_a_digest_that_was_never_released_here_is_broken(chain: Chain) -> None:
    _sync(chain, revision=chain.commit)
    _another_deployment(chain)
    first = first_broken(chain.followed().values())
    assert first
    assert first.name == "deployment"


def test_the_last_old_pod_may_answer_while_it_is_replaced(chain: Chain) -> None:
    chain.cluster.pods = [pod("zero", EARLIER, owner="old"), pod("one", RELEASED), pod("two", RELEASED)]
    _told(chain, version="0.9.0", digest=EARLIER, run_id="2" * 32)
    links = chain.followed()
    assert first_broken(links.values()) is None, links
    assert links["answer"] == Link("answer", Standing.MOVING, "churn 0.9.0", "an earlier release still answers")


def test_a_new_pod_that_says_another_run_is_broken_beside_an_old_one_too(chain: Chain) -> None:
    chain.cluster.pods = [pod("zero", EARLIER, owner="old"), pod("one", RELEASED), pod("two", RELEASED)]
    _told(chain, run_id="2" * 32)
    assert chain.followed()["answer"].standing is Standing.BROKEN


def test_a_server_with_keys_is_not_asked(chain: Chain) -> None:
    chain.edit("model.yaml", "serve: {", "serve: {api_keys: churn-api-keys, ")
    chain.cluster.told = None
    links = chain.followed()
    assert links["answer"].standing is Standing.UNSEEN
    assert "asks for an API key" in links["answer"].why


@pytest.mark.parametrize("engine", ["argocd", "none"])
def test_another_environments_cluster_is_unseen_with_both_ways_out(chain: Chain, engine: str) -> None:
    if engine == "none":
        chain.edit("model.yaml", "engine: argocd", "engine: none")
        chain.cluster.namespace = None
    _set(chain, application=None, deployment=None)
    links = chain.followed()
    assert first_broken(links.values()) is None, links
    assert links["reconciler"].standing is Standing.UNSEEN
    why = links["reconciler"].why
    assert "context test has nothing of production" in why
    assert "`kubectl apply -f k8s/reconciler/production.yaml`, or choose the cluster with" in why


def test_without_a_reconciler_a_namespace_without_deployment_is_broken(chain: Chain) -> None:
    chain.edit("model.yaml", "engine: argocd", "engine: none")
    _set(chain, application=None, deployment=None)
    first = first_broken(chain.followed().values())
    assert first
    assert first.name == "deployment"


def test_what_to_apply_names_the_repository_that_has_it(tmp_path: Path) -> None:
    model = write(tmp_path, separate()).model(None)
    assert (
        "churn/k8s/reconciler/staging.yaml` in a checkout of https://github.com/acme/deployments, or"
        in applying(model, model.target("staging"))
    )


@pytest.mark.parametrize(("key", "value"), [("registry", "ghcr.io"), ("repository", "elsewhere")])
def test_an_image_that_moves_with_the_next_release_breaks_nothing(chain: Chain, key: str, value: str) -> None:
    """model.yaml names another place already; the overlay still has the one that it was released to."""
    registry = "registry: 123456789012.dkr.ecr.eu-north-1.amazonaws.com"
    changed = {"registry": f"registry: {value}", "repository": f"{registry}, repository: {value}"}
    chain.edit("model.yaml", registry, changed[key])
    _held(chain, labels=None)
    links = chain.followed()
    assert first_broken(links.values()) is None, links
    assert links["digest"].standing is Standing.UNSEEN
    assert "the overlay still 123456789012.dkr" in links["digest"].why
    assert links["overlay"].standing is Standing.HOLDS


def test_who_is_not_asked_is_unseen_and_proves_nothing(chain: Chain) -> None:
    chain.held.down = "the registry does not answer"
    links = chain.followed(cluster=False, runs=False)
    assert first_broken(links.values()) is None
    unseen = [name for name, link in links.items() if link.standing is Standing.UNSEEN]
    assert unseen == ["run", "digest", "reconciler"]


def test_a_cluster_that_does_not_answer_is_unseen(chain: Chain) -> None:
    chain.cluster.refuses = "the cluster does not answer"
    links = chain.followed()
    assert first_broken(links.values()) is None
    assert links["pods"].why == "the cluster does not answer"


def test_flux_names_the_branch_before_the_commit(chain: Chain) -> None:
    assert chain.cluster.application
    revision = chain.cluster.application["status"]["sync"]["revision"]
    chain.cluster.application["status"] = {"lastAppliedRevision": f"main@sha1:{revision}"}
    assert chain.followed()["reconciler"] == Link("reconciler", Standing.HOLDS, revision)


LATE = "timeout waiting for: [Deployment/churn/churn-inference status: 'InProgress']"
FAILS = "health check failed after 5m0s: timeout waiting for: [ScaledObject/churn/churn-inference]"


@pytest.mark.parametrize(
    ("reason", "said", "standing"),
    [
        pytest.param("HealthCheckFailed", FAILS, Standing.BROKEN, id="something else is unhealthy"),
        pytest.param("HealthCheckFailed", LATE, Standing.MOVING, id="pods came late"),
        pytest.param("Progressing", "Running health checks", Standing.MOVING, id="health is awaited"),
    ],
)
def test_flux_has_a_commit_before_it_calls_it_applied(
    reason: str, said: str, standing: Standing, chain: Chain
) -> None:
    """Its word for why is told; what pods are to blame for is told of them."""
    assert chain.cluster.application
    revision = chain.cluster.application["status"]["sync"]["revision"]
    earlier = git(chain.bare, "rev-parse", "main~2")
    chain.cluster.application["status"] = {
        "lastAppliedRevision": f"main@sha1:{earlier}",
        "lastAttemptedRevision": f"main@sha1:{revision}",
        "conditions": [{"type": "Ready", "status": "False", "reason": reason, "message": said}],
    }
    link = chain.followed()["reconciler"]
    assert (link.standing, said in link.why) == (standing, True)


@pytest.mark.parametrize("away", [False, True])
def test_a_commit_that_was_pushed_meanwhile_breaks_nothing(away: bool, chain: Chain) -> None:
    """The reconciler may have it before the clone that the chain is read from."""
    git(chain.root, "pull", "--quiet", "origin", "main")
    (chain.root / "other.txt").write_text("of another model\n")
    commit_all(chain.root, "Of another model")

    class Pushing(FakeCluster):
        def get(self, path: str) -> Any:
            git(chain.root, "push", "--quiet", "origin", "HEAD:main")
            if away:
                git(chain.folder / "head", "remote", "set-url", "origin", str(chain.folder / "gone"))
            return super().get(path)

    asked = Pushing(RELEASED, revision=git(chain.root, "rev-parse", "HEAD"))
    asked.told, chain.cluster = chain.cluster.told, asked
    links = chain.followed()
    assert links["reconciler"].standing is (Standing.UNSEEN if away else Standing.HOLDS), links["reconciler"]
    assert first_broken(links.values()) is None


def shown(chain: Chain, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """The command, beside an API server that has the cluster's objects."""
    need_program("kubectl", "put kubectl on the PATH")
    answers = {path: (200, found) for path, found in chain.cluster.held().items() if found is not None}
    with answering(answers) as address:
        variables = {"KUBECONFIG": str(kubeconfig(folder, address)), "HOME": str(folder), "COLUMNS": "200"}
        return generator("status", "--chain", *flags, cwd=chain.root, **variables)


def test_the_command_says_what_holds_and_what_could_not_be_seen(chain: Chain, tmp_path: Path) -> None:
    done = shown(chain, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "churn in production: no broken link" in done.stdout
    assert "kubectl's context test" in done.stdout
    cells = [line.split() for line in done.stdout.splitlines()]
    standing = {cell[0]: cell[1] for cell in cells if len(cell) > 1}
    assert (standing["tag"], standing["pods"], standing["digest"]) == ("holds", "holds", "unseen")


def test_a_broken_chain_ends_with_1_and_names_the_link(chain: Chain, tmp_path: Path) -> None:
    _crash(chain)
    done = shown(chain, tmp_path, "--json")
    assert done.returncode == 1, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["model"], row["environment"], row["context"]) == ("churn", "production", "test")
    assert [link["name"] for link in row["links"] if link["standing"] == "broken"] == ["pods"]


def test_one_environment_is_followed_alone(chain: Chain, tmp_path: Path) -> None:
    """The other one is in another cluster, or does not matter now."""
    old = "environments: {production: {namespace: churn}}"
    chain.edit("model.yaml", old, "environments: {production: {namespace: churn}, later: }")
    for flags in ((), ("--chain",)):
        done = generator(
            "status", *flags, "--json", "--environment", "later", cwd=chain.root, KUBECONFIG="/dev/null"
        )
        assert done.returncode == 0, done.stderr
        assert [row["environment"] for row in json.loads(done.stdout)] == ["later"]
    refused = generator("status", "--environment", "nowhere", cwd=chain.root)
    assert refused.returncode == 1
    assert "no environment 'nowhere'; it has: production, later" in refused.stderr


def _in_clusters(chain: Chain) -> FakeCluster:
    """production runs in eu and us; what the chain has is the cluster of Argo CD, the answer is that of eu."""
    chain.edit("model.yaml", "{namespace: churn}", "{namespace: churn, clusters: {eu: , us: {name: live-us}}}")
    there = FakeCluster(RELEASED)
    there.told, there.application = chain.cluster.told, None
    folder = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
    chain.cluster.more = {f"{folder}/churn-production-{name}": chain.cluster.application for name in ("eu", "us")}
    chain.cluster.application = chain.cluster.deployment = None
    return there


def test_each_cluster_of_an_environment_has_links_of_its_own(chain: Chain) -> None:
    there = _in_clusters(chain)
    links = chain.followed(eu=there)
    assert first_broken(links.values()) is None, links
    own = ("reconciler", "deployment", "pods", "answer")
    assert {links[f"{name} eu"].standing for name in own} == {Standing.HOLDS}, links
    assert links["reconciler us"].standing is Standing.HOLDS
    assert links["deployment us"].standing is Standing.UNSEEN
    assert "no context called us" in links["deployment us"].why
    assert {"pods us", "deployment"}.isdisjoint(links)


def test_a_cluster_is_found_by_what_the_reconciler_calls_it_too(chain: Chain) -> None:
    there = _in_clusters(chain)
    there.pods = there.pods[:1]
    links = chain.followed(**{"live-us": there})
    assert links["deployment us"].standing is Standing.HOLDS
    assert links["pods us"].standing is Standing.MOVING


def test_the_cluster_that_is_behind_is_named(chain: Chain) -> None:
    there = _in_clusters(chain)
    behind = FakeCluster(OTHER)
    behind.told = there.told
    first = first_broken(chain.followed(eu=there, us=behind).values())
    assert first and first.name == "deployment us"


def test_a_cluster_that_nothing_brings_the_overlay_to_is_unseen(chain: Chain) -> None:
    """The context may not be that of the reconciler."""
    there = _in_clusters(chain)
    chain.cluster.more = dict.fromkeys(chain.cluster.more)
    links = chain.followed(eu=there)
    assert links["reconciler us"].standing is Standing.UNSEEN
    assert links["reconciler eu"].standing is Standing.UNSEEN
    assert links["answer eu"].standing is Standing.HOLDS
