"""`generator observe` as a workflow's job runs it: a kubeconfig from a secret, kubectl, and an API server."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from generator.adapters.git import GitRepository
from generator.observing import watching
from tests import parts
from tests.certificates import certified
from tests.generator.cluster_parts import FakeCluster, digest, event, pod
from tests.generator.repositories import git
from tests.generator.test_cli import generator
from tests.generator.test_deploy import Quiet, Scene
from tests.generator.workspaces import model_yaml, write

TOKEN = "token-of-who-watches"
FIRST, SECOND = digest("a"), digest("b")


class Watched(Scene):
    MORE = "deploy: {observe: {kubeconfig: PROD, timeout: 60}}\n"

    def observe(self, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
        self.out = self.folder / "output"
        return generator("observe", "production", *more, cwd=self.root, GITHUB_OUTPUT=str(self.out), **env)

    def kept(self, version: str) -> Path:
        return self.root / f".tagship/churn-{version}/observe.json"


class Unwatched(Watched):
    MORE = ""


@pytest.fixture
def scene(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


@contextmanager
def serving(cluster: FakeCluster, folder: Path) -> Iterator[str]:
    """An API server with what `cluster` holds, to who has the token; yields the text of a kubeconfig."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = cluster.held().get(self.path.partition("?")[0])
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
            code, reason = (200, "") if allowed and found else (404, "NotFound") if allowed else (403, "Forbidden")
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
            body = json.dumps(found if code == 200 else status).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = certified(folder)[1].wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "prod",
        "clusters": [
            {
                "name": "prod",
                "cluster": {"server": f"https://127.0.0.1:{server.server_port}", "insecure-skip-tls-verify": True},
            }
        ],
        "users": [{"name": "watcher", "user": {"token": TOKEN}}],
        "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "watcher"}}],
    }
    try:
        yield json.dumps(kubeconfig, indent=1)
    finally:
        server.shutdown()
        server.server_close()


def watched(scene: Watched, cluster: FakeCluster, *more: str) -> subprocess.CompletedProcess[str]:
    parts.need_program("kubectl", "install kubectl, or source the test bed's env")
    home = scene.folder / "home"
    home.mkdir(exist_ok=True)
    with serving(cluster, home) as kubeconfig:
        return scene.observe(*more, TAGSHIP_KUBECONFIG=kubeconfig, HOME=str(home), NO_PROXY="127.0.0.1")


def runs(version: str, its: str) -> FakeCluster:
    cluster = FakeCluster(its)
    cluster.told = {"name": "churn", "version": version, "digest": its}
    return cluster


def test_what_runs_as_committed_is_kept_and_handed_on(scene: Watched) -> None:
    scene.deploy("1.0.0", "a")
    cluster = runs("1.0.0", FIRST)
    cluster.told["commit"] = scene.commit
    done = watched(scene, cluster)
    assert done.returncode == 0, done.stderr
    seen = json.loads(scene.kept("1.0.0").read_text())
    assert (seen["state"], seen["environment"], seen["digest"]) == ("serving", "production", FIRST)
    assert scene.out.read_text() == "state=serving\n"
    assert TOKEN not in done.stdout + done.stderr + scene.kept("1.0.0").read_text()


def test_a_failure_is_kept_and_handed_on_and_is_one(scene: Watched) -> None:
    scene.deploy("1.0.0", "a")
    scene.deploy("1.1.0", "b")
    cluster = runs("1.0.0", SECOND)
    cluster.pods = [
        pod("old-one", FIRST, owner="old"),
        pod("one", state={"waiting": {"reason": "ImagePullBackOff", "message": ""}}),
    ]
    cluster.events = [event("one", "Failed", "Failed to pull image: 401 Unauthorized")]
    done = watched(scene, cluster)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "401 Unauthorized" in done.stderr
    assert "(runbook: image-refused)" in done.stderr
    assert scene.out.read_text() == "state=failed\n"
    back = generator("rollback", "production", "--observed", str(scene.kept("1.1.0")), cwd=scene.root)
    assert "1.1.0 is rejected, 1.0.0 runs again" in back.stdout, back.stderr


def test_what_a_commit_did_not_change_is_not_watched(scene: Watched) -> None:
    scene.deploy("1.0.0", "a")
    scene.deploy("1.1.0", "b")
    git(scene.root, "fetch", "--quiet")
    head = git(scene.bare, "rev-parse", "main")
    done = scene.observe("--since", head)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "nothing to watch" in done.stderr
    assert not scene.out.exists(), "a state of what was not watched"
    assert not scene.kept("1.1.0").exists()


@pytest.mark.parametrize("since", ["HEAD", "0" * 40])
def test_what_a_commit_changed_is_watched(scene: Watched, since: str) -> None:
    """A branch that is new has no commit before."""
    scene.deploy("1.0.0", "a")
    cluster = runs("1.0.0", FIRST)
    cluster.told["commit"] = scene.commit
    done = watched(scene, cluster, "--since", since)
    assert done.returncode == 0, done.stderr
    assert scene.kept("1.0.0").exists()


def test_a_promotion_that_was_taken_back_is_not_watched_under_its_name(scene: Watched) -> None:
    """A failed job that is run again after the rollback finds another version there, and it serves."""
    scene.deploy("1.0.0", "a")
    scene.deploy("1.1.0", "b")
    assert generator("rollback", "production", "--reason", "bad", cwd=scene.root).returncode == 0
    done = scene.observe("--only", SECOND)
    assert done.returncode == 0, done.stderr
    assert scene.out.read_text() == "state=superseded\n"
    told = "churn 1.1.0 in production: superseded: the overlay names 1.0.0 meanwhile"
    assert done.stdout.strip() == told
    seen = json.loads(scene.kept("1.1.0").read_text())
    assert (seen["version"], seen["digest"], seen["state"]) == ("1.1.0", SECOND, "superseded")
    assert not scene.kept("1.0.0").exists()


def test_the_image_that_is_asked_for_is_watched(scene: Watched) -> None:
    scene.deploy("1.0.0", "a")
    cluster = runs("1.0.0", FIRST)
    cluster.told["commit"] = scene.commit
    done = watched(scene, cluster, "--only", FIRST)
    assert done.returncode == 0, done.stderr
    assert scene.out.read_text() == "state=serving\n"


def test_an_image_that_never_came_there_is_no_superseded_one(scene: Watched) -> None:
    scene.deploy("1.0.0", "a")
    done = scene.observe("--only", SECOND)
    assert (done.returncode, scene.out.exists()) == (1, False)
    assert f"the ledger of production knows no {SECOND}" in done.stderr


def test_it_goes_back_to_what_serves_not_to_what_crashed_before(scene: Watched) -> None:
    """1.1.0 was followed by its fix before it had failed for good, so nothing rejected it."""
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b"), ("1.2.0", "c")):
        scene.deploy(version, digit)
    cluster = runs("1.0.0", digest("c"))
    crashes = {"waiting": {"reason": "ImagePullBackOff", "message": ""}}
    cluster.pods = [pod("old-one", FIRST, owner="old"), pod("one", state=crashes)]
    cluster.events = [event("one", "Failed", "Failed to pull image: 401 Unauthorized")]
    assert watched(scene, cluster).returncode == 1
    assert json.loads(scene.kept("1.2.0").read_text())["serving"] == FIRST
    back = generator("rollback", "production", "--observed", str(scene.kept("1.2.0")), cwd=scene.root)
    assert "1.2.0 is rejected, 1.0.0 runs again" in back.stdout, back.stderr


def test_without_a_cluster_nothing_is_said_of_the_rollout(scene: Watched) -> None:
    scene.deploy("1.0.0", "a")
    done = scene.observe()
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "kubectl" in done.stderr
    assert not scene.out.exists()
    assert not scene.kept("1.0.0").exists()


def test_a_secret_that_is_not_there_leads_to_no_other_cluster(scene: Watched) -> None:
    """GitHub gives an absent secret as an empty variable; a runner may have a kubeconfig of its own."""
    scene.deploy("1.0.0", "a")
    home = scene.folder / "home"
    home.mkdir()
    with serving(runs("1.0.0", FIRST), home) as own:
        (home / "config").write_text(own)
        done = scene.observe(TAGSHIP_KUBECONFIG="", KUBECONFIG=str(home / "config"), HOME=str(home))
    assert done.returncode == 1
    assert "TAGSHIP_KUBECONFIG is empty" in done.stderr
    assert "tagship-observe" in done.stderr


@pytest.mark.parametrize("text", ["none", "{}", "a: [", "token: " + TOKEN])
def test_a_broken_kubeconfig_is_told_without_its_content(scene: Watched, text: str) -> None:
    scene.deploy("1.0.0", "a")
    home = scene.folder / "home"
    home.mkdir()
    done = scene.observe(TAGSHIP_KUBECONFIG=text, HOME=str(home))
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "TAGSHIP_KUBECONFIG must hold a kubeconfig" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize("serve", ["api_keys: keys", "callers: [shop]"])
def test_where_metadata_is_closed_the_pods_are_proof_enough(tmp_path: Path, serve: str) -> None:
    """With callers a NetworkPolicy keeps the API server's proxy out."""
    Watched.MORE, before = f"{Watched.MORE}serve: {{{serve}}}\n", Watched.MORE
    try:
        scene = Watched(tmp_path)
    finally:
        Watched.MORE = before
    scene.deploy("1.0.0", "a")
    done = watched(scene, FakeCluster(FIRST))
    assert done.returncode == 0, done.stderr
    assert json.loads(scene.kept("1.0.0").read_text())["detail"] == "2 of 2 pods ready"


def test_overlays_elsewhere_are_not_watched_by_their_branch(scene: Watched) -> None:
    scene.deploy("1.0.0", "a")
    elsewhere = "deploy: {repository: https://github.com/acme/deploy, push: {mode: app}, "
    text = (scene.root / "model.yaml").read_text().replace("deploy: {", elsewhere)
    (scene.root / "model.yaml").write_text(text + "repository: {url: https://github.com/acme/churn}\n")
    done = scene.observe()
    assert done.returncode == 1
    assert "not watched by their branch yet" in done.stderr


CONFIGURED = """\
repository: {url: "https://github.com/acme/churn"}
deploy:
  engine: argocd
  repository: https://github.com/acme/deployments
  push: {mode: app}
  observe: {kubeconfig: PROD, timeout: 60}
  environments: {production: {namespace: churn}}
"""


def test_in_a_configuration_repository_what_is_tried_after_the_first_look_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others' commits come after the release's, and Argo CD applies the newest: the clone here knows none of them."""
    parts.need_program("kubectl", "install kubectl, or source the test bed's env")
    model = write(tmp_path, model_yaml(CONFIGURED)).model(None)
    git(tmp_path, "init", "--quiet")
    cluster, reporter = FakeCluster(FIRST), Quiet()

    def tries(commit: str) -> None:
        failed = {"phase": "Failed", "message": "exceeded quota: small", "syncResult": {"revision": commit}}
        cluster.application = {"status": {"sync": {"revision": commit}, "operationState": failed}}

    def say(line: str) -> None:
        if "still" in line:
            tries("d" * 40)

    reporter.say = say  # type: ignore[method-assign]
    tries("b" * 40)
    with serving(cluster, tmp_path) as kubeconfig:
        monkeypatch.setenv("TAGSHIP_KUBECONFIG", kubeconfig)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HOME", str(tmp_path))
        watch = watching(GitRepository(tmp_path), model, model.targets[0], reporter, 60)
        seen = watch({"name": "churn", "version": "1.1.0", "digest": SECOND}, "c" * 40)
    assert (seen.state, seen.kind) == ("failed", "quota")
    assert seen.seconds, "what had been tried before is no failure of this release"


def test_what_was_never_released_has_nothing_to_watch(scene: Watched) -> None:
    done = scene.observe()
    assert done.returncode == 1
    assert "names no release of churn in production" in done.stderr


def test_by_hand_kubectl_s_own_cluster_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """deploy.observe is for workflows."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    scene = Unwatched(tmp_path)
    scene.deploy("1.0.0", "a")
    cluster = runs("1.0.0", FIRST)
    cluster.told["commit"] = scene.commit
    done = watched(scene, cluster)
    assert done.returncode == 0, done.stderr


def test_without_access_there_is_no_way_for_a_workflow(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    done = generator("observe", "production", cwd=scene.root, GITHUB_ACTIONS="true")
    assert done.returncode == 1
    assert "deploy.observe in model.yaml gives no access" in done.stderr
