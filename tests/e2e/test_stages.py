"""A release as a runner makes it: `generator stage NAME` as processes, with the real engine, registry and Git."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

import pytest

from generator.adapters.kustomize import Kustomize
from generator.plan.pipeline import Stage
from tests import parts
from tests.e2e import test_train_forms as forms
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.generator.workspaces import model_yaml

SECRET = "s3cret-of-the-warehouse"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Every stage of v1.0.0, run once; the checkout, the bare repository and what each stage wrote."""
    parts.need_engine()
    parts.need_kustomize()
    host, folder = parts.need_ecr(), tmp_path_factory.mktemp("stages")
    root, bare, runner = folder / "repo", folder / "origin.git", folder / "runner"
    root.mkdir()
    text = model_yaml("gate: {metrics: {accuracy: {min: 0.5}}}\npipeline: {install: .}\n")
    text = text.replace(
        "script: train.py",
        f"script: train.py, requirements: [scikit-learn], {forms.RETRY_ONCE}, secrets: [WAREHOUSE]",
    )
    registry = f"registry: {host}, repository: tagship-stages/{uuid.uuid4().hex[:12]}"
    text = text.replace("registry: 123456789012.dkr.ecr.eu-north-1.amazonaws.com", registry)
    (root / "model.yaml").write_text(text)
    (root / "train.py").write_text(
        "import os\nprint('it is', os.environ['WAREHOUSE'])\n" + forms.HEAD + forms.POSITIONAL
    )
    for command in ("lock", "generate"):
        done = generator(command, cwd=root)
        assert done.returncode == 0, done.stderr
    git(root, "init", "--quiet")
    commit_all(root, "Begin")
    git(root, "tag", "v1.0.0")
    git(root, "clone", "--quiet", "--bare", ".", str(bare))
    git(folder, "clone", "--quiet", str(bare), str(runner))
    git(runner, "checkout", "--quiet", "v1.0.0")
    given = parts.started_with()
    env = {**given, "SSL_CERT_FILE": given["TESTBED_CA_BUNDLE"], "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    env |= {"WAREHOUSE": SECRET, "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ada"}
    said = {}
    for stage in Stage:
        done = generator("stage", stage, "--release", "refs/tags/v1.0.0", "--again", cwd=runner, **env)
        assert done.returncode == 0, f"{stage}: {done.stderr[-3000:]}"
        said[stage.value] = done.stderr
    store = runner / ".tagship/churn-1.0.0"
    written = {stage.value: json.loads((store / f"{stage}.json").read_text()) for stage in Stage}
    return {"runner": runner, "bare": bare, "env": env, "written": written, "folder": folder, "said": said}


def test_the_overlay_renders_exactly_the_pushed_digest(release, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    git(tmp_path, "clone", "--quiet", str(release["bare"]), "cluster")
    objects = Kustomize().build(tmp_path / "cluster/k8s/overlays/production")
    (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
    (server,) = deployment["spec"]["template"]["spec"]["containers"]
    published = release["written"]["publish"]
    assert server["image"] == f"{published['repository']}@{published['digest']}"
    assert published["digest"] == release["written"]["package"]["digest"]
    assert published["pushed"]
    assert deployment["spec"]["replicas"] == 2


def test_each_artifact_names_the_one_before(release) -> None:  # type: ignore[no-untyped-def]
    from hashlib import sha256

    store = release["runner"] / ".tagship/churn-1.0.0"
    for before, stage in zip(Stage, list(Stage)[1:], strict=False):
        assert release["written"][stage]["previous"] == sha256((store / f"{before}.json").read_bytes()).hexdigest()


def test_the_deploy_is_the_workflows(release) -> None:  # type: ignore[no-untyped-def]
    author = git(release["bare"], "log", "-1", "--format=%an", "main")
    assert author == "github-actions[bot]"
    ledger = git(release["bare"], "show", "main:k8s/overlays/production/release.yaml")
    assert '"by": "ada"' in ledger


def test_the_summary_names_each_stage(release) -> None:  # type: ignore[no-untyped-def]
    summary = (release["folder"] / "summary.md").read_text()
    assert [line.split("**")[1] for line in summary.splitlines() if line] == [stage.value for stage in Stage]


def test_nothing_that_could_be_a_secret_is_kept(release) -> None:  # type: ignore[no-untyped-def]
    kept = [path for path in (release["runner"] / ".tagship").rglob("*") if path.is_file()]
    texts = {path.name: path.read_bytes() for path in kept} | {
        "the summary": (release["folder"] / "summary.md").read_bytes()
    }
    texts |= {f"what {stage} said": said.encode() for stage, said in release["said"].items()}
    assert b"it is" in texts["train.log"], "the script printed its secret"
    assert [name for name, text in texts.items() if SECRET.encode() in text] == []


def test_all_of_it_again_changes_nothing(release) -> None:  # type: ignore[no-untyped-def]
    """Re-running all jobs of the workflow: later stages on a fresh machine, from the artifacts kept."""
    head = git(release["bare"], "rev-parse", "main")
    runner = release["folder"] / "second"
    git(release["folder"], "clone", "--quiet", str(release["bare"]), str(runner))
    git(runner, "checkout", "--quiet", "v1.0.0")
    for stage in ("publish", "deploy", "observe"):
        source, target = release["runner"] / ".tagship/churn-1.0.0", runner / ".tagship/churn-1.0.0"
        target.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "image.tar"):
            shutil.copyfile(source / name, target / name)
        done = generator("stage", stage, "--release", "v1.0.0", "--again", cwd=runner, **release["env"])
        assert done.returncode == 0, done.stderr
    published = json.loads((runner / ".tagship/churn-1.0.0/publish.json").read_text())
    deployed = json.loads((runner / ".tagship/churn-1.0.0/deploy.json").read_text())
    assert (published["pushed"], deployed["changed"]) == (False, False)
    assert published["record"] == release["written"]["publish"]["record"]
    assert git(release["bare"], "rev-parse", "main") == head


def test_a_stage_that_was_done_again_stops_what_was_made_from_it(release) -> None:  # type: ignore[no-untyped-def]
    path = release["runner"] / ".tagship/churn-1.0.0/train.json"
    honest = path.read_text()
    path.write_text(json.dumps(json.loads(honest) | {"seconds": 1.0}))
    try:
        done = generator("stage", "package", "--release", "v1.0.0", cwd=release["runner"], **release["env"])
    finally:
        path.write_text(honest)
    assert (done.returncode, "train was done again after gate" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("stage", "artifact", "change"),
    [
        ("publish", "package", {"version": "9.9.9"}),
        ("publish", "package", {"commit": "0" * 40}),
        ("publish", "package", {"digest": "sha256:" + "0" * 64}),
        ("publish", "package", {"name": "../../etc"}),
        ("deploy", "publish", {"version": "9.9.9"}),
        ("deploy", "publish", {"repository": "evil.example.com/churn"}),
        ("deploy", "publish", {"digest": "sha256:" + "0" * 64 + "\n"}),
        ("deploy", "publish", {"record": {"run_id": "../x", "metrics": {}}}),
        ("deploy", "publish", {"record": {"run_id": "1", "metrics": {"a\nb: c": 1.0}}}),
        ("deploy", "publish", {"surprise": True}),
    ],
)
def test_forged_artifacts_are_refused(release, stage: str, artifact: str, change: dict) -> None:  # type: ignore[no-untyped-def,type-arg]
    head = git(release["bare"], "rev-parse", "main")
    path = release["runner"] / f".tagship/churn-1.0.0/{artifact}.json"
    honest = path.read_text()
    path.write_text(json.dumps(json.loads(honest) | change))
    try:
        done = generator("stage", stage, "--release", "v1.0.0", "--again", cwd=release["runner"], **release["env"])
    finally:
        path.write_text(honest)
    assert done.returncode == 1, done.stderr
    assert "refused" in done.stderr
    assert "Traceback" not in done.stderr
    assert git(release["bare"], "rev-parse", "main") == head


def test_a_stage_needs_the_tags_checkout(release) -> None:  # type: ignore[no-untyped-def]
    second = release["folder"] / "elsewhere"
    git(release["folder"], "clone", "--quiet", str(release["bare"]), str(second))
    done = generator("stage", "gate", "--release", "v1.0.0", cwd=second)
    assert (done.returncode, "run `git checkout v1.0.0`" in done.stderr) == (1, True)
    done = generator("stage", "gate", "--release", "refs/heads/main", cwd=second)
    assert (done.returncode, "belongs to no model here" in done.stderr) == (1, True)
