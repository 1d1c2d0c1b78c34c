"""Models in which any two things that model.yaml can say of a cluster meet; released, and rendered by kustomize."""

from __future__ import annotations

import json
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from generator.config.workspace import Workspace, load
from generator.yamlio import parse
from tests.generator.workspaces import SMALLEST, SCRIPT
from tests.templates.manifests import Object, generate, note_release

Choice = dict[str, int]  # by thing, which of its ways
Pair = tuple[tuple[str, int], tuple[str, int]]

TABLE: dict[str, Any] = parse(
    (Path(__file__).parents[1] / "data/cluster_matrix.yaml").read_text(encoding="utf-8"), "cluster_matrix.yaml"
).data
ELSEWHERE: dict[str, dict[str, str]] = TABLE["elsewhere"]
THINGS: dict[str, list[dict[str, Any]]] = {key: ways for key, ways in TABLE.items() if key != "elsewhere"}
FEWEST = 44


def choices() -> list[Choice]:
    """So many that each pair of ways is in one of them; the same ones each time."""
    chance = random.Random(6)
    missing = {pair for one, other in combinations(THINGS, 2) for pair in _pairs(one, other)}
    found = []
    while missing or len(found) < FEWEST:
        best = max((_candidate(chance, missing) for _ in range(12)), key=lambda choice: len(_in(choice) & missing))
        missing -= _in(best)
        found.append(best)
    return found


def _pairs(one: str, other: str) -> list[Pair]:
    return [((one, a), (other, b)) for a in range(len(THINGS[one])) for b in range(len(THINGS[other]))]


def _in(choice: Choice) -> set[Pair]:
    return {((one, choice[one]), (other, choice[other])) for one, other in combinations(THINGS, 2)}


def _candidate(chance: random.Random, missing: set[Pair]) -> Choice:
    """One that has a pair which is still missing, and of the rest what brings most of the others."""
    choice: Choice = dict(chance.choice(sorted(missing))) if missing else {}
    rest = [thing for thing in THINGS if thing not in choice]
    chance.shuffle(rest)
    for thing in rest:
        ways = list(range(len(THINGS[thing])))
        chance.shuffle(ways)
        choice[thing] = max(ways, key=lambda way: _brings(choice, (thing, way), missing))
    return choice


def _brings(choice: Choice, new: tuple[str, int], missing: set[Pair]) -> int:
    return sum((old, new) in missing or (new, old) in missing for old in choice.items())


def model_of(number: int, choice: Choice) -> dict[str, Any]:
    """The model.yaml of a choice; each has a name of its own, every third the longest one."""
    name = f"m{number:02}" + ("-whose-name-is-forty-letters-longer-"[: 36] + "x") * (number % 3 == 0)
    model = merged(parse(SMALLEST, "model.yaml").data, {"name": name})
    for thing in THINGS:
        model = merged(model, THINGS[thing][choice[thing]])
    changes = model.pop("last", {})
    pull = model.get("serve", {}).get("pull_secret")
    if "clusters" in changes and isinstance(pull, str):
        # What several clusters share is no role that trusts one of them.
        role = "arn:aws:iam::123456789012:role/of-all"
        changes = {**changes, "serve": {"pull_secret": {"through": pull, "role": role}}}
    environments = model.get("deploy", {}).get("environments", {"production": {}})
    last = list(environments)[-1]
    changed = {**environments, last: merged(environments[last] or {}, changes)}
    return merged(model, {"deploy": {"environments": changed}})


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`values` with `changes`, mapping by mapping."""
    both = [key for key, new in changes.items() if isinstance(new, dict) and isinstance(values.get(key), dict)]
    return {**values, **changes, **{key: merged(values[key], changes[key]) for key in both}}


def workspace(root: Path, models: list[dict[str, Any]]) -> Workspace:
    """All of them in one repository; each environment but a second one is released."""
    (root / "tagship.yaml").write_text("models: [models/*]\n")
    for model in models:
        folder = root / "models" / model["name"]
        folder.mkdir(parents=True)
        (folder / "model.yaml").write_text(json.dumps(model))  # YAML, too
        (folder / "train.py").write_text(SCRIPT)
        (folder / "requirements.txt").write_text("scikit-learn\n")
    generate(root)
    found = load(root)
    for model in found:
        for target in (*model.targets[:1], *model.targets[2:]):
            note_release(root, model, target.name)
    generate(root)
    return found


def rendered(root: Path, found: Workspace) -> list[Object]:
    """What clusters get of all models: the overlays' objects, and the reconciler's. Parsed in C: there are many."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((root / "k8s/reconciler").rglob("*.yaml"))]
    overlays = [root / model.overlay(target.name) for model in found for target in model.targets]
    with ThreadPoolExecutor(2) as pool:
        texts += pool.map(_built, overlays)
    return [item for text in texts for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item]


def _built(overlay: Path) -> str:
    ended = subprocess.run(["kustomize", "build", overlay], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
