"""Values without quotes: what kustomize takes them for, and that the check of patches takes them for the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.adapters.kustomize import Kustomize
from generator.patches.scalars import values_of
from tests import parts
from tests.generator.test_patches import MINE, OVERLAY, TARGETED, made, patch, said

WRITTEN = (
    "0444", "-0444", "0444_4", "0o444", "08", "089", "00", "0x1F", "0X1f", "0b11", "-0b1", "0o17", "1_000", "_1", "+5",
    "yes", "Yes", "YES", "yEs", "y", "N", "no", "on", "off", "True", "FALSE", "~", "null",
    "1.0", "1.", ".5", "+.5", "010.5", "1e3", "1E+3", "1_000.5",
    "1:30", "190:20:30.15", "2026-01-01", "2026-01-01T00:00:00Z", '"0444"', "'yes'", "text", "=",
)  # fmt: skip
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: inference}\nspec: {}\n"


def built(folder: Path, patch: str) -> list[dict[str, object]]:
    """What kustomize makes of a Deployment with `patch`."""
    folder.mkdir()
    (folder / "deployment.yaml").write_text(DEPLOYMENT)
    patches = [{"target": {"kind": "Deployment"}, "patch": patch}]
    (folder / "kustomization.yaml").write_text(json.dumps({"resources": ["deployment.yaml"], "patches": patches}))
    return Kustomize().build(folder)


def test_an_operation_s_values_are_kustomize_s(tmp_path: Path) -> None:
    parts.need_kustomize()
    text = "".join(
        f"- {{op: add, path: /spec/a{number}, value: {value}}}\n" for number, value in enumerate(WRITTEN)
    )
    (ours,) = values_of(text, patch=True)
    assert built(tmp_path / "ours", json.dumps(ours)) == built(tmp_path / "theirs", text)


def test_a_strategic_merge_s_values_are_kustomize_s(tmp_path: Path) -> None:
    """It leaves `yes` as text, and a date; one with a time it writes in full."""
    parts.need_kustomize()
    spec = ", ".join(f"a{number}: {value}" for number, value in enumerate(WRITTEN) if value != "2026-01-01")
    text = DEPLOYMENT.replace("spec: {}", f"spec: {{{spec}}}")
    (ours,) = values_of(text, patch=True)
    assert built(tmp_path / "ours", json.dumps(ours)) == built(tmp_path / "theirs", text)


def test_a_kustomization_s_yes_is_true(tmp_path: Path) -> None:
    root = made(tmp_path)
    listing = "  - path: patches/mine.yaml\n    target: {kind: Service}\n    options: {allowNameChange: yes}\n"
    patch(root, listing, mine="- {op: replace, path: /metadata/name, value: other}\n")
    assert said(root) == []


@pytest.mark.parametrize("text", ["|\n  0444\n", ">-\n  yes\n", "!!timestamp 2026-01-01\n"])
def test_a_block_and_a_date_are_text(text: str) -> None:
    (value,) = values_of(text, patch=True)
    assert isinstance(value, str)


def test_a_tag_goes_before_what_a_value_looks_like(tmp_path: Path) -> None:
    parts.need_kustomize()
    for number, value in enumerate(("!!str 5", "!!str 1.5", "!!str true", "!!int '3'", "!!int 3")):
        text = f"- {{op: add, path: /spec/a, value: {value}}}\n"
        (ours,) = values_of(text, patch=True)
        assert built(tmp_path / f"ours{number}", json.dumps(ours)) == built(tmp_path / f"theirs{number}", text), (
            value
        )


def test_an_empty_document_is_none() -> None:
    assert values_of("---\n---\na: on\n---\n# more\n", patch=False) == [{"a": True}]


OPERATIONS = """\
- {op: test, path: /spec/template/spec/volumes/0/secret/defaultMode, value: 0444}
- {op: replace, path: /spec/template/spec/volumes/0/secret/defaultMode, value: 0400}
- {op: test, path: /spec/template/spec/volumes/0/secret/defaultMode, value: 256}
- {op: add, path: /spec/paused, value: yes}
- {op: test, path: /spec/paused, value: true}
"""


def test_a_patch_may_write_a_mode_and_a_boolean_as_the_overlay_does(tmp_path: Path) -> None:
    root = made(tmp_path, "serve: {api_keys: keys}\n")
    assert "defaultMode: 0444" in (root / OVERLAY / "tagship/deployment.yaml").read_text()
    patch(root, TARGETED, mine=OPERATIONS)
    assert said(root) == []


def test_a_wrong_mode_is_told_with_its_place(tmp_path: Path) -> None:
    root = made(tmp_path, "serve: {api_keys: keys}\n")
    patch(root, TARGETED, mine=OPERATIONS.replace("0444", "0440"))
    (line,) = said(root)
    assert line.startswith(f"{OVERLAY}/patches/mine.yaml:1:77: this test does not apply: the value at ")


def test_places_are_kept_where_a_document_is_empty(tmp_path: Path) -> None:
    root = made(tmp_path)
    patch(root, MINE, mine=f"# first\n---\n---\n{DEPLOYMENT.replace('inference', 'gone')}")
    (line,) = said(root)
    assert line.startswith(f"{OVERLAY}/patches/mine.yaml:6:18: there is no Deployment gone")


def test_what_no_json_can_be_is_kustomize_s_to_refuse(tmp_path: Path) -> None:
    root = made(tmp_path)
    patch(root, TARGETED, mine="- {op: add, path: /metadata/annotations, value: {? [1, 2] : 3}}\n")
    (line,) = said(root)
    assert line.startswith(f"{OVERLAY}/kustomization.yaml:")
    assert "kustomize refuses this patch" in line


@pytest.mark.parametrize(
    "value", ["[" * 3000 + "]" * 3000, "{a: " * 3000 + "1" + "}" * 3000], ids=["lists", "mappings"]
)
def test_depth_ends_in_no_traceback(tmp_path: Path, value: str) -> None:
    """Whether kustomize takes it hangs on its version."""
    root = made(tmp_path)
    patch(root, TARGETED, mine=f"- {{op: add, path: /metadata/annotations, value: {value}}}\n")
    assert all(line.startswith(f"{OVERLAY}/kustomization.yaml:") for line in said(root))
