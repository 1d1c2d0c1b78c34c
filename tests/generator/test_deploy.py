"""The deploy stage against a real bare repository."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from generator.adapters.git import GitRepository
from generator.artifacts import PublishedImage, Record
from generator.config.workspace import load
from generator.delivery.landing import Deployer
from generator.errors import GeneratorError
from generator.generate import compare_workspace, refresh_overlay
from generator.ledger import read_ledger
from generator.release import Release
from generator.stages.deploy import deploy
from generator.store import Store
from generator.version import Version
from tests.generator.repositories import commit_all, git, publish, renderer_or_none
from tests.generator.workspaces import model_yaml, write, write_many


class Quiet:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    output = say


class Scene:
    """A repository with one model, pushed; deploys of any version to it."""

    MORE = "serve: {autoscaling: {min: 2, max: 3}}\n"
    FIRST = "production"

    def __init__(self, folder: Path) -> None:
        self.root, self.bare, self.folder = folder / "repo", folder / "origin.git", folder
        self.root.mkdir()
        self.commit = publish(write(self.root, model_yaml(self.MORE)), self.bare)
        self.reporter = Quiet()

    def release(self, version: str, *, rehearsal: bool = False) -> Release:
        model = load(self.root).model(None)
        return Release(
            model=model, version=Version(version), commit=self.commit, root=self.root,
            store=Store(self.folder / "store"), attempt="1", by="Ada", rehearsal=rehearsal,
        )  # fmt: skip

    def published(self, version: str, digit: str = "a", **other: object) -> PublishedImage:
        values = {
            "name": "churn", "version": version, "commit": self.commit,
            "repository": "123456789012.dkr.ecr.eu-north-1.amazonaws.com/churn", "tag": version,
            "digest": "sha256:" + digit * 64, "pushed": True,
            "record": Record(run_id="1" * 32, metrics={"accuracy": 0.9}),
        }  # fmt: skip
        return PublishedImage.model_validate(values | other)

    def deployer(self, work: str = "work") -> Deployer:
        return Deployer(
            git=GitRepository(self.folder / work, author=("tagship", "tagship@example.com")),
            source=str(self.bare),
            renderer=renderer_or_none(),  # type: ignore[arg-type]
            regenerate=refresh_overlay,
            reporter=self.reporter,
            now="2026-11-21T10:00:00Z",
        )

    def deploy(self, version: str, digit: str = "a", *, accuracy: float = 0.9, **more: str) -> object:
        record = Record(run_id="1" * 32, metrics={"accuracy": accuracy}, golden_rows=5)
        published = self.published(version, digit, record=record)
        return deploy(self.release(version), published, self.FIRST, self.deployer(), **more)

    def shown(self, path: str) -> str:
        return git(self.bare, "show", f"main:{path}")

    def log(self) -> list[str]:
        return git(self.bare, "log", "--format=%s", "main").splitlines()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_the_first_deploy_switches_the_overlay_on(scene: Scene) -> None:
    before = scene.shown("k8s/overlays/production/kustomization.yaml")
    assert "replicas: 0" in scene.shown("k8s/overlays/production/tagship/deployment.yaml")
    outcome = scene.deploy("1.0.0")
    after = scene.shown("k8s/overlays/production/kustomization.yaml")
    changed = [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]
    assert [b.split(": ")[1].strip('"') for _, b in changed] == ["sha256:" + "a" * 64]
    assert "replicas: 0" not in scene.shown("k8s/overlays/production/tagship/deployment.yaml")
    assert "autoscaling" in scene.shown("k8s/overlays/production/tagship/kustomization.yaml")
    ledger = read_ledger(scene.shown("k8s/overlays/production/release.yaml"), "r")
    assert ledger.current
    assert (ledger.current.version, ledger.current.by) == ("1.0.0", "Ada")
    assert outcome.overlay_commit == git(scene.bare, "rev-parse", "main")  # type: ignore[attr-defined]


def test_what_deploy_commits_is_what_generate_wants(scene: Scene) -> None:
    scene.deploy("1.0.0")
    git(scene.root, "pull", "--quiet", "origin", "main")
    assert compare_workspace(load(scene.root), install=".").clean


def test_a_later_deploy_changes_two_files(scene: Scene) -> None:
    scene.deploy("1.0.0")
    scene.deploy("1.1.0", "b")
    assert git(scene.bare, "diff", "--name-only", "main~1", "main").splitlines() == [
        "k8s/overlays/production/kustomization.yaml",
        "k8s/overlays/production/release.yaml",
    ]


def test_a_model_that_loads_slowly_gets_time_in_the_same_commit(scene: Scene) -> None:
    """Its image was tried before; the version after it is quick again."""
    probe, file = "failureThreshold: 240", "k8s/overlays/production/tagship/deployment.yaml"
    scene.deploy("1.0.0")
    for version, digit, seconds in (("1.1.0", "b", 45.5), ("1.2.0", "c", 2.5)):
        published = scene.published(version, digit, load_seconds=seconds)
        deploy(scene.release(version), published, "production", scene.deployer(f"work-{version}"))
        assert file in git(scene.bare, "diff", "--name-only", "main~1", "main").splitlines()
        assert (probe in scene.shown(file)) is (version == "1.1.0")
        git(scene.root, "pull", "--quiet", "origin", "main")
        assert compare_workspace(load(scene.root), install=".").clean
    ledger = read_ledger(scene.shown("k8s/overlays/production/release.yaml"), "r")
    assert [entry.load_seconds for entry in ledger.history] == [45.5, None]


def test_the_commit_says_what_it_brings(scene: Scene) -> None:
    scene.deploy("1.0.0")
    trailers = git(scene.bare, "log", "-1", "--format=%(trailers)", "main")
    assert trailers.splitlines() == [
        "Tagship-Model: churn",
        "Tagship-Environment: production",
        "Tagship-Version: 1.0.0",
        f"Tagship-Digest: sha256:{'a' * 64}",
        f"Tagship-Run: {'1' * 32}",
        f"Tagship-Commit: {scene.commit}",
    ]


def test_a_second_run_finds_the_first(scene: Scene) -> None:
    first = scene.deploy("1.0.0")
    again = scene.deploy("1.0.0")
    assert not again.changed  # type: ignore[attr-defined]
    assert again.overlay_commit == first.overlay_commit  # type: ignore[attr-defined]
    assert scene.log().count("Deploy churn 1.0.0 to production") == 1


def test_an_older_version_never_overwrites_a_newer_one(scene: Scene) -> None:
    scene.deploy("1.1.0", "b")
    with pytest.raises(GeneratorError, match=r"1\.0\.0 is not newer than 1\.1\.0"):
        scene.deploy("1.0.0")
    scene.deploy("1.0.0", older_because="a customer needs it")
    assert "a customer needs it" in git(scene.bare, "log", "-1", "--format=%B", "main")


def test_the_same_version_with_another_digest_is_refused(scene: Scene) -> None:
    scene.deploy("1.0.0")
    with pytest.raises(GeneratorError, match=r"1\.0\.0 is in k8s/overlays/production already, with the digest"):
        scene.deploy("1.0.0", "b")


def test_a_commit_that_is_not_on_the_branch_is_refused(scene: Scene) -> None:
    git(scene.root, "switch", "--quiet", "--create", "side")
    (scene.root / "new").write_text("x")
    scene.commit = commit_all(scene.root, "Side")
    git(scene.root, "push", "--quiet", "origin", "side")
    with pytest.raises(GeneratorError, match="is not on main: merge it there"):
        scene.deploy("1.0.0")


@pytest.mark.parametrize(
    "forged", [{"repository": "evil.example.com/churn"}, {"tag": "latest"}, {"rehearsal": True}]
)
def test_a_forged_image_is_refused(scene: Scene, forged: dict[str, object]) -> None:
    image = scene.published("1.0.0", **forged)
    with pytest.raises(GeneratorError, match=r"artifact is refused|published by a rehearsal"):
        deploy(scene.release("1.0.0"), image, "production", scene.deployer())
    assert scene.log() == ["Begin"]


def test_the_user_owns_the_rest_of_the_overlay(scene: Scene) -> None:
    path = scene.root / "k8s/overlays/production/kustomization.yaml"
    mine = "# mine: keep\ncommonAnnotations: {team:   growth}\n"
    path.write_text(path.read_text() + mine)
    commit_all(scene.root, "Mine")
    git(scene.root, "push", "--quiet", "origin", "main")
    scene.deploy("1.0.0")
    assert scene.shown("k8s/overlays/production/kustomization.yaml").endswith(mine.strip())


def test_an_overlay_that_does_not_render_is_not_committed(scene: Scene) -> None:
    if renderer_or_none() is None:
        pytest.skip("neither kustomize nor kubectl is installed")
    path = scene.root / "k8s/overlays/production/kustomization.yaml"
    path.write_text(path.read_text().replace("replacements:", "nonsense:"))
    commit_all(scene.root, "Broken")
    git(scene.root, "push", "--quiet", "origin", "main")
    with pytest.raises(GeneratorError, match="kustomize cannot render"):
        scene.deploy("1.0.0")
    assert scene.log()[0] == "Broken"


def test_an_overlay_that_was_never_generated(scene: Scene) -> None:
    git(scene.root, "rm", "-rq", "k8s/overlays")
    commit_all(scene.root, "Gone")
    git(scene.root, "push", "--quiet", "origin", "main")
    with pytest.raises(GeneratorError, match="is not on the branch: run `generator generate`"):
        scene.deploy("1.0.0")


_DEPLOY_ONE = """
import sys
from pathlib import Path
from tests.generator.test_deploy import Deployer, Quiet
from tests.generator import test_deploy as t
from tests.kills import die_before
folder, name, version, commit, effect = sys.argv[1:]
from generator.stages.deploy import deploy
release, image, with_ = t.one_of_many(Path(folder), name, version, commit)
if int(effect):
    sys.addaudithook(die_before(int(effect)))
deploy(release, image, "production", with_)
"""


def one_of_many(folder: Path, name: str, version: str, commit: str) -> tuple[Release, PublishedImage, Deployer]:
    model = load(folder / "repo").model(name)
    release = Release(
        model=model, version=Version(version), commit=commit, root=folder / "repo",
        store=Store(folder / "store"), attempt="1", by="Ada",
    )  # fmt: skip
    image = PublishedImage(
        name=name, version=version, commit=commit, repository=model.image_repository,
        tag=model.image_tag(Version(version)), digest="sha256:" + name[0] * 64, pushed=True,
        record=Record(run_id="1" * 32, metrics={}),
    )  # fmt: skip
    repository = GitRepository(folder / f"work-{name}", author=("t", "t@example.com"))
    return release, image, Deployer(
        repository, str(folder / "origin.git"), None, refresh_overlay, Quiet(), "2026-11-21T10:00:00Z"
    )  # fmt: skip


def start(folder: Path, name: str, commit: str, effect: int = 0) -> subprocess.Popen[bytes]:
    """A deploy as a process; one that is given an effect's number kills itself before it has that effect."""
    argv = [sys.executable, "-c", _DEPLOY_ONE, str(folder), name, "1.0.0", commit, str(effect)]
    return subprocess.Popen(argv, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE)


def test_deploys_at_the_same_time_all_land(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    names = ["a", "b", "c", "d"]
    commit = publish(write_many(tmp_path / "repo", dict.fromkeys(names, "")), tmp_path / "origin.git")
    for process in [start(tmp_path, name, commit) for name in names]:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors.decode()
    subjects = git(tmp_path / "origin.git", "log", "--format=%s", "main").splitlines()
    assert sorted(subjects[:-1]) == [f"Deploy {name} 1.0.0 to production" for name in names]
    for name in names:
        text = git(tmp_path / "origin.git", "show", f"main:k8s/overlays/{name}/production/kustomization.yaml")
        assert f"digest: sha256:{name * 64}" in text.replace('"', "")


@pytest.mark.parametrize("effect", [1, 3, 5])
def test_killed_at_any_point_and_run_again(tmp_path: Path, effect: int) -> None:
    (tmp_path / "repo").mkdir()
    commit = publish(write_many(tmp_path / "repo", {"a": ""}), tmp_path / "origin.git")
    kills = -1
    code = -signal.SIGKILL.value
    while code == -signal.SIGKILL:
        process, kills = start(tmp_path, "a", commit, effect), kills + 1
        _, errors = process.communicate(timeout=600)
        code, effect = process.returncode, effect * 2
    assert code == 0, errors.decode()
    assert kills > 1
    subjects = git(tmp_path / "origin.git", "log", "--format=%s", "main").splitlines()
    assert subjects == ["Deploy a 1.0.0 to production", "Begin"]
