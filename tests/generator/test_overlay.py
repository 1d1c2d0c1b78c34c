"""Editing an overlay's kustomization.yaml: the whole text is compared."""

from __future__ import annotations

import pytest

from generator.errors import InvalidInput
from generator.overlay import image_of, image_problems, with_image

TEXT = """\
# mine
resources: [../../base,   extra.yaml]   # odd spacing stays
components:
- tagship
images:
  - name: other
    newName: other/other
    digest: sha256:aaaa
  - name: inference   # ours
    newName: 'r.example.com/churn'
    digest:   sha256:0000   # the deploy stage's
patches: [{path: p.yaml}]
long: &keep "{x}"
"""
DIGEST = "sha256:" + "b" * 64


def test_exactly_two_values_change() -> None:
    edited = with_image(TEXT, "k", repository="e.example.com/churn", digest=DIGEST)
    assert edited == TEXT.replace("r.example.com/churn", "e.example.com/churn").replace("sha256:0000", DIGEST)


def test_the_same_edit_twice_changes_nothing() -> None:
    once = with_image(TEXT, "k", repository="e.example.com/churn", digest=DIGEST)
    assert with_image(once, "k", repository="e.example.com/churn", digest=DIGEST) == once
    assert image_of(once, "k").digest == DIGEST


def test_windows_line_ends_stay() -> None:
    text = TEXT.replace("\n", "\r\n")
    assert with_image(text, "k", repository="x", digest=DIGEST) == text.replace(
        "r.example.com/churn", "x"
    ).replace("sha256:0000", DIGEST)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: inference", "name: else", "k:1:1: images has no entry with `name: inference`"),
        ("    digest:   sha256:0000   # the deploy stage's\n", "", "k:9:5: our entry of images has no digest"),
        ("digest:   sha256:0000", "digest: [a]", "k:9:5: our entry of images has no digest"),
        ("digest:   sha256:0000", "digest: a\n    newTag: b", "k:12:13: newTag beside a digest"),
        ("images:", "images: [", "k: is not valid YAML"),
        ("images:", "pictures:", "k:1:1: images has no entry"),
    ],
)
def test_a_damaged_entry_is_named(old: str, new: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        with_image(TEXT.replace(old, new), "k", repository="x", digest=DIGEST)
    assert message in str(refused.value)


def test_a_rendered_overlay_must_run_and_report_the_digest() -> None:
    def rendered(image: str, told: str) -> list[dict[str, object]]:
        server = {"name": "server", "image": image, "env": [{"name": "TAGSHIP_DIGEST", "value": told}]}
        spec = {"template": {"spec": {"containers": [server]}}}
        return [{"kind": "Deployment", "metadata": {"name": "churn-inference"}, "spec": spec}]

    wanted = {"name": "churn-inference", "repository": "r/churn", "digest": DIGEST}
    assert image_problems(rendered(f"r/churn@{DIGEST}", DIGEST), **wanted) == []
    assert "renders the image r/churn:1" in image_problems(rendered("r/churn:1", DIGEST), **wanted)[0]
    assert "the replacement is missing" in image_problems(rendered(f"r/churn@{DIGEST}", "x"), **wanted)[0]
    assert image_problems([], **wanted) == ["renders 0 Deployments called churn-inference, not one"]
