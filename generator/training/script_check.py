"""Reads a training script without running it, and says what would keep its model from being found.

It looks into the modules beside the script too, and stays silent wherever it cannot know: code that is
made at run time, or a package of strangers that may talk to MLflow by itself.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import decode_source
from pathlib import Path, PurePosixPath

from generator.config.model import Model
from generator.config.places import config_problem
from generator.errors import Problem
from generator.training.script_names import Import, Names, Setting, names_in

MOST_FILES = 200
MOST_BYTES = 2 * 2**20
# Packages that do not log to MLflow by themselves; with any other one imported, nothing is claimed missing.
_PLAIN = {
    *("numpy", "pandas", "scipy", "sklearn", "xgboost", "lightgbm", "catboost", "statsmodels", "torch"),
    *("torchvision", "tensorflow", "keras", "onnx", "onnxruntime", "skl2onnx", "joblib", "cloudpickle", "skops"),
    *("matplotlib", "seaborn", "plotly", "polars", "pyarrow", "duckdb", "sqlalchemy", "psycopg2", "psycopg"),
    *("boto3", "botocore", "s3fs", "fsspec", "requests", "httpx", "yaml", "tqdm", "dotenv", "click", "typer"),
    *("nltk", "spacy", "gensim", "imblearn", "category_encoders", "shap", "PIL", "cv2", "networkx", "rich"),
}
_LOGS = frozenset(
    (
        *("start_run", "create_run", "autolog", "evaluate", "MlflowClient", "register_model", "save_model"),
        *("log_model", "log_models", "log_metric", "log_metrics", "log_param", "log_params", "log_batch"),
        *("log_artifact", "log_artifacts", "log_dict", "log_text", "log_figure", "log_image", "log_table"),
        *("log_input", "log_inputs", "set_tag", "set_tags"),
    )
)
_KEEPS_MODEL = frozenset(
    (
        *("log_model", "autolog", "log_artifact", "log_artifacts", "register_model", "create_logged_model"),
        *("initialize_logged_model", "create_model_version", "MlflowClient"),
    )
)
_RUNS_OTHERS = {"importlib", "runpy", "subprocess"}
_FLAVORS = {
    **{name: name for name in ("sklearn", "xgboost", "lightgbm", "catboost", "statsmodels", "spacy", "onnx")},
    "torch": "pytorch",
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
}


@dataclass
class Script:
    """A script and the modules beside it that it imports, by their paths from the repository's root."""

    path: str
    files: dict[str, Names] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)  # imported packages that are not beside it
    unread: bool = False  # not everything that belongs to it could be read

    @property
    def settings(self) -> list[tuple[str, Setting]]:
        """Where it sets its own tracking URI or experiment: no problem, but good to know when no run is found."""
        return [(path, setting) for path, names in self.files.items() for setting in names.settings]

    @property
    def tracking_uris(self) -> tuple[str, ...]:
        """The tracking URIs that stand in it as texts."""
        uris = [item.value for _, item in self.settings if item.what == "tracking" and item.value]
        return tuple(dict.fromkeys(uris))

    def first(self, names: frozenset[str]) -> tuple[str, int, int] | None:
        """The first place where one of `names` is used, the script's own before its modules'."""
        for path, found in self.files.items():
            if (place := found.first(names)) is not None:
                return path, *place
        return None

    @property
    def knowable(self) -> bool:
        """Whether what is not in these files is not there at all."""
        dynamic = any(names.runs_other_code for names in self.files.values())
        return not dynamic and not self.unread and not self.strangers - _PLAIN - {"mlflow", "mlflow_skinny"}


def script_problems(model: Model, root: Path) -> list[Problem]:
    """All problems of the script, each with its place and an example of the fix."""
    if (problem := _unusable(model, root)) is not None:
        return [problem]
    script = read_script(model, root)
    return script.problems + ([] if script.problems else _missing(script))


def _unusable(model: Model, root: Path) -> Problem | None:
    """Why there is nothing to read."""
    given = model.config.train.script
    path = root / model.path(given)
    if given.endswith(".ipynb"):
        converted = PurePosixPath(given).with_suffix(".py")
        message = (
            f"{given} is a notebook, which cannot be run as it is: convert it with "
            f"`jupyter nbconvert --to script {_shell(model.path(given))}`, commit the result and set "
            f"train.script: {converted}"
        )
        return config_problem(model, root, ("train", "script"), message)
    if path.exists() and not path.is_file():
        return config_problem(model, root, ("train", "script"), f"{given} is no file; name the training script")
    if not path.is_file():
        here = sorted(item.name for item in (root / model.folder).glob("*.py"))[:5]
        hint = f"there are: {', '.join(here)}" if here else "add it, or name another"
        message = (
            f"the training script {given} is not in {'this folder' if model.at_root else model.folder}; {hint}"
        )
        return config_problem(model, root, ("train", "script"), message)
    if not path.resolve().is_relative_to((root / model.folder).resolve()):
        message = f"{given} is a link that leads out of the model's folder; put the script itself there"
        return config_problem(model, root, ("train", "script"), message)
    return None


def _shell(path: str) -> str:
    return f"'{path}'" if " " in path else path


def read_script(model: Model, root: Path) -> Script:
    """The script of `model` with the modules beside it. Problems that keep a file from being read are in it."""
    path = model.path(model.config.train.script)
    script = Script(path)
    folders = list(dict.fromkeys((str(PurePosixPath(path).parent), model.folder)))
    version = tuple(int(part) for part in model.config.train.python.split("."))
    queue = [path]
    while queue:
        current = queue.pop(0)
        if current in script.files or len(script.files) >= MOST_FILES:
            script.unread |= current not in script.files
            continue
        names = _parse(script, root, current, (version[0], version[1]))
        script.files[current] = names
        for item in names.imports:
            local = [*_local(root, folders, current, item)]
            queue += local
            if not local and item.level == 0 and item.top not in sys.stdlib_module_names:
                script.strangers.add(item.top)
            script.unread |= item.top in _RUNS_OTHERS
    return script


def _local(root: Path, folders: list[str], current: str, item: Import) -> Iterator[str]:
    """The files of the repository that an import reads: packages on the way, the module, submodules."""
    if item.level:
        base = PurePosixPath(current).parent
        for _ in range(item.level - 1):
            base = base.parent
        bases = [base]
    else:
        bases = [PurePosixPath(folder) for folder in folders]
    parts = item.module.split(".") if item.module else []
    for base in bases:
        ways = [base.joinpath(*parts[: end + 1]) for end in range(len(parts))]
        ways += [base.joinpath(*parts, name) for name in item.names]
        found = [file for way in ways if (file := _module(root, way)) is not None]
        if found:
            yield from found
            return


def _module(root: Path, way: PurePosixPath) -> str | None:
    for file in (way / "__init__.py", way.with_name(f"{way.name}.py")):
        if ".." not in file.parts and (root / file).is_file():
            return str(file)
    return None


def _parse(script: Script, root: Path, path: str, version: tuple[int, int]) -> Names:
    newer = version > sys.version_info[:2]  # its syntax may be one that we do not know yet
    try:
        raw = (root / path).read_bytes()
        if len(raw) > MOST_BYTES:
            raise MemoryError
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            decode_source(raw)  # as Python does: ast lets wrong bytes in comments pass
            tree = ast.parse(raw, path, feature_version=None if newer else version)
        names = names_in(tree)
    except (SyntaxError, ValueError) as error:
        script.unread = True
        if not newer:
            script.problems.append(_syntax_problem(path, error))
        return Names()
    except (OSError, MemoryError, RecursionError):
        script.unread = True
        return Names()
    script.problems += [Problem(path, *where, _NOTEBOOK_CALL) for where in names.notebook_calls]
    if PurePosixPath(path).name == "mlflow.py":
        script.problems.append(Problem(path, 0, 0, "hides the package mlflow from the script; rename this file"))
    return names


def _syntax_problem(path: str, error: SyntaxError | ValueError) -> Problem:
    if isinstance(error, UnicodeDecodeError):
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = f"0x{error.object[error.start]:02x}"
        return Problem(path, line, 1, f"byte {byte} is not {error.encoding.upper()}; save the file as UTF-8")
    if not isinstance(error, SyntaxError):
        return Problem(path, 1, 1, f"is not Python: {error}")
    return Problem(path, error.lineno or 1, max(error.offset or 1, 1), f"is not valid Python: {error.msg}")


_NOTEBOOK_CALL = (
    "get_ipython exists in notebooks only: remove this line; what it installs belongs into the requirements"
)


def _missing(script: Script) -> list[Problem]:
    """What a script needs for its model to be found, where it is certain that it is not there."""
    if not script.knowable:
        return []
    flavor = next((_FLAVORS[name] for name in sorted(script.strangers) if name in _FLAVORS), "sklearn")
    imported = [item for names in script.files.values() for item in names.imports if item.top == "mlflow"]
    if not imported:
        message = "does not import mlflow, so there is no run to find. Log the model, for example:"
        return [Problem(script.path, 1, 1, f"{message}\n{_example(flavor)}")]
    own = [item for item in script.files[script.path].imports if item.top == "mlflow"]
    line, column = (own[0].line, own[0].column) if own else (1, 1)
    if script.first(_LOGS) is None:
        message = "starts no MLflow run: no start_run, no autolog, and nothing is logged. For example:"
        return [Problem(script.path, line, column, f"{message}\n{_example(flavor)}")]
    if script.first(_KEEPS_MODEL) is None:
        path, line, column = script.first(_LOGS) or (script.path, line, column)
        message = "logs no model: there is no log_model and no autolog. Inside the run, add:"
        return [Problem(path, line, column, f"{message}\n    mlflow.{flavor}.log_model(model, 'model')")]
    return []


def _example(flavor: str) -> str:
    return (
        "    import mlflow\n\n"
        "    with mlflow.start_run():\n"
        "        model.fit(X_train, y_train)\n"
        "        mlflow.log_metric('accuracy', model.score(X_test, y_test))\n"
        f"        mlflow.{flavor}.log_model(model, 'model')"
    )
