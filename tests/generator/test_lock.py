"""Training locks: what they are made from, when they are stale, and what cannot be locked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from generator.config.model import Model
from generator.config.workspace import load
from generator.errors import GeneratorError, InvalidInput, Unresolvable
from generator.training.lock import BOOSTING, CONVERSION, DEFAULT_MLFLOW, lock_problems, lock_text
from tests.generator import workspaces


@dataclass
class Resolver:
    """Answers with a fixed lock, and remembers what it was asked."""

    asked: list[tuple[str, str, Path]] = field(default_factory=list)
    refusal: str | None = None

    def create(self, *_: object, **__: object) -> Path:
        raise AssertionError("locking makes no environment")

    def compile(
        self,
        requirements: str,
        *,
        python: str,
        platform: str | None = None,
        constraints: str | None = None,
        folder: Path,
        **_: object,
    ) -> str:
        self.asked.append((requirements, python, folder))
        if self.refusal:
            raise Unresolvable(self.refusal)
        return "numpy==2.0.0 \\\n    --hash=sha256:00\n"


def model_with(root: Path, requirements: str | bytes, train: str = "{script: train.py}") -> Model:
    workspaces.write(root, workspaces.model_yaml().replace("{script: train.py}", train))
    raw = requirements if isinstance(requirements, bytes) else requirements.encode()
    (root / "requirements.txt").write_bytes(raw)
    return load(root).models[0]


def locked(root: Path, requirements: str, train: str = "{script: train.py}") -> tuple[Model, Resolver]:
    """A model whose lock is written."""
    model, resolver = model_with(root, requirements, train), Resolver()
    (root / "requirements.lock").write_text(lock_text(model, root, resolver))
    return model, resolver


def messages(model: Model, root: Path) -> list[str]:
    return [str(problem) for problem in lock_problems(model, root)]


@pytest.mark.parametrize(
    "named",
    [
        "mlflow",
        "MLflow>=2,<3",
        "mlflow-skinny",
        "mlflow[extras]==3.1",
        "mlflow ; python_version > '3.9'",
        "Mlflow_Skinny",
    ],
)
def test_mlflow_that_is_named_is_left_alone(tmp_path: Path, named: str) -> None:
    _, resolver = locked(tmp_path, f"pandas\n{named}\n")
    assert DEFAULT_MLFLOW not in resolver.asked[0][0]


@pytest.mark.parametrize("other", ["pandas\n", "mlflow-export-import\n", "# mlflow\n", "-c limits.txt\n"])
def test_mlflow_is_added_where_it_is_not_named_and_the_lock_says_why(tmp_path: Path, other: str) -> None:
    (tmp_path / "limits.txt").write_text("mlflow<3.5\n")
    _, resolver = locked(tmp_path, other)
    assert DEFAULT_MLFLOW in resolver.asked[0][0].splitlines()
    header = (tmp_path / "requirements.lock").read_text().split("\n\n")[0]
    assert DEFAULT_MLFLOW in header
    assert "does not name mlflow" in " ".join(header.replace("#", "").split())


def test_mlflow_in_an_included_file_counts(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("mlflow<3\n")
    _, resolver = locked(tmp_path, "-r base.txt\npandas\n")
    assert DEFAULT_MLFLOW not in resolver.asked[0][0]


def test_header_tells_what_it_is_and_how_to_renew_it(tmp_path: Path) -> None:
    locked(tmp_path, "pandas\n")
    text = (tmp_path / "requirements.lock").read_text()
    assert text.startswith("# Every package that churn is trained with, for Python 3.11, with its hashes.")
    assert "generator lock" in text
    assert str(tmp_path) not in text
    assert text.endswith("\nnumpy==2.0.0 \\\n    --hash=sha256:00\n")


def test_a_fresh_lock_has_no_problems(tmp_path: Path) -> None:
    model, _ = locked(tmp_path, "pandas\n")
    assert messages(model, tmp_path) == []


def test_missing_lock(tmp_path: Path) -> None:
    model = model_with(tmp_path, "pandas\n")
    assert messages(model, tmp_path) == ["requirements.lock: is missing: run `generator lock` and commit it"]


@pytest.mark.parametrize(
    ("before", "after"),
    [("pandas\n", "pandas>=2\n"), ("pandas\n", "pandas\nscipy\n"), ("pandas\n", "-r base.txt\n")],
)
def test_a_lock_is_stale_when_the_requirements_change(tmp_path: Path, before: str, after: str) -> None:
    (tmp_path / "base.txt").write_text("pandas\n")
    model, _ = locked(tmp_path, before)
    (tmp_path / "requirements.txt").write_text(after)
    (found,) = messages(model, tmp_path)
    assert "is stale" in found
    assert "run `generator lock`" in found


def test_a_lock_is_stale_when_an_included_file_changes(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("pandas\n")
    model, _ = locked(tmp_path, "-r base.txt\n-c base.txt\n")
    assert messages(model, tmp_path) == []
    (tmp_path / "base.txt").write_text("pandas<3\n")
    assert "is stale" in messages(model, tmp_path)[0]


def test_a_lock_is_stale_when_python_changes(tmp_path: Path) -> None:
    locked(tmp_path, "pandas\n")
    model = model_with(tmp_path, "pandas\n", '{script: train.py, python: "3.12"}')
    assert "is stale" in messages(model, tmp_path)[0]


def test_line_ends_do_not_make_a_lock_stale(tmp_path: Path) -> None:
    model, _ = locked(tmp_path, "pandas\nscipy\n")
    (tmp_path / "requirements.txt").write_bytes(b"\xef\xbb\xbfpandas  \r\nscipy\r\n")
    assert messages(model, tmp_path) == []


def test_a_lock_by_somebody_else_is_refused(tmp_path: Path) -> None:
    model = model_with(tmp_path, "pandas\n")
    (tmp_path / "requirements.lock").write_text("pandas==2.2.0\n")
    assert messages(model, tmp_path) == [
        "requirements.lock:1:1: was not written by `generator lock`: run `generator lock` and commit it"
    ]


def test_an_inline_list(tmp_path: Path) -> None:
    train = "{script: train.py, requirements: [pandas, mlflow<3]}"
    model, resolver = locked(tmp_path, "", train)
    assert resolver.asked == [("pandas\nmlflow<3\n", "3.11", tmp_path / ".")]
    assert messages(model, tmp_path) == []
    changed = model_with(tmp_path, "", train.replace("pandas", "polars"))
    assert (
        "model.yaml (train.requirements), train.python, train.indexes or serve.runtime has changed"
        in messages(changed, tmp_path)[0]
    )


def test_a_model_among_many_names_itself_in_the_command(tmp_path: Path) -> None:
    workspace = workspaces.write_many(tmp_path, {"churn": "", "demand": ""})
    (found,) = messages(workspace.model("demand"), tmp_path)
    assert (
        found == "models/demand/requirements.lock: is missing: run `generator lock --model demand` and commit it"
    )


def test_includes_are_relative_to_the_file_that_has_them(tmp_path: Path) -> None:
    workspace = workspaces.write_many(tmp_path, {"churn": ""})
    (tmp_path / "common.txt").write_text("mlflow<3\n")
    (tmp_path / "models/churn/requirements.txt").write_text("-r ../../common.txt\n")
    resolver = Resolver()
    lock_text(workspace.models[0], tmp_path, resolver)
    assert resolver.asked == [("-r ../../common.txt\n", "3.11", tmp_path / "models/churn")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-e .", "requirements.txt:2:1: '-e .' is a local package, which has no hash to lock."),
        ("./helpers", "requirements.txt:2:1: './helpers' is a local package"),
        ("../wheels/a.whl", "requirements.txt:2:1: '../wheels/a.whl' is a local package"),
        ("helpers @ file:///srv/helpers", "requirements.txt:2:1: helpers comes from file, which has no hash"),
        ("helpers @ git+https://github.com/acme/helpers", "requirements.txt:2:1: helpers comes from git+https"),
        ("git+https://github.com/acme/helpers", "is no requirement"),
        (
            "--extra-index-url https://pkgs.example.com/simple",
            "--extra-index-url is refused: a lock names no index",
        ),
        ("-i https://pkgs.example.com/simple", "-i is refused"),
        ("--frobnicate", "option '--frobnicate' is not understood"),
        ("pandas=2.0", "'pandas=2.0' is no requirement; write it as name, name==1.2.3"),
        ("-r missing.txt", "requirements.txt:2:1: includes missing.txt, which cannot be read"),
        ("-r ../outside.txt", "requirements.txt:2:1: includes '../outside.txt', which is not in this repository"),
        ("-r https://example.com/r.txt", "includes 'https://example.com/r.txt', which is not in this repository"),
    ],
)
def test_what_cannot_be_locked_is_refused_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    model = model_with(tmp_path, f"# comment\n{line}\n")
    assert said in "\n".join(messages(model, tmp_path))
    with pytest.raises(InvalidInput) as caught:
        lock_text(model, tmp_path, Resolver())
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "pandas==2.2.0 --hash=sha256:00",
        "pandas \\\n  >=2",
        "helpers @ https://example.com/helpers-1.0.zip",
        "--prefer-binary",
        "pandas[aws]>=2 ; sys_platform == 'linux'  # why",
        "--requirement=base.txt",
        "-rbase.txt",
    ],
)
def test_what_can_be_locked(tmp_path: Path, line: str) -> None:
    (tmp_path / "base.txt").write_text("numpy\n")
    model, _ = locked(tmp_path, f"{line}\n")
    assert messages(model, tmp_path) == []


def test_files_that_include_each_other(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("-r requirements.txt\nnumpy\n")
    model, _ = locked(tmp_path, "-r base.txt\n")
    assert messages(model, tmp_path) == []


def test_utf16_as_powershell_writes_it(tmp_path: Path) -> None:
    model = model_with(tmp_path, "pandas\n".encode("utf-16"))
    assert "is not UTF-8 (PowerShell's > writes UTF-16); save it as UTF-8" in messages(model, tmp_path)[0]


def test_missing_requirements(tmp_path: Path) -> None:
    model = model_with(tmp_path, "pandas\n")
    (tmp_path / "requirements.txt").unlink()
    assert "requirements.txt: is missing: list what the script imports in it" in messages(model, tmp_path)[0]


def test_a_contradiction_names_the_file_and_says_whose_mlflow_it_is(tmp_path: Path) -> None:
    model = model_with(tmp_path, "numpy<1.20\n")
    resolver = Resolver(refusal="Because mlflow>=3 depends on numpy>=1.25, your requirements are unsatisfiable.")
    with pytest.raises(GeneratorError) as caught:
        lock_text(model, tmp_path, resolver)
    message = str(caught.value)
    assert message.startswith(
        "requirements.txt: the requirements cannot be locked for Python 3.11: Because mlflow"
    )
    assert "Name a version of mlflow that fits the others." in message


def model_for_onnx(root: Path, requirements: str, runtime: str = "onnx") -> Model:
    (model,) = workspaces.write(root, workspaces.model_yaml(f"serve: {{runtime: {runtime}}}\n")).models
    (root / "requirements.txt").write_text(requirements)
    return model


@pytest.mark.parametrize(
    ("requirements", "added"),
    [
        ("scikit-learn\n", CONVERSION),
        ("mlflow<3\nscikit-learn\n", CONVERSION),
        ("lightgbm\n", (*CONVERSION, BOOSTING)),
        ("XGBoost_CPU>=3\n", (*CONVERSION, BOOSTING)),
    ],
)
def test_converters_are_added_where_the_model_is_to_become_onnx(
    tmp_path: Path, requirements: str, added: tuple[str, ...]
) -> None:
    model, resolver = model_for_onnx(tmp_path, requirements), Resolver()
    (tmp_path / "requirements.lock").write_text(lock_text(model, tmp_path, resolver))
    lines = resolver.asked[0][0].splitlines()
    assert [line for line in lines if "onnx" in line] == list(added)
    header = (tmp_path / "requirements.lock").read_text().split("made-from")[0]
    assert ", ".join(added) in " ".join(header.replace("#", "").split())
    assert messages(model, tmp_path) == []


def test_a_lock_is_stale_when_the_model_is_to_become_onnx_or_no_longer(tmp_path: Path) -> None:
    for before, after in (("auto", "onnx"), ("onnx", "auto")):
        (tmp_path / "requirements.lock").write_text(
            lock_text(model_for_onnx(tmp_path, "scikit-learn\n", before), tmp_path, Resolver())
        )
        assert (
            "serve.runtime has changed" in messages(model_for_onnx(tmp_path, "scikit-learn\n", after), tmp_path)[0]
        )
        assert messages(model_for_onnx(tmp_path, "scikit-learn\n", before), tmp_path) == []


def test_a_contradiction_with_a_converter_says_whose_it_is(tmp_path: Path) -> None:
    model = model_for_onnx(tmp_path, "protobuf<3\n")
    with pytest.raises(GeneratorError, match=r"serve\.runtime: onnx adds them"):
        lock_text(model, tmp_path, Resolver(refusal="Because onnx>=1.16 depends on protobuf>=3.20, …"))
