"""The workspaces whose workflows are tested: by name, the model.yaml that makes each of them special."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from generator.config.workspace import Workspace, load
from generator.plan.workflows import plan_workflows
from generator.render import text_of
from generator.yamlio import parse
from tests.generator.workspaces import SMALLEST, model_yaml, write, write_many

GIT_INSTALL = "git+https://github.com/acme/tagship@0123456789abcdef0123456789abcdef01234567"
TRAINING_ROLE = "arn:aws:iam::123456789012:role/churn-training"
EVERYTHING = """\
version: 1
name: churn
repository: {url: https://github.com/acme/churn, branch: main}
train:
  script: train.py
  timeout: 1800
  env: {N_ESTIMATORS: "100", QUERY: "select ${{ secrets.GITHUB_TOKEN }}\\n$(id)"}
  secrets: [WAREHOUSE_TOKEN, WAREHOUSE_USER]
tracking: {uri: https://mlflow.example.com, secret: CORP_MLFLOW_TOKEN}
image:
  registry: 123456789012.dkr.ecr.eu-north-1.amazonaws.com
  role: arn:aws:iam::123456789012:role/churn-release
deploy:
  engine: argocd
  environments: {staging: {}, production: {serve: {replicas: 4}}}
"""


def _smallest(registry: str) -> str:
    return SMALLEST.replace("123456789012.dkr.ecr.eu-north-1.amazonaws.com", registry)


ROOT_MODELS: dict[str, str] = {
    "smallest": SMALLEST,
    "everything": EVERYTHING,
    "github-registry": _smallest("ghcr.io"),
    "other-registry": _smallest("registry.example.com:5000"),
    "arm64": SMALLEST.replace("amazonaws.com}", "amazonaws.com, platform: linux/arm64}"),
    "training-secrets": SMALLEST.replace("train.py}", "train.py, secrets: [TOKEN]}"),
    "training-role": SMALLEST.replace("train.py}", f"train.py, timeout: 7200, role: '{TRAINING_ROLE}'}}"),
    "tracking": model_yaml("tracking: {uri: 'http://mlflow.example.com:5000'}\n"),
    "tracking-secret": model_yaml(
        "tracking: {uri: 'https://mlflow.example.com', secret: MLFLOW_TRACKING_TOKEN}\n"
    ),
    "longest-training": SMALLEST.replace("train.py}", "train.py, timeout: 19800}"),
    "own-runner": SMALLEST.replace("train.py}", "train.py, runs_on: [self-hosted, linux, X64]}"),
    "other-runner": SMALLEST.replace("train.py}", "train.py, runs_on: ubuntu-22.04}"),
    "flux": model_yaml("deploy: {engine: flux, environments: {live: {namespace: models}}}\n"),
}
ROOT_MODELS |= {
    "three-environments": model_yaml("deploy: {environments: {staging: {}, live: {via: commit}, edge: {}}}\n"),
    "approval": model_yaml("deploy: {environments: {staging: {}, production: {approval: true}}}\n"),
    "app-approval": model_yaml(
        "deploy: {push: {mode: app}, environments: {staging: {}, production: {approval: true, via: commit}}}\n"
    ),
    "app": model_yaml("deploy: {push: {mode: app}, environments: {staging: {}, production: {}}}\n"),
    "key": model_yaml(
        "deploy: {push: {mode: deploy-key}, environments: {staging: {}, production: {approval: true, via: commit}}}\n"
    ),
}
ROOT_MODELS |= {
    "notify": model_yaml(
        "notify: {webhook: CHAT_WEBHOOK}\n"
        "deploy: {environments: {staging: {}, production: {approval: true, via: commit}}}\n"
    ),
    "environment-called-announce": model_yaml("deploy: {environments: {staging: {}, announce: {}}}\n"),
}
_RETRAIN = "retrain: {schedule: '0 3 * * 1'}\ndeploy: {push: {mode: app}}\n"
ROOT_MODELS |= {
    "retrain": SMALLEST.replace("train.py}", f"train.py, secrets: [TOKEN], timeout: 7200, role: '{TRAINING_ROLE}'}}")
    + _RETRAIN,
    "retrain-own-runner": SMALLEST.replace("train.py}", "train.py, runs_on: [self-hosted, linux, X64]}") + _RETRAIN,
    "retrain-by-call": model_yaml("retrain: {}\ndeploy: {push: {mode: app}}\n"),
    "retrain-key": model_yaml("retrain: {schedule: '0 3 * * 1'}\ndeploy: {push: {mode: deploy-key}}\n"),
    "retrain-without-app": model_yaml("retrain: {schedule: '0 3 * * 1'}\n"),
}
MANY = ("churn", "demand-forecast")
# More of them, as data: `root`, `many` and `refused`.
TABLE: dict[str, dict[str, Any]] = parse(
    (Path(__file__).parents[1] / "data/workflow_variants.yaml").read_text(encoding="utf-8"), "workflow_variants.yaml"
).data
VARIANTS = (*ROOT_MODELS, "many", *TABLE["root"], *TABLE["many"])


@cache
def workspace(variant: str) -> Workspace:
    """The workspace of that name; its folder is gone, plans need none."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if variant == "many":
            return write_many(root, dict.fromkeys(MANY, ""))
        if variant in TABLE["many"]:
            return _write_table(root, **TABLE["many"][variant])
        return write(root, ROOT_MODELS.get(variant) or changed(TABLE["root"][variant]))


def changed(changes: dict[str, Any]) -> str:
    """The smallest model.yaml with some keys changed."""
    return json.dumps(_merged(parse(SMALLEST, "model.yaml").data, changes))  # YAML, too


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    sections = {key: _merged(values[key], new) for key, new in changes.items() if isinstance(values.get(key), dict)}
    return {**values, **changes, **sections}


def _write_table(root: Path, shared: dict[str, Any], models: dict[str, dict[str, Any]]) -> Workspace:
    (root / "tagship.yaml").write_text(json.dumps({"models": list(models), **shared}))
    for folder, changes in models.items():
        (root / folder).mkdir(parents=True)
        (root / folder / "model.yaml").write_text(changed(changes))
    return load(root)


@cache
def workflows(variant: str) -> dict[str, str]:
    """The text of each workflow by its path."""
    install = workspace(variant).models[0].config.pipeline.install or GIT_INSTALL
    planned = plan_workflows(workspace(variant), install=install)
    return {file.path: text_of(file) for file in planned if file.path.startswith(".github/workflows/")}


@cache
def parsed(variant: str) -> dict[str, dict[str, Any]]:
    """The same, parsed."""
    return {path: parse(text, path).data for path, text in workflows(variant).items()}
