"""What is said about a training script without running it, and where nothing may be said."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from generator.config.model import Model
from generator.config.workspace import load
from generator.training.script_check import read_script, script_problems
from tests.generator import workspaces

LOGS = "with mlflow.start_run():\n    mlflow.sklearn.log_model(model, 'model')\n"


def model_of(
    root: Path, script: str, files: dict[str, str] | None = None, train: str = "{script: train.py}"
) -> Model:
    root.mkdir(exist_ok=True)
    (root / "model.yaml").write_text(workspaces.model_yaml().replace("{script: train.py}", train))
    for name, text in {"train.py": script, **(files or {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))
    return load(root).models[0]


def problems(
    root: Path, script: str, files: dict[str, str] | None = None, train: str = "{script: train.py}"
) -> list[str]:
    return [str(problem) for problem in script_problems(model_of(root, script, files, train), root)]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(f"import mlflow\n{LOGS}", id="plain"),
        pytest.param("import mlflow as mf\nmf.sklearn.log_model(model, name='m')\n", id="alias, implicit run"),
        pytest.param(
            "from mlflow import log_metric, sklearn\nlog_metric('a', 1)\nsklearn.log_model(1, 'm')\n", id="from"
        ),
        pytest.param("from mlflow.sklearn import log_model\nlog_model(1, 'm')\n", id="from flavor"),
        pytest.param("import mlflow\nmlflow.autolog()\nfit()\n", id="autolog"),
        pytest.param("import mlflow.xgboost as mx\nmx.autolog()\n", id="flavor's autolog"),
        pytest.param(
            "import mlflow\nmlflow.log_metric('a', 1)\ngetattr(mlflow, flavor).log(model)\n", id="getattr"
        ),
        pytest.param("import importlib\nimportlib.import_module('steps').main()\n", id="importlib"),
        pytest.param("import runpy\nrunpy.run_path('other.py')\n", id="runpy"),
        pytest.param("import subprocess\nsubprocess.run(['python', 'other.py'])\n", id="subprocess"),
        pytest.param("exec(open('other.py').read())\n", id="exec"),
        pytest.param("from acme_training import main\nmain()\n", id="a stranger's package"),
        pytest.param("import lightning\nlightning.Trainer(logger=logger).fit()\n", id="a framework that logs"),
        pytest.param("from mlflow import MlflowClient\nMlflowClient().create_run('0')\n", id="client"),
        pytest.param(
            "import mlflow\nmodel.save('m')\nmlflow.log_artifacts('m')\n", id="saved and logged as files"
        ),
    ],
)
def test_no_false_alarm(tmp_path: Path, script: str) -> None:
    assert problems(tmp_path, script) == []


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "from sklearn.linear_model import Ridge\nRidge().fit(X, y)\n",
            "train.py:1:1: does not import mlflow, so there is no run to find.",
        ),
        ("import xgboost\nxgboost.train({})\n", "mlflow.xgboost.log_model(model, 'model')"),
        ("import torch\ntorch.save(1, 'm')\n", "mlflow.pytorch.log_model(model, 'model')"),
        ("\nimport mlflow\nmlflow.set_experiment('x')\n", "train.py:2:1: starts no MLflow run"),
        (
            "import mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('a', 1)\n",
            "train.py:2:6: logs no model: there is no log_model and no autolog.",
        ),
        ("import mlflow\nx = (\n", "train.py:2:5: is not valid Python: '(' was never closed"),
        ("x = 1\n\x00\n", "train.py:1:1: is not"),
        (
            f"import mlflow\nget_ipython().system('ls')\n{LOGS}",
            "train.py:2:1: get_ipython exists in notebooks only",
        ),
    ],
)
def test_problems(tmp_path: Path, script: str, said: str) -> None:
    found = problems(tmp_path, script)
    assert len(found) == 1
    assert said in found[0]


def test_the_example_names_the_fix(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "import lightgbm\n")
    for line in (
        "import mlflow",
        "with mlflow.start_run():",
        "mlflow.log_metric(",
        "mlflow.lightgbm.log_model(model",
    ):
        assert line in found


def test_a_comment_or_a_text_is_no_call(tmp_path: Path) -> None:
    script = "import mlflow\nwith mlflow.start_run():\n    # mlflow.sklearn.log_model(model, 'model')\n    print('log_model')\n"
    assert "logs no model" in problems(tmp_path, script)[0]


def test_a_guarded_notebook_call_is_fine(tmp_path: Path) -> None:
    script = f"import mlflow\ntry:\n    get_ipython()\nexcept NameError:\n    pass\n{LOGS}"
    assert problems(tmp_path, script) == []


@pytest.mark.parametrize(
    ("script", "files"),
    [
        ("from steps import main\nmain()\n", {"steps.py": f"import mlflow\n{LOGS}"}),
        ("import steps.fit\n", {"steps/__init__.py": "", "steps/fit.py": f"import mlflow\n{LOGS}"}),
        ("from steps import fit\n", {"steps/__init__.py": "", "steps/fit.py": f"import mlflow\n{LOGS}"}),
        (
            "import steps\n",
            {"steps/__init__.py": "from .fit import main", "steps/fit.py": f"import mlflow\n{LOGS}"},
        ),
        (
            "import mlflow\nfrom tracking import log\nlog(1)\n",
            {"tracking.py": "import mlflow\nlog = mlflow.sklearn.log_model"},
        ),
    ],
)
def test_modules_beside_the_script_are_read(tmp_path: Path, script: str, files: dict[str, str]) -> None:
    assert problems(tmp_path / "with", script, files) == []
    without = dict.fromkeys(files, "")
    assert problems(tmp_path / "without", script, without), "the module did not matter"


def test_a_script_in_a_subfolder_imports_from_there_and_from_the_models_folder(tmp_path: Path) -> None:
    files = {"src/train.py": "import near\nimport far\n", "src/near.py": "", "far.py": f"import mlflow\n{LOGS}"}
    assert problems(tmp_path, "", files, "{script: src/train.py}") == []


def test_a_broken_module_has_its_own_place(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "import steps\n", {"steps.py": "def f(:\n"})
    assert found.startswith("steps.py:1:7: is not valid Python")


def test_a_module_that_hides_mlflow(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, f"import mlflow\n{LOGS}", {"mlflow.py": ""})
    assert found == "mlflow.py: hides the package mlflow from the script; rename this file"


def test_newer_syntax_than_ours_is_no_error(tmp_path: Path) -> None:
    """A generic function of Python 3.12, which the Python that runs this may not know."""
    script = f"import mlflow\ndef first[T](items: list[T]) -> T: ...\n{LOGS}"
    assert problems(tmp_path / "new", script, train='{script: train.py, python: "3.13"}') == []
    assert (
        "is not valid Python" in problems(tmp_path / "old", script, train='{script: train.py, python: "3.10"}')[0]
    )


def test_notebook(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "", train="{script: train.ipynb}")
    assert found.startswith("model.yaml:3:17: train.ipynb is a notebook")
    assert "`jupyter nbconvert --to script train.ipynb`" in found
    assert "train.script: train.py" in found


def test_missing_script_names_those_that_are_there(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "", train="{script: fit.py}")
    assert found == "model.yaml:3:17: the training script fit.py is not in this folder; there are: train.py"


def test_a_folder_instead_of_the_script(tmp_path: Path) -> None:
    model = model_of(tmp_path, "")
    (tmp_path / "train.py").unlink()
    (tmp_path / "train.py").mkdir()
    (found,) = script_problems(model, tmp_path)
    assert str(found) == "model.yaml:3:17: train.py is no file; name the training script"


def test_a_script_in_another_encoding(tmp_path: Path) -> None:
    text = f"import mlflow\n# caf\xe9\n{LOGS}"
    model = model_of(tmp_path, "")
    (tmp_path / "train.py").write_bytes(text.encode("latin-1"))
    (found,) = script_problems(model, tmp_path)
    assert str(found) == "train.py:2:1: byte 0xe9 is not UTF-8; save the file as UTF-8"
    (tmp_path / "train.py").write_bytes(f"# coding: latin-1\n{text}".encode("latin-1"))
    assert script_problems(model, tmp_path) == []


def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    model = model_of(root, "")
    (tmp_path / "outside.py").write_text("import mlflow\n")
    (root / "train.py").unlink()
    (root / "train.py").symlink_to("../outside.py")
    assert "leads out of the model's folder" in str(script_problems(model, root)[0])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mlflow.set_tracking_uri('http://mlflow:5000')", ("http://mlflow:5000",)),
        ("mlflow.set_tracking_uri(uri='sqlite:///a.db')", ("sqlite:///a.db",)),
        ("URI = 'http://a'\nmlflow.set_tracking_uri(URI)", ("http://a",)),
        ("mlflow.set_tracking_uri(os.getenv('TRACKING', 'http://b'))", ("http://b",)),
        ("mlflow.set_tracking_uri(os.getenv('MLFLOW_TRACKING_URI', 'http://c'))", ()),
        ("mlflow.set_tracking_uri(os.environ['MLFLOW_TRACKING_URI'])", ()),
        ("os.environ['MLFLOW_TRACKING_URI'] = 'http://d'", ("http://d",)),
        ("os.environ.setdefault('MLFLOW_TRACKING_URI', 'http://e')", ()),
        ("MlflowClient(tracking_uri='http://f')", ("http://f",)),
        ("mlflow.set_tracking_uri(computed())", ()),
    ],
)
def test_tracking_uris_that_stand_in_the_script(tmp_path: Path, line: str, expected: tuple[str, ...]) -> None:
    model = model_of(tmp_path, f"import mlflow, os\n{line}\n{LOGS}")
    script = read_script(model, tmp_path)
    assert script.tracking_uris == expected
    assert script_problems(model, tmp_path) == []


def test_a_computed_tracking_uri_is_known_by_its_line(tmp_path: Path) -> None:
    script = read_script(model_of(tmp_path, "import mlflow\nmlflow.set_tracking_uri(computed())\n"), tmp_path)
    assert [(path, item.what, item.value, item.line) for path, item in script.settings] == [
        ("train.py", "tracking", None, 2)
    ]


def test_an_own_experiment_is_known(tmp_path: Path) -> None:
    script = read_script(model_of(tmp_path, "import mlflow\nmlflow.set_experiment('mine')\n"), tmp_path)
    assert [(item.what, item.value) for _, item in script.settings] == [("experiment", "mine")]
