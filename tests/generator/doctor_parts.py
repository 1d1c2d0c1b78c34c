"""A repository in which everything is as it should be, to be broken by tests, and small servers beside it."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from generator.adapters.installation import install_source
from generator.config.workspace import load
from generator.doctor.examining import examine, subject_of
from generator.doctor.finding import Finding
from generator.files import apply
from generator.generate import compare_workspace
from generator.training.lock import lock_text
from tests.generator.repositories import commit_all, git
from tests.generator.workspaces import SCRIPT

URL = "https://github.com/acme/churn"
INSTALL = f"git+https://github.com/acme/tagship@{'a' * 40}"
LOCKED = "mlflow==3.14.0 \\\n    --hash=sha256:00\nscikit-learn==1.5.0 \\\n    --hash=sha256:00\n"


def model_text(account: str = "123456789012", *, tracking: str = "https://mlflow.example.com") -> str:
    return (
        "version: 1\nname: churn\ntrain: {script: train.py}\n"
        f"repository: {{url: {URL}, id: 456789, owner_id: 123456}}\n"
        f"tracking: {{uri: '{tracking}'}}\n"
        f"image: {{registry: {account}.dkr.ecr.eu-north-1.amazonaws.com}}\n"
        "deploy:\n  engine: argocd\n  environments: {staging: {}, production: {approval: true}}\n"
        f"pipeline: {{install: '{INSTALL}'}}\n"
    )


class Resolver:
    """A package index of two packages; see ports.Environments."""

    def create(self, *_: object, **__: object) -> Path:
        raise AssertionError("no environment is made")

    def compile(self, *_: object, **__: object) -> str:
        return LOCKED


@dataclass
class Setup:
    """A working tree and the repository that it is pushed to; Git reaches that one under its address on GitHub."""

    root: Path

    @property
    def bare(self) -> Path:
        return self.root.with_name(f"{self.root.name}.git")

    def git(self, *argv: str) -> str:
        return git(self.root, *argv)

    def commit(self, message: str = "Change something") -> str:
        return commit_all(self.root, message)

    def push(self, *refs: str) -> None:
        self.git("push", "--quiet", "origin", *(refs or ("main",)))

    def rewrite(self, old: str, new: str, path: str = "model.yaml") -> None:
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))

    def generate(self) -> None:
        workspace = load(self.root)
        (self.root / "requirements.lock").write_text(lock_text(workspace.models[0], self.root, Resolver()))
        apply(self.root, compare_workspace(workspace, install=install_source(workspace)))

    def findings(self, *areas: str, **options: Any) -> list[Finding]:
        said: list[str] = []
        subject = subject_of(self.root, **options)
        report = examine(subject, said.append, areas) if areas else examine(subject, said.append)
        assert len(said) == len(report)
        return [item for found in report.values() for item in found]

    def files(self) -> Mapping[str, bytes]:
        """Everything that is there, Git's own files included."""
        return {str(path): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


def make(root: Path, text: str = model_text()) -> Setup:
    """A healthy repository, pushed."""
    made = Setup(root)
    root.mkdir()
    (root / "model.yaml").write_text(text)
    (root / "train.py").write_text(SCRIPT)
    (root / "requirements.txt").write_text("mlflow\nscikit-learn\n")
    (root / ".gitignore").write_text(".tagship/\n")
    made.generate()
    made.git("init", "--quiet")
    made.commit("Begin")
    git(root, "init", "--quiet", "--bare", str(made.bare))
    made.git("remote", "add", "origin", URL)
    _reach(made)
    made.push()
    return made


def copy(original: Setup, root: Path) -> Setup:
    made = Setup(root)
    shutil.copytree(original.root, root)
    shutil.copytree(original.bare, made.bare)
    made.git("config", "--unset", f"url.{original.bare}.insteadOf")
    _reach(made)
    return made


def _reach(made: Setup) -> None:
    made.git("config", f"url.{made.bare}.insteadOf", URL)


Answers = Mapping[str, tuple[int, Any]]  # by path: status, and JSON or text


@contextmanager
def answering(
    answers: Answers, *, date: str | None = None, asked: list[Mapping[str, str]] | None = None
) -> Iterator[str]:
    """An HTTP server with these answers; its address. Any other path is 404 with Kubernetes' words.

    `asked` gets each request's headers.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(dict(self.headers))
            nothing = {
                "kind": "Status",
                "status": "Failure",
                "reason": "NotFound",
                "code": 404,
                "message": "absent",
            }
            status, body = answers.get(self.path.partition("?")[0], (404, nothing))
            raw = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response_only(status)
            self.send_header("Date", date or self.date_time_string())
            self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(folder: Path, address: str) -> Path:
    """A context called `test` for the cluster at `address`."""
    path = folder / "kubeconfig"
    named: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
    }
    path.write_text(json.dumps(named))
    return path


TRACKING: Answers = {"/health": (200, "OK"), "/version": (200, "3.14.0")}


def cluster() -> dict[str, tuple[int, Any]]:
    """A cluster that has all that generated files ask for."""
    found: dict[str, tuple[int, Any]] = {"/apis/argoproj.io/v1alpha1": (200, {"kind": "APIResourceList"})}
    for name in ("staging", "production"):
        source = {"repoURL": URL, "targetRevision": "main", "path": f"k8s/overlays/{name}"}
        found[f"/api/v1/namespaces/churn-{name}"] = (200, {"kind": "Namespace"})
        found[application(name)] = (
            200,
            {
                "kind": "Application",
                "metadata": {"name": f"churn-{name}"},
                "spec": {"source": source, "syncPolicy": {"automated": {"prune": True, "selfHeal": True}}},
                "status": {"health": {"status": "Healthy"}},
            },
        )
    return found


def application(name: str) -> str:
    return f"/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/churn-{name}"
