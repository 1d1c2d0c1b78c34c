"""Estimators of each family that has a native runtime, small and fitted, for tests of those runtimes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier

WIDTH = 6
NAMES = [f"x{at}" for at in range(WIDTH)]
SIGNATURE = ModelSignature(Schema([ColSpec("double", name) for name in NAMES]))
DRAWN = np.random.default_rng(7)
FRAME = pd.DataFrame(DRAWN.normal(size=(400, WIDTH)), columns=NAMES)
SCORE = FRAME["x0"] * 2 + FRAME["x1"] * FRAME["x2"] + DRAWN.normal(size=400) / 3

NUMBER = SCORE.to_numpy()
BOTH = np.column_stack([NUMBER, NUMBER**2])
YES = np.where(SCORE > 0, "yes", "no")
THREE = np.select([SCORE < -1, SCORE > 1], ["low", "a great deal"], "middle")
WHOLE = np.select([SCORE < -1, SCORE > 1], [-5, 70], 3)
TRUE = (SCORE > 0).to_numpy()
LABELS = np.column_stack([YES, THREE])
RANK = np.select([SCORE < -1, SCORE > 1], [0, 2], 1)


def _forest(kind: Any, target: Any, **options: Any) -> Callable[[], Any]:
    return lambda: kind(n_estimators=12, max_depth=8, random_state=0, n_jobs=2, **options).fit(FRAME, target)


def _fit(estimator: Any, target: Any) -> Callable[[], Any]:
    return lambda: copy.deepcopy(estimator).fit(FRAME, target)  # a test may change what it gets


def _with_gaps() -> Any:
    holes = FRAME.mask(DRAWN.random(FRAME.shape) < 0.1)
    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(holes, YES)


DIRECT: dict[str, Callable[[], Any]] = {
    "forest, strings": _forest(RandomForestClassifier, THREE),
    "forest, whole numbers": _forest(RandomForestClassifier, WHOLE),
    "forest, booleans": _forest(RandomForestClassifier, TRUE),
    "forest, several labels": _forest(RandomForestClassifier, LABELS),
    "forest, numbers": _forest(RandomForestRegressor, NUMBER),
    "forest, several numbers": _forest(RandomForestRegressor, BOTH),
    "extra trees, strings": _forest(ExtraTreesClassifier, YES),
    "extra trees, numbers": _forest(ExtraTreesRegressor, NUMBER),
    "tree, strings": _fit(DecisionTreeClassifier(max_depth=8, random_state=0), THREE),
    "tree, several labels": _fit(DecisionTreeClassifier(max_depth=8, random_state=0), LABELS),
    "tree, numbers": _fit(DecisionTreeRegressor(max_depth=8, random_state=0), NUMBER),
    "extra tree, strings": _fit(ExtraTreeClassifier(max_depth=8, random_state=0), YES),
    "logistic regression, two classes": _fit(LogisticRegression(), YES),
    "logistic regression, three classes": _fit(LogisticRegression(), THREE),
    "ridge classifier": _fit(RidgeClassifier(), THREE),
    "linear support vectors": _fit(LinearSVC(random_state=0), WHOLE),
    "gradient descent, two classes": _fit(SGDClassifier(loss="log_loss", random_state=0), TRUE),
    "gradient descent, three classes": _fit(SGDClassifier(loss="log_loss", random_state=0), THREE),
    "gradient descent, numbers": _fit(SGDRegressor(random_state=0), NUMBER),
    "linear regression": _fit(LinearRegression(), NUMBER),
    "linear regression, several numbers": _fit(LinearRegression(), BOTH),
    "ridge": _fit(Ridge(), BOTH),
    "lasso": _fit(Lasso(0.1), NUMBER),
    "elastic net": _fit(ElasticNet(0.1), NUMBER),
    "scaled logistic regression": _fit(make_pipeline(StandardScaler(), LogisticRegression()), THREE),
    "scaled forest": _fit(
        make_pipeline(MinMaxScaler(), RandomForestClassifier(12, max_depth=8, random_state=0)), YES
    ),
    "twice scaled ridge": _fit(make_pipeline(RobustScaler(), MaxAbsScaler(), Ridge()), NUMBER),
    "filled and scaled logistic regression": _with_gaps,
    "searched logistic regression": _fit(GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2), YES),
    "xgboost, two classes": _fit(xgboost.XGBClassifier(n_estimators=8, n_jobs=2), TRUE.astype(int)),
    "xgboost, three classes": _fit(xgboost.XGBClassifier(n_estimators=8), RANK),
    "xgboost, numbers": _fit(xgboost.XGBRegressor(n_estimators=8), NUMBER),
    "xgboost, several numbers": _fit(xgboost.XGBRegressor(n_estimators=8), BOTH),
    "xgboost booster": lambda: xgboost.XGBClassifier(n_estimators=8).fit(FRAME, RANK).get_booster(),
    "lightgbm, two classes": _fit(lightgbm.LGBMClassifier(n_estimators=8, n_jobs=2, verbose=-1), YES),
    "lightgbm, three classes": _fit(lightgbm.LGBMClassifier(n_estimators=8, verbose=-1), THREE),
    "lightgbm, numbers": _fit(lightgbm.LGBMRegressor(n_estimators=8, verbose=-1), NUMBER),
    "lightgbm booster": lambda: lightgbm.LGBMClassifier(n_estimators=8, verbose=-1).fit(FRAME, YES).booster_,
}
"""Those with a direct way."""

OWN: dict[str, Callable[[], Any]] = {
    "gradient boosting": _fit(GradientBoostingClassifier(n_estimators=8, random_state=0), THREE),
    "histogram boosting": _fit(HistGradientBoostingRegressor(max_iter=8, random_state=0), NUMBER),
    "logistic regression, balanced by hand": _fit(SGDClassifier(loss="modified_huber", random_state=0), YES),
}
"""Those that the library's own code answers, on arrays."""
