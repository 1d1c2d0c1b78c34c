"""What is said about a hooks' file without running it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.config.workspace import load
from generator.errors import InvalidInput
from generator.training.hooks_check import hooks_problems
from tests.generator import workspaces

GOLDEN = json.dumps({"request": {"instances": [{"age": 1}]}, "predictions": ["no"]})


def problems(root: Path, code: str | None, hooks: str = "{}", files: dict[str, str] | None = None) -> list[str]:
    (root / "model.yaml").write_text(workspaces.model_yaml(f"serve: {{hooks: {hooks}}}\n"))
    (root / "train.py").write_text("")
    for name, text in {**({} if code is None else {"hooks.py": code}), **(files or {})}.items():
        (root / name).write_text(text)
    return [str(problem) for problem in hooks_problems(load(root).models[0], root)]


@pytest.mark.parametrize(
    "code",
    [
        "def preprocess(frame): return frame",
        "def postprocess(predictions, scale=2): return predictions",
        "def preprocess(*given): return given[0]",
        "from mine import preprocess",
        "preprocess = lambda frame: frame",
        "from collections.abc import Callable\npreprocess: Callable = lambda frame: frame",
        "try:\n    from mine import preprocess\nexcept ImportError:\n    def preprocess(frame): return frame",
        "try:\n    import mine\nexcept ImportError:\n    mine = None\nelse:\n    postprocess = mine.postprocess",
        "import sys\nif sys.version_info > (3, 12):\n    from mine import preprocess",
        "class preprocess:\n    def __new__(cls, frame): return frame",
    ],
)
def test_nothing_is_said_of_hooks_that_can_be_called(tmp_path: Path, code: str) -> None:
    assert problems(tmp_path, code) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def preprocess(frame:", "hooks.py:1:15: is no Python: '(' was never closed"),
        ("x = 1\x00", "hooks.py:1:1: is no Python: source code string cannot contain null bytes"),
        ("def other(frame): ...", "hooks.py:1:1: defines neither preprocess(frame) nor postprocess(predictions)"),
        ("\nasync def preprocess(frame): ...", "hooks.py:2:1: preprocess is async"),
        ("preprocess: object", "hooks.py:1:1: defines neither preprocess(frame) nor postprocess(predictions)"),
        ("if True:\n    def preprocess(): ...", "hooks.py:2:5: preprocess is called with one argument"),
        ("def preprocess(): ...", "hooks.py:1:1: preprocess is called with one argument"),
        ("def postprocess(a, b): ...", "hooks.py:1:1: postprocess is called with one argument"),
        ("def postprocess(a, *, b): ...", "hooks.py:1:1: postprocess is called with one argument"),
    ],
)
def test_hooks_that_cannot_be_called(tmp_path: Path, code: str, expected: str) -> None:
    (found,) = problems(tmp_path, code)
    assert found.startswith(expected)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, None, "{file: other.py}")
    assert found.startswith("model.yaml:") and "the hooks' file other.py is not there" in found
    (tmp_path.parent / "outside.py").write_text("def preprocess(frame): ...")
    (tmp_path / "hooks.py").symlink_to(tmp_path.parent / "outside.py")
    assert "is not there" in problems(tmp_path, None)[0]


def test_an_input_schema_needs_preprocess(tmp_path: Path) -> None:
    code = "def postprocess(predictions): return predictions"
    (found,) = problems(tmp_path, code, "{input: {age: long, city: 'string?'}}")
    assert "nothing makes the model's columns of them" in found
    with pytest.raises(InvalidInput, match="boolean, integer, long"):
        problems(tmp_path, code, "{input: {age: number}}")


@pytest.mark.parametrize(
    ("golden", "expected"),
    [
        (None, "the golden file golden.json is not there"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "must be an object with `request` and `predictions`"),
        ('{"request": {}}', "must be an object with `request` and `predictions`"),
        ('{"request": {}, "predictions": []}', "`predictions` must be a list"),
        (GOLDEN, None),
    ],
)
def test_the_golden_file(tmp_path: Path, golden: str | None, expected: str | None) -> None:
    files = {} if golden is None else {"golden.json": golden}
    found = problems(tmp_path, "def preprocess(frame): ...", "{golden: golden.json}", files)
    assert len(found) == (expected is not None), found
    assert expected is None or expected in found[0]
