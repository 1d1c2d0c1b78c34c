"""Native runtimes: how models are stored, what each refuses, and which models stay with MLflow's pyfunc."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xgboost
import yaml
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import NMF
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from inference import runtimes
from inference.prediction.model import describe
from inference.requests import batch
from inference.requests.batch import Rules
from inference.requests.tables import Matrix, Table
from inference.runtimes import sklearn as sklearn_runtime
from inference.runtimes.base import Runtime, Unfit
from inference.schema import Column
from inference.schema import Schema as Columns
from tests.environments import environment
from tests.inference.estimators import DIRECT, FRAME, NAMES, SIGNATURE, WIDTH, YES
from tests.inference.models import CORNERS, Chatty, Moody, Weigh
from tests.inference.test_runtimes_rows import SCHEMA, native, package, same

FEW = FRAME.to_numpy()[:50]


def load(folder: Path, wanted: str = "auto") -> Runtime:
    return runtimes.load(folder, describe(folder).mlmodel, wanted)


def rows(values: Any = FEW) -> Table:
    return Table(SCHEMA, len(values), block=np.asarray(values, dtype=np.float64))


def save(raw: Any, path: Path, **options: Any) -> Path:
    flavor: Any = {"xgboost": mlflow.xgboost, "lightgbm": mlflow.lightgbm}.get(package(raw), mlflow.sklearn)
    options = {"signature": SIGNATURE, "pip_requirements": []} | options
    flavor.save_model(raw, path, **options)
    return path


@pytest.mark.parametrize("form", ["pickle", "cloudpickle", "skops"])
@pytest.mark.parametrize("family", ["forest, strings", "scaled logistic regression", "lightgbm, two classes"])
def test_each_way_to_store_an_estimator(family: str, form: str, tmp_path: Path) -> None:
    raw = DIRECT[family]()
    trusted = None
    if form == "skops":
        import skops.io

        trusted = skops.io.get_untrusted_types(data=skops.io.dumps(raw))
    path = save(raw, tmp_path / "model", serialization_format=form, skops_trusted_types=trusted)
    found = load(path)
    assert found.name == package(raw)
    answer = found.ask(rows(), probabilities=True)
    same(answer.predictions, raw.predict(FRAME[:50]), form)
    same(answer.probabilities, raw.predict_proba(FRAME[:50]), form)
    assert found.columns() == (NAMES, WIDTH)


@pytest.mark.parametrize("family", ["xgboost, two classes", "xgboost booster", "lightgbm booster"])
@pytest.mark.parametrize("form", ["ubj", "json"])
def test_boosters_as_mlflow_stores_them(family: str, form: str, tmp_path: Path) -> None:
    raw = DIRECT[family]()
    path = save(raw, tmp_path / "model", **({"model_format": form} if package(raw) == "xgboost" else {}))
    expected = mlflow.pyfunc.load_model(str(path)).predict(FRAME[:50])
    same(load(path).ask(rows()).predictions, expected, form)


SAVE = """
import sys
import mlflow.sklearn, pandas as pd
from sklearn.ensemble import RandomForestClassifier
from mlflow.models import infer_signature
frame = pd.DataFrame({"a": [0.0, 1.0] * 20, "b": [0.5, 2.0, 3.0, 4.0] * 10})
model = RandomForestClassifier(5, random_state=0).fit(frame, ["no", "yes"] * 20)
mlflow.sklearn.save_model(model, sys.argv[1], signature=infer_signature(frame), pip_requirements=[])
"""


@pytest.mark.parametrize("name", ["mlflow2", "mlflow3"])
def test_models_of_mlflow_2_and_3(name: str, tmp_path: Path) -> None:
    arguments = [str(environment(name)), "-c", SAVE, str(tmp_path / "model")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    mlmodel = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())
    assert mlmodel["mlflow_version"].startswith(name.removeprefix("mlflow"))
    found = load(tmp_path / "model")
    columns = Columns(columns=(Column("a", "a", "double"), Column("b", "b", "double")), width=2)
    answer = found.ask(Table(columns, 2, block=np.array([[0.0, 0.5], [1.0, 2.0]])), probabilities=True)
    assert (found.name, answer.predictions.tolist()) == ("sklearn", ["no", "yes"])
    assert found.classes == ["no", "yes"]


CODE = """
from sklearn.linear_model import LinearRegression

class Twice(LinearRegression):
    def predict(self, x):
        return 2 * super().predict(x)
"""


def test_code_that_was_logged_with_the_model_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop_twice.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    import shop_twice  # type: ignore[import-not-found]

    raw = shop_twice.Twice().fit(FRAME, FRAME["x0"])
    expected = raw.predict(FRAME[:50])
    options = {"code_paths": [str(tmp_path / "shop_twice.py")], "serialization_format": "pickle"}
    path = save(raw, tmp_path / "model", **options)
    (tmp_path / "shop_twice.py").unlink()
    del sys.modules["shop_twice"]
    sys.path.remove(str(tmp_path))

    found = load(path)

    assert (found.name, found.independent) == ("sklearn", False)
    same(found.ask(rows()).predictions, expected, "twice")


@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba"])
def test_the_method_that_pyfunc_calls(method: str, tmp_path: Path) -> None:
    path = save(DIRECT["forest, strings"](), tmp_path / "model", pyfunc_predict_fn=method)
    mine, theirs = load(path), load(path, "pyfunc")
    assert (mine.name, theirs.name) == ("sklearn", "pyfunc")
    same(mine.ask(rows()).predictions, theirs.ask(rows()).predictions, method)


PARAMS = ModelSignature(SIGNATURE.inputs, params=ParamSchema([ParamSpec("output_margin", "boolean", False)]))


def _custom(path: Path) -> None:
    mlflow.pyfunc.save_model(path, python_model=Moody(), pip_requirements=[])


def _scores(path: Path) -> None:
    save(DIRECT["linear regression"](), path, pyfunc_predict_fn="score")


def _with_params(path: Path) -> None:
    save(DIRECT["xgboost, two classes"](), path, signature=PARAMS)


class Shouting(xgboost.XGBClassifier):
    def predict(self, *args: Any, **options: Any) -> Any:
        return super().predict(*args, **options) + 100


def _own_class(path: Path) -> None:
    raw = Shouting(n_estimators=2).fit(FRAME, YES == "yes")
    mlflow.xgboost.save_model(raw, path, signature=SIGNATURE, pip_requirements=[])


def _no_estimator_file(path: Path) -> None:
    save(DIRECT["linear regression"](), path)
    mlmodel = yaml.safe_load((path / "MLmodel").read_text())
    mlmodel["flavors"]["sklearn"]["serialization_format"] = "dill"
    (path / "MLmodel").write_text(yaml.safe_dump(mlmodel))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_custom, "no native runtime for this flavor"),
        (_scores, "scores"),
        (_with_params, "params"),
        (_own_class, "no class of XGBoost's"),
        (_no_estimator_file, "'dill' is unknown"),
    ],
)
def test_what_stays_with_pyfunc(make: Callable[[Path], None], reason: str, tmp_path: Path) -> None:
    make(tmp_path / "model")
    with pytest.raises(Unfit, match=reason):
        runtimes.native(tmp_path / "model", describe(tmp_path / "model").mlmodel)


def test_pickles_that_mlflow_would_not_open_stay_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(DIRECT["linear regression"](), tmp_path / "model")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    with pytest.raises(Unfit, match="forbids pickles"):
        runtimes.native(path, describe(path).mlmodel)


ODD: dict[str, Any] = {
    "a gap": np.nan,
    "infinity": np.inf,
    "too large for 32 bits": 1e300,
    "the largest of 32 bits": 3.4028234e38,
}


def outcome(ask: Callable[[], Any]) -> tuple[Any, str | None]:
    """What came of it: the answer, or the refusal's first line."""
    try:
        return ask(), None
    except Exception as error:  # noqa: BLE001 - whatever it is
        return None, str(error).splitlines()[0]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("family", DIRECT)
def test_odd_values_are_taken_or_refused_as_by_the_library_itself(family: str, value: str) -> None:
    raw = DIRECT[family]()
    runtime = native(raw)
    odd = FEW[:3].copy()
    odd[1, 2] = ODD[value]
    frame = pd.DataFrame(odd, columns=NAMES)

    def ask() -> Any:
        return raw.predict(xgboost.DMatrix(frame) if isinstance(raw, xgboost.Booster) else frame)

    with np.errstate(all="ignore"):
        (expected, reason), (answer, mine) = outcome(ask), outcome(lambda: runtime.ask(rows(odd)).predictions)
    if reason and family == "xgboost booster":
        assert ("inf" in reason, mine) == (
            True,
            "the model refuses this input: infinity or a value too large for float32",
        )
        return
    assert mine == reason
    if reason is None:
        equal = (
            partial(np.allclose, rtol=1e-12, atol=0, equal_nan=True)
            if expected.dtype.kind == "f"
            else np.array_equal
        )
        assert equal(answer, expected)


def test_other_columns_than_the_models_are_refused_as_by_the_library_itself() -> None:
    raw = DIRECT["forest, strings"]()
    runtime = native(raw)
    for names in (NAMES[::-1], NAMES[:3], [*NAMES, "more"]):
        columns = Columns(columns=tuple(Column(name, name, "double") for name in names), width=len(names))
        frame = pd.DataFrame(np.ones((2, len(names))), columns=names)
        _, reason = outcome(lambda frame=frame: raw.predict(frame))
        table = Table(columns, 2, block=frame.to_numpy())
        _, mine = outcome(lambda table=table: runtime.ask(table))
        assert reason is not None
        assert mine == reason
    _, mine = outcome(lambda: runtime.ask(Matrix(np.ones((2, 3)), 2)))
    assert mine == "X has 3 features, but RandomForestClassifier is expecting 6 features as input."


def test_gaps_that_a_forest_was_trained_with() -> None:
    drawn = np.random.default_rng(3)
    holes = FRAME.mask(drawn.random(FRAME.shape) < 0.2)
    raw = RandomForestClassifier(10, random_state=0).fit(holes, YES)
    runtime = native(raw)
    for count in (1, 4, 100, 400):
        answer = runtime.ask(rows(holes.to_numpy()[:count]), probabilities=True)
        same(answer.predictions, raw.predict(holes[:count]), f"{count} rows")
        same(answer.probabilities, raw.predict_proba(holes[:count]), f"{count} rows")


def test_float_columns_keep_their_32_bits() -> None:
    columns = Columns(columns=tuple(Column(name, name, "float") for name in NAMES), width=WIDTH)
    single = FEW.astype(np.float32)
    for family in ("scaled logistic regression", "linear regression", "lightgbm booster", "xgboost booster"):
        raw = DIRECT[family]()
        frame = pd.DataFrame(single, columns=NAMES)
        expected = raw.predict(xgboost.DMatrix(frame) if isinstance(raw, xgboost.Booster) else frame)
        same(native(raw).ask(Table(columns, len(single), block=single)).predictions, expected, family)


def test_words_and_numbers_go_to_the_model_as_a_frame(tmp_path: Path) -> None:
    frame = pd.DataFrame({"colour": ["red", "blue"] * 10, "n": np.arange(20.0)})
    steps = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    raw = make_pipeline(steps, LogisticRegression()).fit(frame, ["r", "b"] * 10)
    signature = ModelSignature(Schema([ColSpec("string", "colour"), ColSpec("double", "n")]))
    path = save(raw, tmp_path / "model", signature=signature)
    found, schema = load(path), describe(path).schema
    assert schema is not None
    assert (found.name, found.independent) == ("sklearn", True)
    table = batch.from_columns(schema, {"n": [1, 2], "colour": ["red", "blue"]}, Rules(version=""))
    assert found.ask(table).predictions.tolist() == ["r", "b"]
    unknown = batch.from_columns(schema, {"n": [1], "colour": ["green"]}, Rules(version=""))
    with pytest.raises(ValueError, match="unknown categories"):
        found.ask(unknown)


def _scaled_at_once() -> Any:
    step = FunctionTransformer(scipy.stats.zscore)
    return make_pipeline(step, LinearRegression()).fit(FRAME, FRAME["x0"])


INDEPENDENT: list[tuple[str, Callable[[], Any], bool]] = [
    ("of each element alone", lambda: make_pipeline(FunctionTransformer(np.tanh), KMeans(2)).fit(FRAME), True),
    ("nearest by trees", lambda: KNeighborsClassifier(algorithm="kd_tree").fit(FRAME, YES), True),
    ("nearest by products", lambda: KNeighborsClassifier(algorithm="brute").fit(FRAME, YES), False),
    ("of whole columns", _scaled_at_once, False),
    ("random answers", lambda: DummyClassifier(strategy="stratified", random_state=0).fit(FRAME, YES), False),
    ("fixed answers", lambda: DummyClassifier().fit(FRAME, YES), True),
    ("fitted to all rows", lambda: make_pipeline(NMF(2), LogisticRegression()).fit(FRAME.abs(), YES), False),
    ("a class of one's own", lambda: Weigh().fit(CORNERS), False),
    ("a step of one's own", lambda: make_pipeline(StandardScaler(), Chatty()).fit(FRAME, YES), False),
    ("a function of one's own", lambda: KNeighborsClassifier(metric=lambda a, b: 1.0).fit(FRAME, YES), False),
    ("boosted, scaled", lambda: make_pipeline(StandardScaler(), lightgbm.LGBMClassifier()).fit(FRAME, YES), True),
]


@pytest.mark.parametrize(("make", "expected"), [pytest.param(*rest, id=name) for name, *rest in INDEPENDENT])
def test_whether_rows_may_share_a_call(make: Callable[[], Any], expected: bool) -> None:
    assert sklearn_runtime.of(make()).independent is expected


def test_a_step_that_works_in_place_works_once() -> None:
    raw = make_pipeline(StandardScaler(copy=False), LogisticRegression()).fit(FEW.copy() * 9, YES[:50])
    runtime, given = sklearn_runtime.of(raw), rows(FEW.copy())
    found = runtime.ask(given, probabilities=True)
    same(found.probabilities, raw.predict_proba(FEW.copy()), "probabilities")
    same(found.predictions, raw.predict(FEW.copy()), "labels")
    assert given.block is not None
    assert np.array_equal(given.block, FEW)


def test_a_changed_predict_is_called() -> None:
    """Whether it is a class of one's own, or the estimator itself that was changed."""

    class Other(DecisionTreeClassifier):
        def predict(self, x: Any, check_input: bool = True) -> Any:
            return np.array(["mine"] * len(x))

    changed = DecisionTreeClassifier().fit(FRAME, YES)
    changed.predict = lambda x: np.array(["mine"] * len(x))
    for raw in (Other().fit(FRAME, YES), changed):
        runtime = sklearn_runtime.of(raw)
        assert not runtime.is_direct
        assert set(runtime.ask(rows()).predictions) == {"mine"}


def test_a_way_that_is_not_bit_for_bit_the_estimators_own_is_not_taken() -> None:
    raw = DIRECT["linear regression"]()
    type_of = type("Rounded", (LinearRegression,), {"predict": lambda self, x: np.round(x @ self.coef_)})
    type_of.__module__ = "sklearn.linear_model._base"  # as if a later version did something else
    raw.__class__ = type_of
    runtime = sklearn_runtime.of(raw)
    assert not runtime.is_direct
    same(runtime.ask(rows()).predictions, np.round(FEW @ raw.coef_), "rounded")


WITHOUT = """
import sys
from pathlib import Path
import numpy as np
from inference import runtimes
from inference.prediction.model import describe
from inference.requests.tables import Table
described = describe(Path(sys.argv[1]))
runtime = runtimes.load(described.folder, described.mlmodel)
answer = runtime.ask(Table(described.schema, 2, block=np.ones((2, 6))), probabilities=True)
print(runtime.name, len(answer.predictions), len(answer.probabilities), *sorted({name.split(".")[0] for name in sys.modules}))
"""


def imported(path: Path) -> tuple[list[str], set[str]]:
    """What a fresh process says after a prediction, and the packages that it imported for that."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(path)], capture_output=True, text=True, check=False, cwd=Path.cwd()
    )
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    return words[:3], set(words[3:])


@pytest.mark.parametrize("family", ["forest, strings", "xgboost, two classes", "lightgbm, two classes"])
def test_a_native_runtime_imports_neither_mlflow_nor_a_server(family: str, tmp_path: Path) -> None:
    raw = DIRECT[family]()
    said, packages = imported(save(raw, tmp_path / "model"))
    assert said == [package(raw), "2", "2"]
    assert package(raw) in packages
    assert not packages & {"mlflow", "mlflow_skinny", "skl2onnx", "onnx", "fastapi"}
    if package(raw) == "sklearn":
        assert "pandas" not in packages, "a third of a second, and 30 MB"


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"OMP_NUM_THREADS": "4"}, "4")])
def test_a_call_takes_one_thread_unless_somebody_wants_more(
    given: dict[str, str], expected: str, saved: Callable[[str], Path]
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-m", "inference", "replay"],
        input='{"request": {"instances": [[1, 2]]}}',
        env=environment | given | {"TAGSHIP_MODEL": str(saved("threads"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predictions"] == [[expected, "1", "1"]]
