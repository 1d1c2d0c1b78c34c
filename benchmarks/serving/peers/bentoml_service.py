"""The model behind BentoML, as its documentation shows it. Runs in BentoML's environment.

The variable MODEL names the joblib file.
"""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Plain:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict(rows)


@bentoml.service(workers=1)
class Batching:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api(batchable=True, max_batch_size=8192)  # rows
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict(rows)
