"""The user's own patches: what is said of each that no longer applies, judged by the real kustomize."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from generator.adapters.installation import install_source
from generator.adapters.kustomize import Kustomize
from generator.config.workspace import load
from generator.configuration import configuration_problems, sources
from generator.errors import GeneratorError, InvalidInput
from generator.files import apply
from generator.generate import compare_home, compare_workspace
from generator.patches.checking import LATER, overlays_of, patch_problems
from generator.patches.trial import copied
from generator.plan.component import WITH_A_RELEASE
from tests import parts
from tests.generator.configurations import separate
from tests.generator.test_cli import generator
from tests.generator.workspaces import model_yaml, write
from tests.templates.manifests import build, release_all

OVERLAY = "k8s/overlays/production"
INSTALL = f"pipeline: {{install: git+https://github.com/acme/tagship@{'a' * 40}}}\n"
SIDECAR = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: inference
spec:
  template:
    spec:
      containers:
        - name: server
          env:
            - name: TAGSHIP_MAX_BODY_BYTES
              value: "1048576"
        - name: proxy
          image: envoy@sha256:0
"""


def made(root: Path, more: str = "serve: {strict: true}\n") -> Path:
    """A generated repository."""
    parts.need_kustomize()
    workspace = write(root, model_yaml(more + INSTALL))
    apply(root, compare_workspace(workspace, install=install_source(workspace)))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return made(tmp_path)


def patch(root: Path, listing: str, **files: str) -> None:
    """Lists patches in the overlay; `files` by name lie in patches/."""
    path = root / OVERLAY / "kustomization.yaml"
    path.write_text(f"{path.read_text()}patches:\n{listing}")
    (root / OVERLAY / "patches").mkdir()
    for name, text in files.items():
        (root / OVERLAY / "patches" / f"{name}.yaml").write_bytes(text.encode("latin-1"))


def said(root: Path) -> list[str]:
    """What is wrong with the patches, as it is shown."""
    found = patch_problems(root, overlays_of(load(root)), Kustomize())
    return [str(problem) for problem in sorted(found)]


MINE = "  - path: patches/mine.yaml\n"
TARGETED = MINE + "    target: {kind: Deployment}\n"


def test_patches_that_apply_are_found_good(root: Path) -> None:
    operations = """\
- {op: test, path: /kind, value: Deployment}
- {op: add, path: /spec/paused, value: false}
- {op: replace, path: /spec/paused, value: true}
- {op: replace, path: /spec/template/spec/containers/0/env/0/value, value: unset}
- {op: copy, from: /spec/template/spec/containers/0, path: /spec/template/spec/containers/-}
- {op: replace, path: /spec/template/spec/containers/2/name, value: second}
"""
    inline = "  - patch: |-\n      - {op: remove, path: /spec/ingress}\n    target: {kind: NetworkPolicy}\n"
    patch(
        root,
        f"{MINE}  - path: ./patches/more.yaml\n    target: {{kind: Deployment}}\n{inline}",
        mine=SIDECAR,
        more=operations,
    )
    assert said(root) == []


BROKEN = """\
- op: replace
  path: /spec/nope
  value: 1
"""
OTHER = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: inference}\nspec: {template: {spec: {containers: ["
)
OTHER_KIND = "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: inference}}"
# By a name for the file: its text, where it is wrong, what is said.
CASES = {
    "renamed": (SIDECAR.replace("name: inference", "name: churn-inference"), "4:9", "there is no Deployment churn-inference to patch; there are: Deployment inference, "),
    "kind": (SIDECAR.replace("Deployment", "StatefulSet"), "4:9", "there is no StatefulSet inference"),
    "old": (SIDECAR.replace("apps/v1", "apps/v1beta1"), "1:13", "the apiVersion of Deployment inference is apps/v1: write that"),
    "unversioned": (SIDECAR.replace("apiVersion: apps/v1\n", ""), "1:1", "the apiVersion of Deployment inference is apps/v1"),
    "namespace": (SIDECAR.replace("  name: inference", "  namespace: churn\n  name: inference"), "4:14", "leave namespace out: the overlay gives Deployment inference its own later"),
    "list": (f"apiVersion: v1\nkind: List\nitems: [{OTHER_KIND}]\n", "2:7", "an item of this List has no object to patch: write each as a document of its own"),
    "odd": ("apiVersion: v1\nkind: [List]\nmetadata: {name: x}\n", "1:1", "kustomize refuses this patch"),
    "container": (SIDECAR.replace("name: server", "name: app"), "9:17", "there is no container app, so this adds one, without an image; there is: server."),
    "delete": (SIDECAR.replace('value: "1048576"', "$patch: delete"), "11:15", "deletes nothing: env has none with name TAGSHIP_MAX_BODY_BYTES"),
    "second": (f"{SIDECAR}---\n{SIDECAR.replace('name: inference', 'name: gone')}", "19:9", "there is no Deployment gone"),
    "yaml": ("a: [b\n", "", "kustomize refuses this patch"),
    "anchor": (f"{OTHER}{{name: &x job}}]}}}}}}\n", "1:1", "there is no container job"),
    "binary": ("\xff\n", "", "kustomize refuses this patch"),
    "date": (
        f"{OTHER}{{name: &x job, env: [{{name: A, value: 2026-01-01}}]}}]}}}}}}\n---\n{SIDECAR.replace('inference', 'no')}",
        "1:1",
        "there is no Deployment no",
    ),
    "path": (f"- {{op: add, path: /spec/paused, value: false}}\n{BROKEN}", "3:9", "this replace does not apply: there is no /spec/nope."),
    "parent": ("- {op: add, path: /spec/nope/more, value: 1}\n", "1:19", "this add does not apply: there is no /spec/nope/more to add to."),
    "index": ("- {op: remove, path: /spec/template/spec/containers/4}\n", "1:22", "this remove does not apply: there is no /spec/template/spec/containers/4."),
    "test": ("- op: test\n  path: /kind\n  value: Job\n", "3:10", "this test does not apply: the value at /kind is another one"),
    "copy": ('[{"op": "copy", "from": "/spec/nope", "path": "/spec/more"}]\n', "1:25", "this copy does not apply: there is no /spec/nope."),
}  # fmt: skip


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """All cases in one overlay: what does not apply is left out when the next one is judged."""
    root = made(tmp_path_factory.mktemp("cases"))
    listing = ""
    for name, (text, _, _) in CASES.items():
        target = "    target: {kind: Deployment}\n" if text.startswith(("-", "[")) else ""
        listing += f"  - path: patches/{name}.yaml\n{target}"
    patch(root, listing, **{name: text for name, (text, _, _) in CASES.items()})
    return said(root)


@pytest.mark.parametrize("case", CASES)
def test_a_patch_that_does_not_apply_is_told_with_its_place(case: str, findings: list[str]) -> None:
    _, place, words = CASES[case]
    listed = [number for number, name in enumerate(CASES) if name == case]
    where = f"{OVERLAY}/patches/{case}.yaml:{place}: "
    if not place:  # no part of it can be read: where it is listed
        where = f"{OVERLAY}/kustomization.yaml:{37 + 1 + listed[0]}:11: "
    found = [line for line in findings if line.startswith(where)]
    assert len(found) == 1 and words in found[0], findings


def test_nothing_else_is_told_of_them(findings: list[str]) -> None:
    assert len(findings) == len(CASES), findings


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ('name: server, image: "other@sha256:0"', "renders the image other@sha256:0, not "),
        ("name: server, $patch: delete", "it does not render"),
    ],
)
def test_patches_that_no_release_could_be_deployed_with_are_told(root: Path, container: str, words: str) -> None:
    patch(root, MINE, mine=f"{OTHER}{{{container}}}]}}}}}}\n")
    (line,) = said(root)
    assert line.startswith(f"{OVERLAY}/kustomization.yaml:37:1: with its patches")
    assert words in line


@pytest.mark.parametrize(
    "text", [SIDECAR, "- {op: replace, path: /spec/replicas, value: 3}\n"], ids=["merge", "6902"]
)
def test_a_target_that_selects_nothing_is_not_skipped_silently(root: Path, text: str) -> None:
    patch(root, MINE + "    target: {kind: Deployment, labelSelector: app=gone}\n", mine=text)
    (line,) = said(root)
    assert line.startswith(
        f"{OVERLAY}/kustomization.yaml:39:13: selects no object (kind Deployment, labelSelector app=gone)"
    )


def test_an_object_in_a_namespace_of_its_own_is_named_with_it(root: Path) -> None:
    (root / OVERLAY / "own.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own, namespace: infra}\n"
    )
    path = root / OVERLAY / "kustomization.yaml"
    path.write_text(path.read_text().replace("resources:\n", "resources:\n  - own.yaml\n"))
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own, namespace: infra}\ndata: {a: b}\n"
    patch(root, MINE, mine=text)
    assert said(root) == []
    (root / OVERLAY / "patches/mine.yaml").write_text(text.replace("infra", "shop"))
    (line,) = said(root)
    assert line == f"{OVERLAY}/patches/mine.yaml:3:34: the namespace of ConfigMap own is infra: write that"


AUTOSCALED = "serve: {autoscaling: {}, monitoring: true}\n"
SLOWLY = """\
- {op: replace, path: /spec/behavior/scaleDown/stabilizationWindowSeconds, value: 900}
"""


def test_a_target_that_comes_with_the_first_release_waits_for_it(tmp_path: Path) -> None:
    """docs/scaling.md tells to patch the autoscaler, and production has none before its first promotion."""
    root = made(tmp_path, AUTOSCALED)
    patch(root, MINE + "    target: {kind: HorizontalPodAutoscaler}\n", mine=SLOWLY)
    assert said(root) == []
    release_all(root)
    assert said(root) == []
    (root / OVERLAY / "patches/mine.yaml").write_text(
        SLOWLY.replace("900", "900}\n- {op: test, path: /kind, value: X")
    )
    (problem,) = said(root)
    assert problem.startswith(f"{OVERLAY}/patches/mine.yaml:2:"), "with the release it is looked at"


# What selects something with the first release, and what never will.
LATER_TARGETS = (
    "group: autoscaling", "kind: HorizontalPodAutoscaler|PodDisruptionBudget", "kind: Prom.*, version: v.",
    "kind: HorizontalPodAutoscaler, name: ^inf.*$, namespace: default",
    "kind: PodDisruptionBudget, labelSelector: app.kubernetes.io/name=inference", "group: policy, kind: ''",
)  # fmt: skip
NEVER = (
    "group: auto", "kind: PodDisruption", "kind: horizontalpodautoscaler", "kind: HorizontalPodAutoscaler, name: nope",
    "kind: HorizontalPodAutoscaler, version: v1", "kind: '\\pN'", "kind: PodDisruptionBudget, namespace: churn",
)  # fmt: skip


def test_targets_are_matched_as_kustomize_matches_them(tmp_path: Path) -> None:
    """Before the first release those are told that select nothing after it, and no other."""
    root = made(tmp_path, AUTOSCALED)
    listing = "".join(f"  - {{path: patches/mine.yaml, target: {{{one}}}}}\n" for one in (*LATER_TARGETS, *NEVER))
    patch(root, listing, mine="- {op: add, path: /metadata/annotations/x, value: y}\n")
    places = [f"{OVERLAY}/kustomization.yaml:{38 + len(LATER_TARGETS) + i}:" for i in range(len(NEVER))]
    for _ in range(2):
        found = [line for line in said(root) if "selects no object" in line]
        assert [line[: len(places[0])] for line in found] == places, found
        release_all(root)


@pytest.mark.parametrize("ledger", [None, "current: {\n"])
def test_without_a_ledger_that_can_be_read_nothing_waits(tmp_path: Path, ledger: str | None) -> None:
    root = made(tmp_path, AUTOSCALED)
    patch(root, MINE + "    target: {kind: HorizontalPodAutoscaler}\n", mine=SLOWLY)
    path = root / OVERLAY / "release.yaml"
    if ledger is None:
        path.unlink()
        (problem,) = said(root)
        assert "selects no object (kind HorizontalPodAutoscaler)" in problem
    else:
        path.write_text(ledger)
        with pytest.raises(InvalidInput, match=f"{OVERLAY}/release.yaml:"):
            said(root)


def test_a_merge_without_a_target_cannot_wait_for_the_first_release(tmp_path: Path) -> None:
    root = made(tmp_path, AUTOSCALED)
    text = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: inference}\nspec: {maxReplicas: 5}\n"
    patch(root, MINE, mine=text)
    (problem,) = said(root)
    assert problem == (
        f"{OVERLAY}/patches/mine.yaml:2:7: there is no HorizontalPodAutoscaler before the first release: {LATER}"
    )
    release_all(root)
    assert said(root) == []


def test_what_comes_with_the_first_release_is_known(tmp_path: Path) -> None:
    keda = "requests: {per_second: 5, through: keda, prometheus: 'http://p:9090'}"
    found: set[tuple[str, str]] = set()
    for name, scaling in (("hpa", "{}"), ("keda", f"{{{keda}}}")):
        (folder := tmp_path / name).mkdir()
        root = made(folder, f"serve: {{autoscaling: {scaling}, monitoring: true}}\n")
        model = load(root).model(None)
        before = {item["kind"] for item in build(root, model, "production")}
        release_all(root)
        new = [item for item in build(root, model, "production") if item["kind"] not in before]
        assert {item["metadata"]["name"] for item in new} == {"churn-inference"}, "of the base's name, inference"
        found |= {(item["kind"], item["apiVersion"]) for item in new}
    assert found == set(WITH_A_RELEASE.items())


def test_a_patch_within_the_kustomization_has_its_own_lines_there(root: Path) -> None:
    patch(
        root,
        "  - target: {kind: Deployment}\n    patch: |-\n      - op: replace\n        path: /spec/nope\n        value: 1\n",
    )
    (line,) = said(root)
    number = (root / OVERLAY / "kustomization.yaml").read_text().splitlines().index("        path: /spec/nope") + 1
    assert line.startswith(f"{OVERLAY}/kustomization.yaml:{number}:15: this replace")


def test_a_patch_within_the_kustomization_as_one_line_is_placed_where_it_begins(root: Path) -> None:
    patch(root, '  - target: {kind: Deployment}\n    patch: "[{op: remove, path: /spec/nope}]"\n')
    (line,) = said(root)
    assert line.startswith(f"{OVERLAY}/kustomization.yaml:39:12: this remove")


@pytest.mark.parametrize("listing", ["patches: 5\n", "patches: {a: b}\n", "patches: [x]\n"])
def test_a_listing_that_is_none_is_kustomize_s_to_refuse(root: Path, listing: str) -> None:
    path = root / OVERLAY / "kustomization.yaml"
    path.write_text(f"{path.read_text()}{listing}")
    (line,) = said(root)
    assert line.startswith(f"{OVERLAY}/kustomization.yaml:37:1: with its patches it does not render: ")


def test_files_that_nothing_reads_and_entries_without_a_file_are_told(root: Path) -> None:
    patch(root, "  - path: patches/gone.yaml\n", forgotten=SIDECAR)
    (root / OVERLAY / "patches/README.md").write_text("why\n")
    absent, unread = said(root)
    assert absent.startswith(f"{OVERLAY}/kustomization.yaml:38:11: there is no file patches/gone.yaml")
    assert unread.startswith(f"{OVERLAY}/patches/forgotten.yaml: is listed nowhere")
    assert f"add `- path: patches/forgotten.yaml` to `patches:` in {OVERLAY}/kustomization.yaml" in unread


def test_each_patch_is_judged_after_those_before_it(root: Path) -> None:
    first = "- {op: add, path: /metadata/annotations, value: {a: b}}\n"
    second = "- {op: replace, path: /metadata/annotations/a, value: c}\n"
    listing = "".join(
        f"  - {{path: patches/{name}.yaml, target: {{kind: Service}}}}\n" for name in ("one", "two", "three")
    )
    patch(root, listing, one=first, two=second, three=second.replace("replace", "remove").replace("/a", "/z"))
    (line,) = said(root)
    assert line.startswith(f"{OVERLAY}/patches/three.yaml:1:")


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("what", ["kustomization.yaml", "."])
def test_nothing_is_written_through_a_link(tmp_path: Path, what: str, absolute: bool) -> None:
    """Neither in the repository nor beside it: a pull request may bring such a link."""
    root = tmp_path / "root"
    root.mkdir()
    patch(made(root), MINE, mine=SIDECAR)
    link, real = root / OVERLAY / what, (tmp_path if absolute else root) / "shared"
    shutil.move(link, real)
    link.symlink_to(real if absolute else os.path.relpath(real, link.parent))
    file = real / "kustomization.yaml" if real.is_dir() else real
    before = file.read_bytes(), sorted(real.rglob("*"))
    assert said(root) == [
        f"{OVERLAY}/kustomization.yaml: is or runs through a symbolic link; replace it by a real file or folder"
    ]
    assert (file.read_bytes(), sorted(real.rglob("*"))) == before


def test_no_text_that_is_wanted_is_tried_through_a_link(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "k8s").mkdir(parents=True)
    outside.mkdir()
    (outside / "a.yaml").write_text("mine\n")
    (root / "k8s/base").symlink_to(outside)
    (root / "k8s/b.yaml").symlink_to(outside / "a.yaml")
    for wanted in ({"k8s/base/a.yaml": "ours"}, {"k8s/base/a.yaml": None}, {"k8s/b.yaml": "ours"}):
        with pytest.raises(GeneratorError, match="symbolic link"), copied(root, wanted):
            pass
    assert (outside / "a.yaml").read_text() == "mine\n"


def test_generate_writes_what_a_patch_no_longer_fits_and_says_so(root: Path) -> None:
    """As a newer version of the command changes the base: here an older one's base is on the disk."""
    deployment = root / "k8s/base/deployment.yaml"
    deployment.write_text(deployment.read_text().replace("name: server", "name: app"))
    kustomization = root / OVERLAY / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace("name=server", "name=app"))
    patch(root, MINE, mine=SIDECAR.replace("name: server", "name: app"))
    words = f"{OVERLAY}/patches/mine.yaml:9:17: there is no container app"
    stale = generator("generate", "--check", cwd=root)
    assert stale.returncode == 1
    assert words in stale.stderr, "what generate would write counts"
    written = generator("generate", cwd=root)
    assert written.returncode == 0
    assert words in written.stderr
    assert "name: server" in deployment.read_text()
    assert (root / OVERLAY / "patches/mine.yaml").read_text() == SIDECAR.replace("name: server", "name: app")


def test_check_and_validate_fail_where_only_a_patch_is_wrong(root: Path) -> None:
    patch(root, MINE, mine=SIDECAR)
    assert generator("generate", "--check", cwd=root).returncode == 0
    (root / OVERLAY / "patches/more.yaml").write_text(SIDECAR)
    words = f"{OVERLAY}/patches/more.yaml: is listed nowhere"
    for command in (("generate", "--check"), ("validate",)):
        done = generator(*command, cwd=root)
        assert done.returncode == 1
        assert words in done.stderr
        assert "stale" not in done.stdout + done.stderr


def test_without_a_renderer_it_says_what_was_not_looked_at(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    patch(root, MINE, mine=SIDECAR.replace("name: server", "name: app"), more=SIDECAR)
    programs = tmp_path_factory.mktemp("bin")
    (programs / "git").symlink_to(parts.need_program("git", "install git"))
    checked = generator("generate", "--check", cwd=root, PATH=str(programs))
    assert checked.returncode == 1
    assert "patches not checked: neither kustomize nor kubectl is installed" in checked.stderr
    assert f"{OVERLAY}/patches/more.yaml: is listed nowhere" in checked.stderr
    assert "there is no container" not in checked.stderr


def test_a_configuration_repository_s_own_check_tells_them_too(tmp_path: Path) -> None:
    parts.need_kustomize()
    code, deployments = tmp_path / "code", tmp_path / "deployments"
    code.mkdir()
    deployments.mkdir()
    workspace = write(code, separate())
    model = workspace.model(None)
    apply(deployments / model.home, compare_home(workspace, model, deployments))
    home = deployments / model.home
    patch(home, MINE, mine=SIDECAR)
    assert configuration_problems(deployments, sources(deployments), Kustomize()) == []
    (home / OVERLAY / "patches/mine.yaml").write_text(SIDECAR.replace("name: server", "name: app"))
    (found,) = configuration_problems(deployments, sources(deployments), Kustomize())
    assert str(found).startswith(f"churn/{OVERLAY}/patches/mine.yaml:9:17: there is no container app")
