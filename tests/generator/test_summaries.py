"""What a job's summary says of a failure: which stage, why, and how to go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.cli.output import failure_summarised
from generator.errors import GeneratorError
from generator.plan.pipeline import RESUME, Stage
from tests.generator.repositories import git
from tests.generator.test_cli import generator
from tests.generator.test_promotion import Stages


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def test_a_failed_stage_says_what_why_and_how_to_go_on(tmp_path: Path, summary: Path) -> None:
    scene = Stages(tmp_path)
    git(scene.root, "tag", "v1.0.0")
    done = generator("stage", "deploy", "--release", "v1.0.0", cwd=scene.root, GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 1
    text = summary.read_text()
    assert text.startswith("**deploy** failed:\n\n```text\nno ")
    assert "run `generator stage publish` first" in text
    for line in (RESUME[Stage.DEPLOY].repository, RESUME[Stage.DEPLOY].elsewhere):
        assert f"- {line}" in text


def test_a_tag_that_is_none_is_in_the_summary_too(tmp_path: Path, summary: Path) -> None:
    scene = Stages(tmp_path)
    done = generator(
        "stage", "train", "--release", "refs/heads/main", cwd=scene.root, GITHUB_STEP_SUMMARY=str(summary)
    )
    assert done.returncode == 1
    assert "belongs to no model here" in summary.read_text()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("promote", "production"), "staging was never released"),
        (("rollback", "production", "--reason", "x"), "production was never released"),
    ],
)
def test_a_failed_change_of_an_environment(
    tmp_path: Path, summary: Path, command: tuple[str, ...], why: str
) -> None:
    scene = Stages(tmp_path)
    done = generator(*command, cwd=scene.root, GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 1
    text = summary.read_text()
    assert f"**{command[0]}** failed:" in text
    assert why in text
    assert "re-run the failed job" in text


def test_an_error_ends_no_fence_and_hides_nothing(summary: Path) -> None:
    nasty = "````\n<script>\n```\n![x](https://evil.example)\u202e"
    with pytest.raises(GeneratorError), failure_summarised("train", ("again",)):
        raise GeneratorError(nasty)
    lines = summary.read_text().splitlines()
    (begin, end) = (index for index, line in enumerate(lines) if line.startswith("`````"))
    assert lines[begin + 1 : end] == ["````", "<script>", "```", "![x](https://evil.example)\\u{202e}"]
    assert lines[-2:] == ["- again", ""]


def test_every_stage_says_how_to_go_on_and_before_publishing_nothing_resumes_from_an_image() -> None:
    assert list(RESUME) == list(Stage)
    for stage in (Stage.TRAIN, Stage.GATE, Stage.REGISTER, Stage.PACKAGE):
        assert "generator release" in RESUME[stage].repository
        assert "image that was published" not in RESUME[stage].elsewhere
    for stage in (Stage.PUBLISH, Stage.DEPLOY, Stage.OBSERVE):
        assert "image that was published first" in RESUME[stage].elsewhere
