"""The preview against real repositories and the real kustomize: what it shows, what it leaves out, what it survives."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from generator.adapters.git import GitRepository
from generator.adapters.kustomize import Kustomize
from generator.artifacts import BuiltImage, Check, GateReport, Golden, Record, Served, TrainedModel
from generator.config.workspace import load
from generator.disk import write_atomically
from generator.errors import GeneratorError
from generator.files import apply
from generator.generate import compare_workspace
from generator.ledger import Entry, Ledger
from generator.overlay import with_image
from generator.preview.compare import Preview, preview
from generator.preview.page import MARKER, page
from generator.store import Store
from tests import parts
from tests.generator.repositories import commit_all, git, publish
from tests.generator.test_cli import generator
from tests.generator.workspaces import write_many

GOLDEN = Path(__file__).parents[1] / "golden" / "preview"
GITHUB_TAKES = 65_536  # characters in a comment
SHARED = "deploy: {environments: {staging: {}, production: {}}}\npipeline: {install: .}\n"
CHURN = "gate: {metrics: {accuracy: {min: 0.5}, rmse: {max: 9}}, champion: {tolerance: 0.05}}\n"
OVERLAY = "k8s/overlays/churn/production"


@pytest.fixture(autouse=True)
def _kustomize() -> None:
    parts.need_kustomize()


class Scene:
    """Two models in two environments each, pushed; a branch with changes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "repo"
        self.root.mkdir()
        publish(write_many(self.root, {"churn": CHURN, "demand": ""}, SHARED), folder / "origin.git")
        git(self.root, "switch", "--quiet", "--create", "change")

    def settle(self) -> str:
        """What main has from here on."""
        self.generate()
        commit = commit_all(self.root, "Settle")
        git(self.root, "push", "--quiet", "origin", "HEAD:main")
        return commit

    def generate(self) -> None:
        apply(self.root, compare_workspace(load(self.root), install="."))

    def append(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((target.read_text() if target.exists() else "") + text)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))

    def release(self, environment: str, version: str, digit: str, **more: object) -> None:
        """What a deploy commits."""
        overlay = self.root / "k8s/overlays/churn" / environment
        model = load(self.root).model("churn")
        entry = Entry.model_validate(
            {
                "version": version, "digest": "sha256:" + digit * 64, "run": "1" * 32, "commit": "c" * 40,
                "metrics": {"accuracy": 0.9, "rmse": 2.0, "rows": 100.0}, "at": "2026-01-01T00:00:00Z", "by": "Ada",
            } | more
        )  # fmt: skip
        found = Ledger.model_validate({"model": "churn", "environment": environment})
        write_atomically(overlay / "release.yaml", found.with_release(entry).text())
        text = (overlay / "kustomization.yaml").read_text()
        text = with_image(text, "k", repository=model.image_repository, digest=entry.digest)
        write_atomically(overlay / "kustomization.yaml", text)
        self.generate()

    def preview(self, *only: str, artifacts: tuple[Path, ...] = (), commit: bool = True) -> Preview:
        if commit:
            commit_all(self.root, "Change")
        return preview(GitRepository(self.root), "origin/main", Kustomize(), only=only, artifacts=artifacts)

    def page(self, *only: str, artifacts: tuple[Path, ...] = (), full: bool = False) -> str:
        return page(self.preview(*only, artifacts=artifacts), full=full)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def trained(folder: Path, **metrics: float) -> Path:
    identity = {"name": "churn", "version": "0.0.0", "commit": "d" * 40}
    store = Store(folder)
    record = Record(run_id="r1", metrics=metrics)
    store.write("train", TrainedModel(
        **identity, run_id="r1", attempt="1", tracking_uri="sqlite:///x", experiment="churn", model_name="model",
        model_uri="runs:/r1/model", flavors=("sklearn",), metrics=metrics, params={}, mlflow_version="3.5",
        python="3.11", model_sha256="0" * 64, lock_sha256="0" * 64, golden=Golden(source="none", rows=0),
        trained_at="2026-01-02T00:00:00Z", seconds=1.0,
    ))  # fmt: skip
    check = Check(metric="accuracy", value=metrics["accuracy"], bound=0.5, kind="min")
    store.write("gate", GateReport(
        **identity, environment="staging", run_id="r1", model_sha256="0" * 64, checks=(check,), champion="1.1.0",
    ))  # fmt: skip
    store.write("package", BuiltImage(
        **identity, engine="docker", digest="sha256:" + "e" * 64, archive_sha256="0" * 64, size=210 * 2**20,
        platform="linux/amd64", runtime_lock_sha256="0" * 64, golden_rows=0, largest_difference=0.0,
        load_seconds=1.0, served=Served(runtime="sklearn"), record=record,
    ))  # fmt: skip
    return folder


CONFIG_MAP = "configMapGenerator:\n  - name: settings\n    literals: [a=1, b=2]\n"
USES_IT = """\
patches:
  - target: {kind: Deployment}
    patch: |-
      - op: add
        path: /spec/template/spec/volumes/-
        value: {name: settings, configMap: {name: settings}}
"""


def test_a_whole_text(scene: Scene, request: pytest.FixtureRequest) -> None:
    scene.release("staging", "1.1.0", "b", size=200 * 2**20)
    scene.release("production", "1.0.0", "a")
    scene.append(f"{OVERLAY}/kustomization.yaml", CONFIG_MAP + USES_IT)
    scene.settle()
    scene.release("production", "1.1.0", "b")
    scene.edit(f"{OVERLAY}/kustomization.yaml", "b=2", "b=3")
    scene.append("models/churn/model.yaml", "serve: {replicas: 3}\n")
    scene.generate()
    artifacts = trained(scene.folder / "artifacts", accuracy=0.91, rmse=2.5, rows=120.0, auc=0.7)
    found = scene.preview(artifacts=(artifacts,))
    text = page(replace(found, base_commit="b" * 40, commit="c" * 40))
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / "comment.md").write_text(text)
    assert text == (GOLDEN / "comment.md").read_text()
    assert text.startswith(MARKER)


def test_the_hash_of_a_generated_name_is_no_difference_of_its_own(scene: Scene) -> None:
    scene.append(f"{OVERLAY}/kustomization.yaml", CONFIG_MAP + USES_IT)
    scene.settle()
    scene.edit(f"{OVERLAY}/kustomization.yaml", "b=2", "b=3")
    (found,) = [item for item in scene.preview().environments if not item.unchanged]
    assert [(item.change, item.title) for item in found.differences] == [
        ("changed", "ConfigMap churn-production/churn-settings-<hash>")
    ]
    assert [line for line in found.differences[0].lines if line[0] in "+-"] == ["-  b: '2'", "+  b: '3'"]
    assert not found.image_changed


def test_a_patch_that_no_longer_applies_is_a_finding_with_its_place(scene: Scene) -> None:
    scene.append(f"{OVERLAY}/kustomization.yaml", CONFIG_MAP + USES_IT)
    scene.settle()
    scene.edit(f"{OVERLAY}/kustomization.yaml", "volumes/-", "volumes/8/name")
    found = [line for line in scene.preview().findings if "this add does not apply" in line]
    assert len(found) == 1
    assert re.match(rf"{OVERLAY}/kustomization\.yaml:\d+:15: ", found[0])


def test_an_object_under_another_name_is_one_gone_and_one_new(scene: Scene) -> None:
    plain = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: b}\n"
    scene.append(f"{OVERLAY}/extra.yaml", plain)
    scene.edit(f"{OVERLAY}/kustomization.yaml", "resources:\n", "resources:\n  - extra.yaml\n")
    scene.settle()
    scene.edit(f"{OVERLAY}/extra.yaml", "name: one", "name: two")
    text = scene.page()
    assert "| `churn` | `production` | none | 1 added, 1 removed | no |" in text
    assert "--- ConfigMap churn-production/churn-one\n+++ /dev/null" in text
    assert "--- /dev/null\n+++ ConfigMap churn-production/churn-two" in text


def test_a_model_in_another_folder_is_the_same_model(scene: Scene) -> None:
    scene.edit("tagship.yaml", "[models/*]", '["*/*"]')
    scene.settle()
    (scene.root / "services").mkdir()
    git(scene.root, "mv", "models/churn", "services/churn")
    scene.generate()
    found = scene.preview()
    assert [(item.title, item.unchanged) for item in found.environments] == [
        ("churn in staging", True), ("churn in production", True)
    ]  # fmt: skip
    assert "Unchanged: `churn in staging`, `churn in production`." in page(found)
    assert "Not concerned: `demand`." in page(found)


def test_an_environment_that_is_renamed_and_a_model_that_goes(scene: Scene) -> None:
    scene.edit("tagship.yaml", "staging: {}", "testing: {}")
    for overlay in ("churn", "demand/staging"):
        git(scene.root, "rm", "-rq", f"k8s/overlays/{overlay}")
    git(scene.root, "rm", "-rq", "models/churn")
    scene.generate()
    found = {item.title: item for item in scene.preview().environments}
    assert {title: item.state for title, item in found.items()} == {
        "demand in testing": "new", "demand in production": "", "churn in staging": "removed",
        "churn in production": "removed", "demand in staging": "removed",
    }  # fmt: skip
    assert {item.change for item in found["demand in testing"].differences} == {"added"}
    assert {item.change for item in found["churn in production"].differences} == {"removed"}


def test_a_first_model(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    (root / "README.md").write_text("hello\n")
    git(root, "init", "--quiet")
    first = commit_all(root, "Begin")
    write_many(root, {"churn": ""}, SHARED)
    apply(root, compare_workspace(load(root), install="."))
    commit_all(root, "Churn")
    text = page(preview(GitRepository(root), first, Kustomize()))
    assert "| `churn` | `production` | none | new: " in text
    assert "The base has no valid model.yaml" in text
    assert "+kind: Deployment" in text


def test_what_does_not_render_is_a_finding_with_kustomizes_reason(scene: Scene) -> None:
    scene.edit(f"{OVERLAY}/kustomization.yaml", "replacements:", "nonsense:")
    text = scene.page()
    assert "| `churn` | `production` | none | **does not render** | ? |" in text
    assert f"churn in production: kustomize cannot render {OVERLAY}: " in text
    assert 'unknown field "nonsense"' in text
    assert "/tmp" not in text
    git(scene.root, "push", "--quiet", "origin", "HEAD:main")
    scene.edit(f"{OVERLAY}/kustomization.yaml", "nonsense:", "replacements:")
    text = scene.page()
    assert "| `churn` | `production` | none | the base does not render | ? |" in text
    assert "kustomize cannot render" not in text, "the base's own fault is no finding of this change"


def test_findings_of_validate_and_generate_with_their_places(scene: Scene) -> None:
    scene.append("models/churn/train.py", "def broken(:\n")
    scene.edit(f"{OVERLAY}/tagship/deployment.yaml", "replicas", "replica")
    text = scene.page()
    assert "models/churn/train.py:9:" in text
    assert "models/churn/requirements.lock" in text
    assert f"{OVERLAY}/tagship/deployment.yaml: hand-edited" in text
    assert "generated files are stale" in text


def test_a_head_whose_model_yaml_is_wrong_is_findings_alone(scene: Scene) -> None:
    scene.append("models/churn/model.yaml", "nonsense: 1\n")
    text = scene.page()
    assert "models/churn/model.yaml:6:1: unknown key 'nonsense'" in text
    assert "| `churn` | `production` | none | unchanged | no |" in text


def test_what_a_stale_promotion_does_to_the_ledger_is_a_finding(scene: Scene) -> None:
    scene.release("production", "1.1.0", "b")
    scene.settle()
    scene.release("production", "1.0.0", "a")
    assert "goes back from 1.1.0 to 1.0.0 without rejecting 1.1.0" in scene.page()


def test_secrets_are_never_shown(scene: Scene) -> None:
    secret = "secretGenerator:\n  - name: token\n    literals: [kept=hunter2, changed=first]\n"
    scene.append(f"{OVERLAY}/kustomization.yaml", secret)
    scene.settle()
    scene.edit(f"{OVERLAY}/kustomization.yaml", "changed=first", "changed=second, fresh=third")
    text = scene.page()
    assert "Secret churn-production/churn-token-<hash>" in text
    assert "-  changed: (hidden)\n+  changed: (hidden, another value)\n+  fresh: (hidden)\n" in text
    for value in ("hunter2", "first", "second", "third", "aHVudGVyMg", "c2Vjb25k"):
        assert value not in text


HOSTILE = (
    "````\n</details>\n@everyone <script>alert(1)</script>\n``` \n   ~~~\n| a | b |\n"
    "<!-- tagship preview -->\n\u202egnp.exe\u202c\u200b\r[x](javascript:1)\n`````````\n<img src=x onerror=y>"
)


def test_what_a_repository_says_stays_text(scene: Scene) -> None:
    literal = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hostile, annotations: {\"@grace\": '</pre>'}}\ndata:\n  x: "
    scene.append(f"{OVERLAY}/extra.yaml", literal + repr_yaml(HOSTILE) + "\n")
    scene.edit(f"{OVERLAY}/kustomization.yaml", "resources:\n", "resources:\n  - extra.yaml\n")
    scene.append("models/churn/model.yaml", "'</details> @all ```': 1\n")
    for_validation = scene.page()
    text = page(scene.preview(commit=False))
    assert text == for_validation
    assert "\u202e" not in text and "\u200b" not in text and "\\u{202e}" in text
    only_code(text)


def repr_yaml(text: str) -> str:
    from generator.yamlio import quote

    return quote(text)


def only_code(text: str) -> None:
    """Parses `text` as Markdown: outside of code nothing of a repository is left, and each fold is closed."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    html = [token.content.strip() for token in tokens if token.type == "html_block"]
    inline = [child for token in tokens if token.type == "inline" for child in token.children or ()]
    assert html[0] == MARKER
    assert sum(MARKER in item for item in html) == 1
    assert [item[:9] for item in html[1:]] == ["<details>", "</details"] * (len(html) // 2)
    assert not [child.content for child in inline if child.type in ("html_inline", "link_open", "image")]
    plain = " ".join(child.content for child in inline if child.type == "text")
    assert "@" not in plain
    assert "<" not in plain


@pytest.mark.parametrize("ref", ["a`b``c|@all<x>", "```", "|", "`"])
def test_the_name_of_a_base_stays_text(scene: Scene, ref: str) -> None:
    commit_all_or_nothing = git(scene.root, "commit", "--allow-empty", "--quiet", "--message", "@everyone")
    assert commit_all_or_nothing == ""
    found = replace(scene.preview(commit=False), base=ref)
    only_code(page(found))


def test_a_long_text_is_cut_and_says_how_to_see_the_rest(scene: Scene) -> None:
    lines = "".join(f"  key{n:05}: 'ä ``` {n}'\n" for n in range(2000))
    for environment in ("staging", "production"):
        overlay = f"k8s/overlays/churn/{environment}"
        scene.append(
            f"{overlay}/extra.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: long}}\ndata:\n{lines}"
        )
        scene.edit(f"{overlay}/kustomization.yaml", "resources:\n", "resources:\n  - extra.yaml\n")
    scene.append("k8s/overlays/demand/staging/kustomization.yaml", CONFIG_MAP)
    cut = scene.page()
    assert 58_000 < len(cut.encode()) < GITHUB_TAKES
    assert cut.count("more lines; to see them: `generator preview --full --base origin/main -m churn`") == 2
    assert "+  b: '2'" in cut, "what is short is whole"
    only_code(cut)
    whole = page(scene.preview("churn", commit=False), full=True)
    assert whole.count("key01999") == 2
    only_code(whole)


def test_very_many_environments(scene: Scene) -> None:
    found = scene.preview("churn", commit=False)
    item = replace(found.environments[0], state="new")
    with_lines = replace(item, differences=tuple(found_difference(n) for n in range(9)))
    many = tuple(replace(with_lines, model=f"model-{n}", environment="e" * 40) for n in range(3000))
    findings = tuple(f"file{n}: {'x' * 5000}\n{'`' * n}\n@all" for n in range(300))
    text = page(replace(found, environments=many, findings=findings))
    assert len(text.encode()) < GITHUB_TAKES
    assert "… and 2850 more environments" in text
    assert "Too much to show here" in text
    assert text.count("<details>") > 20, "what has room is shown"
    only_code(text)


def found_difference(n: int) -> object:
    from generator.preview.objects import Difference

    return Difference("added", f"ConfigMap {n}", tuple("+" + "`" * n + "\u202e" * 300 for _ in range(n)))


def test_metrics_that_are_refused_are_findings(scene: Scene) -> None:
    folder = trained(scene.folder / "artifacts", accuracy=0.4)
    (folder / "gate.json").write_text('{"checks": "@all"}')
    (folder / "package.json").write_text((folder / "package.json").read_text().replace('"churn"', '"other"'))
    text = scene_text(scene, folder)
    assert "gate.json: name: Field required; it is not shown" in text
    assert "package.json: there is no model other; it is not shown" in text
    assert "`production` has no release to compare with." in text
    assert "There is no report of the gate: it was not reached, or not passed." in text


def scene_text(scene: Scene, folder: Path) -> str:
    return page(scene.preview(artifacts=(folder,), commit=False))


def test_nothing_of_the_users_is_touched(scene: Scene) -> None:
    scene.append("models/churn/model.yaml", "serve: {replicas: 4}\n")
    scene.generate()
    commit_all(scene.root, "Change")
    scene.append("models/churn/train.py", "# not committed\n")
    git(scene.root, "add", "models/churn/train.py")
    scene.append("models/demand/train.py", "# nor added\n")
    before = state(scene.root)
    done = generator("preview", cwd=scene.root)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "what is not committed is left out\n"
    assert "+  replicas: 4" not in done.stdout, "nothing was released: an overlay runs nothing before"
    assert state(scene.root) == before


def state(root: Path) -> object:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return (
        [(path, path.read_bytes()) for path in files],
        git(root, "status", "--porcelain"),
        git(root, "branch", "-a"),
    )


def test_the_command(scene: Scene) -> None:
    scene.append("models/churn/train.py", "# more\n")
    commit_all(scene.root, "Change")
    summary = scene.folder / "summary"
    summary.write_text("before\n")
    done = generator(
        "preview", "--output", "out.md", "--summary", cwd=scene.root,
        GITHUB_STEP_SUMMARY=str(summary), GITHUB_BASE_REF="main",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    text = (scene.root / "out.md").read_text()
    assert text.startswith(MARKER)
    assert "of `origin/main`" in text
    assert summary.read_text() == f"before\n{text}\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--base", "nowhere"], "Git knows no 'nowhere' here: fetch it, or check the name"),
        (["--base", "--upload-pack=x"], "Git knows no '--upload-pack=x' here: fetch it, or check the name"),
        (["-m", "other"], "no model 'other' on either side; there are: churn, demand"),
        (["--summary"], "--summary is for a workflow's step: GITHUB_STEP_SUMMARY is not set"),
    ],
)
def test_what_cannot_be_compared(scene: Scene, argv: list[str], message: str) -> None:
    done = generator("preview", *argv, cwd=scene.root)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, f"error: {message}")


def test_a_clone_that_was_cut_short(scene: Scene) -> None:
    git(scene.root, "switch", "--quiet", "--orphan", "other")
    (scene.root / "x").write_text("x")
    commit_all(scene.root, "Orphan")
    with pytest.raises(GeneratorError, match="no commit in common here: fetch all of the history"):
        scene.preview(commit=False)
