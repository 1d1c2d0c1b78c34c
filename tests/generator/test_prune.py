"""`prune`: what ledgers on the branch's head name stays; images are in an AWS API, ledgers in a bare repository."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from generator.adapters.ecr_repository import StoredImage
from generator.config.workspace import Workspace, load
from generator.errors import GeneratorError, InvalidInput
from generator.generate import ledgers
from generator.ledger import Entry, Ledger
from generator.overlay import with_image
from generator.pruning import age_of, open_repository, release_heads, sort_images
from tests.generator.aws_parts import Account, account
from tests.generator.repositories import commit_all, git, publish
from tests.generator.test_cli import generator
from tests.generator.test_rollback import LEDGER, History
from tests.generator.workspaces import model_yaml, write, write_many

REPOSITORY = "123456789012.dkr.ecr.eu-north-1.amazonaws.com/churn"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
MONTH = timedelta(days=30)


def digest(digit: str) -> str:
    return "sha256:" + digit * 64


def image(digit: str, *tags: str, days: float = 100, pulled: float | None = None) -> StoredImage:
    last = None if pulled is None else NOW - timedelta(days=pulled)
    return StoredImage(digest(digit), tags, NOW - timedelta(days=days), last, 10)


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scene = History(tmp_path_factory.mktemp("history"))
    scene.back()
    git(scene.root, "pull", "--quiet", "origin", "main")
    return scene.root


@pytest.fixture
def head(_made: Path, tmp_path: Path) -> Path:
    """A checkout of the branch: 1.2.0 was rejected, 1.1.0 runs, 1.0.0 ran; digests c, b and a."""
    return Path(shutil.copytree(_made, tmp_path / "head", ignore=shutil.ignore_patterns(".git")))


def deployed(root: Path, name: str, overlay: str, wanted: str, *, repository: str = REPOSITORY) -> None:
    """Lets an overlay run `wanted`, without a pipeline."""
    folder = root / "k8s/overlays" / overlay
    entry = Entry(
        version="1.0.0", digest=wanted, run="1" * 32, commit="2" * 40, at="2026-01-01T00:00:00Z", by="Ada"
    )
    ledger = Ledger(model=name, environment=folder.name, current=entry)
    (folder / "release.yaml").write_text(ledger.text())
    text = (folder / "kustomization.yaml").read_text()
    (folder / "kustomization.yaml").write_text(with_image(text, "k", repository=repository, digest=wanted))


def prunable(head: Path, *images: StoredImage, age: timedelta = MONTH) -> list[str]:
    found = sort_images(images, {"main": load(head)}, REPOSITORY, now=NOW, age=age)
    assert len(found.prunable) + found.named + found.young + found.foreign == len(images)
    return [tag for item in found.prunable for tag in item.tags]


def test_what_a_ledger_names_stays(head: Path) -> None:
    named = [image(digit, f"1.{minor}.0") for minor, digit in enumerate("abc")]
    assert prunable(head, *named, image("d", "0.9.0"), image("e", "2.0.0-rc.1", days=50)) == [
        "0.9.0",
        "2.0.0-rc.1",
    ]


def test_what_was_rejected_stays_when_history_forgets_it(head: Path) -> None:
    ledger = ledgers(head, load(head).model(None))["production"]
    assert ledger.rejected[0].digest == digest("c")
    history = tuple(entry for entry in ledger.history if entry.digest != digest("c"))
    (head / LEDGER).write_text(ledger.model_copy(update={"history": history}).text())
    assert prunable(head, image("c", "1.2.0")) == []


def test_a_digest_that_is_named_stays_under_any_tag(head: Path) -> None:
    assert prunable(head, image("b", "0.1.0", "1.1.0"), image("d", "0.2.0", "0.3.0")) == ["0.2.0", "0.3.0"]


@pytest.mark.parametrize("tag", ["latest", "buildcache", "1.0", "v1.0.0", "1.0.0+1", "demand-v1.0.0", "01.0.0"])
def test_tags_of_others_stay(head: Path, tag: str) -> None:
    assert prunable(head, image("d", tag), image("e", "0.1.0", tag)) == []


def test_models_of_one_repository_on_two_branches(tmp_path: Path) -> None:
    """Each model's ledgers are those on its own branch; what another branch has of them is old."""
    tag = 'tag: "{name}-v{version}"'
    models = dict.fromkeys(("churn", "demand"), "deploy: {environments: {staging: {}, production: {}}}\n")
    root = tmp_path / "repo"
    root.mkdir()
    write_many(root, models, "pipeline: {install: .}\n")
    for name in models:
        path = root / f"models/{name}/model.yaml"
        path.write_text(path.read_text().replace("amazonaws.com}", f"amazonaws.com, repository: churn, {tag}}}"))
    path.write_text(f"{path.read_text()}repository: {{branch: forecasts}}\n")
    publish(load(root), tmp_path / "origin.git")
    git(root, "switch", "--quiet", "--create", "forecasts")
    deployed(root, "demand", "demand/production", digest("d"))
    commit_all(root, "Deploy demand")
    git(root, "push", "--quiet", "origin", "forecasts")
    git(root, "switch", "--quiet", "main")
    deployed(root, "churn", "churn/production", digest("c"))
    commit_all(root, "Deploy churn")
    git(root, "push", "--quiet", "origin", "main")

    def head_of(branch: str) -> Workspace:
        folder = tmp_path / f"head-{branch}"
        git(tmp_path, "clone", "--quiet", "--branch", branch, "origin.git", str(folder))
        return load(folder)

    heads = release_heads(load(root), REPOSITORY, head_of)
    assert sorted(heads) == ["forecasts", "main"]
    images = [image("c", "churn-v1.0.0"), image("d", "demand-v1.0.0"), image("e", "demand-v0.9.0")]
    found = sort_images(images, heads, REPOSITORY, now=NOW, age=MONTH)
    assert [item.tags for item in found.prunable] == [("demand-v0.9.0",)]


def test_a_branch_that_only_another_one_names(tmp_path: Path) -> None:
    """The checkout may be old: on the branch the model is released to another one by now."""
    said = {}
    for branch, named in (("here", "main"), ("main", "next"), ("next", "next")):
        (tmp_path / branch).mkdir()
        said[branch] = write(tmp_path / branch, model_yaml(f"repository: {{branch: {named}}}\n"))
    assert sorted(release_heads(said["here"], REPOSITORY, said.__getitem__)) == ["main", "next"]


def test_the_young_stay_and_what_was_pulled_lately(head: Path) -> None:
    images = [image("d", "0.1.0", days=29.9), image("e", "0.2.0", days=30.1), image("f", "0.3.0", pulled=2)]
    assert prunable(head, *images) == ["0.2.0"]
    assert prunable(head, *images, age=timedelta(days=1)) == ["0.3.0", "0.2.0", "0.1.0"]


def test_models_that_share_a_repository_keep_each_other_s(tmp_path: Path) -> None:
    tag = 'tag: "{name}-v{version}"'
    models = dict.fromkeys(("churn", "demand", "other"), "deploy: {environments: {staging: {}, production: {}}}\n")
    write_many(tmp_path, models, "pipeline: {install: .}\n")
    for name in ("churn", "demand"):
        path = tmp_path / f"models/{name}/model.yaml"
        path.write_text(path.read_text().replace("amazonaws.com}", f"amazonaws.com, repository: churn, {tag}}}"))
    done = generator("generate", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    deployed(tmp_path, "demand", "demand/production", digest("d"))
    images = [
        image("d", "demand-v1.0.0"),
        image("e", "demand-v0.9.0"),
        image("f", "other-v1.0.0"),
        image("1", "1.0.0"),
    ]
    assert prunable(tmp_path, *images) == ["demand-v0.9.0"]


def test_a_ledger_that_is_missing_stops_it(head: Path) -> None:
    (head / LEDGER).unlink()
    with pytest.raises(InvalidInput, match=r"release\.yaml: is not on the branch"):
        prunable(head, image("d", "0.1.0"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schema_version: 1", "schema_version: 2"),
        ('"production"', '"staging"'),
        ('current: {"version": "1.1.0"', 'current: {"version": "1.2.0"'),
        ("current: {", "current: null # {"),
        ("b" * 64, "e" * 64),
    ],
)
def test_a_ledger_that_is_wrong_stops_it(head: Path, old: str, new: str) -> None:
    text = (head / LEDGER).read_text()
    assert old in text, text
    (head / LEDGER).write_text(text.replace(old, new))
    with pytest.raises(InvalidInput):
        prunable(head, image("d", "0.1.0"))


def test_an_overlay_of_an_environment_that_is_gone_stops_it(head: Path) -> None:
    shutil.copytree(head / "k8s/overlays/production", head / "k8s/overlays/old")
    with pytest.raises(InvalidInput, match="belongs to no environment"):
        prunable(head, image("d", "0.1.0"))


@pytest.mark.parametrize("text", ["30", "0d", "-1d", "1h", "d", "1.5d", "30 d", "99999d"])
def test_an_age_is_days_or_weeks(text: str) -> None:
    with pytest.raises(GeneratorError, match="such as 30d or 8w"):
        age_of(text)
    assert (age_of("30d"), age_of("8w")) == (timedelta(days=30), timedelta(days=56))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Account:
    return account(monkeypatch)


class Published:
    """A pushed repository whose model goes to `aws`, where 1.0.0 runs; other images are there, too."""

    def __init__(self, aws: Account, folder: Path) -> None:
        self.root, bare = folder / "repo", folder / "origin.git"
        self.root.mkdir()
        workspace = write(self.root, model_yaml("pipeline: {install: .}\n").replace("123456789012", aws.number))
        self.model = workspace.model(None)
        publish(workspace, bare)
        aws.ecr.create_repository(repositoryName="churn", imageTagMutability="MUTABLE")
        self.old = aws.push("churn", "0.1.0", "0.1.1")
        self.running, self.foreign = aws.push("churn", "1.0.0"), aws.push("churn", "buildcache")
        # By somebody else: the ledger that counts is origin's, not the one that is checked out here.
        git(folder, "clone", "--quiet", str(bare), "elsewhere")
        deployed(folder / "elsewhere", "churn", "production", self.running, repository=self.model.image_repository)
        commit_all(folder / "elsewhere", "Deploy")
        git(folder / "elsewhere", "push", "--quiet", "origin", "main")
        self.head = folder / "elsewhere"


def test_deleted_are_exactly_those_with_all_their_tags(aws: Account, tmp_path: Path) -> None:
    scene = Published(aws, tmp_path)
    repository = open_repository(scene.model)
    later = datetime.now(UTC) + timedelta(days=31)
    found = sort_images(
        repository.images(), {"main": load(scene.head)}, scene.model.image_repository, now=later, age=MONTH
    )
    assert [(item.digest, item.tags) for item in found.prunable] == [(scene.old, ("0.1.0", "0.1.1"))]
    repository.delete([item.digest for item in found.prunable])
    left = {item["imageDigest"] for item in aws.ecr.describe_images(repositoryName="churn")["imageDetails"]}
    assert left == {scene.running, scene.foreign}
    with pytest.raises(GeneratorError, match="ECR keeps some images of churn"):
        repository.delete([scene.old])


def test_the_command(aws: Account, tmp_path: Path) -> None:
    scene = Published(aws, tmp_path)
    env = {key: value for key, value in os.environ.items() if key.startswith("AWS_")}
    done = generator("prune", "--delete", cwd=scene.root, **env)
    assert done.returncode == 0, done.stderr
    kept = "1 named by a ledger, 1 pushed or pulled within 30d, 1 with tags of others"
    assert done.stdout == f"{scene.model.image_repository}: 0 to delete; kept: {kept}\n"
    (scene.head / LEDGER).unlink()
    commit_all(scene.head, "Lose the ledger")
    git(scene.head, "push", "--quiet", "origin", "main")
    refused = generator("prune", cwd=scene.root, **env)
    assert (refused.returncode, "release.yaml: is not on the branch" in refused.stderr) == (1, True)


def test_another_registry_is_refused(tmp_path: Path) -> None:
    model = write(tmp_path, model_yaml().replace("123456789012.dkr.ecr.eu-north-1.amazonaws.com", "ghcr.io"))
    with pytest.raises(GeneratorError, match="prune knows no other registry"):
        open_repository(model.model(None))
