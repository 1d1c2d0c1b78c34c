"""What several modules serve: a small real model, and a folder for process engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.generator.chat import Chat, listening
from tests.generator.github.server import GitHubServer, serving


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.tree import DecisionTreeClassifier

    folder = tmp_path_factory.mktemp("model") / "model"
    rows = pd.DataFrame({"a": [0.0, 0.0, 1.0, 1.0], "b": [0.0, 1.0, 0.0, 1.0]})
    tree = DecisionTreeClassifier(random_state=0).fit(rows, [0, 1, 2, 3])
    mlflow.sklearn.save_model(
        tree, folder, signature=infer_signature(rows, tree.predict(rows)), pip_requirements=["scikit-learn"]
    )
    return folder


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all, so that what the server imports is compiled once."""
    return tmp_path_factory.mktemp("engine")


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    """GitHub's REST API, by its own description. What violates it, on either side, fails the test."""
    with serving(GitHubServer()) as server:
        yield server
    assert not server.violations, "\n".join(server.violations)


@pytest.fixture
def chat() -> Iterator[Chat]:
    with listening() as told:
        yield told
