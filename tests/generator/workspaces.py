"""Small repositories to test with: model.yaml texts, and folders that hold them."""

from __future__ import annotations

from pathlib import Path

from generator.config.workspace import Workspace, load

SMALLEST = """\
version: 1
name: churn
train: {script: train.py}
image: {registry: 123456789012.dkr.ecr.eu-north-1.amazonaws.com}
"""
SCRIPT = """\
import mlflow
import mlflow.sklearn
from sklearn.linear_model import LogisticRegression

with mlflow.start_run():
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    mlflow.log_metric("accuracy", 0.9)
    mlflow.sklearn.log_model(model, "model")
"""


def model_yaml(more: str = "", *, name: str = "churn") -> str:
    """The smallest model.yaml, with more keys."""
    return SMALLEST.replace("name: churn", f"name: {name}") + more


def write(root: Path, text: str = SMALLEST) -> Workspace:
    """A root model in `root`, loaded."""
    (root / "model.yaml").write_text(text)
    (root / "train.py").write_text(SCRIPT)
    (root / "requirements.txt").write_text("scikit-learn\n")
    return load(root)


def write_many(root: Path, models: dict[str, str], shared: str = "") -> Workspace:
    """Models in folders of their own under `models/`, loaded."""
    (root / "tagship.yaml").write_text(f"models: [models/*]\n{shared}")
    for name, more in models.items():
        folder = root / "models" / name
        folder.mkdir(parents=True)
        (folder / "model.yaml").write_text(model_yaml(more, name=name))
        (folder / "train.py").write_text(SCRIPT)
        (folder / "requirements.txt").write_text("scikit-learn\n")
    return load(root)
