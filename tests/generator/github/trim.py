"""Makes tests/data/github-openapi.json: of GitHub's published API description, the operations that are used here.

    npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz
    python -m tests.generator.github.trim package

Prose goes, one example of each answer stays: the stand-in's answers begin as GitHub's own examples.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[2] / "data/github-openapi.json"
OPERATIONS = (
    "actions/get-github-actions-default-workflow-permissions-repository",
    "actions/get-github-actions-permissions-repository",
    "actions/list-environment-secrets",
    "actions/list-environment-variables",
    "actions/list-jobs-for-workflow-run",
    "actions/list-workflow-runs",
    "apps/get-by-slug",
    "issues/create-comment",
    "issues/delete-comment",
    "issues/list-comments",
    "issues/update-comment",
    "pulls/create",
    "pulls/list",
    "pulls/update",
    "repos/create-deployment",
    "repos/create-deployment-branch-policy",
    "repos/create-deployment-status",
    "repos/create-or-update-environment",
    "repos/create-release",
    "repos/create-repo-ruleset",
    "repos/delete-deployment-branch-policy",
    "repos/get",
    "repos/get-branch-rules",
    "repos/get-collaborator-permission-level",
    "repos/get-environment",
    "repos/get-release-by-tag",
    "repos/get-repo-ruleset",
    "repos/get-repo-rulesets",
    "repos/list-deploy-keys",
    "repos/list-deployment-branch-policies",
    "repos/list-deployments",
    "repos/update-release",
    "repos/update-repo-ruleset",
    "teams/check-permissions-for-repo-in-org",
    "teams/get-by-name",
    "users/get-by-username",
)
METHODS = ("get", "put", "post", "patch", "delete")
PROSE = ("description", "summary", "title", "externalDocs", "x-github", "tags", "deprecated")


def trim(description: dict[str, Any], version: str, license_text: str) -> dict[str, Any]:
    """The document with OPERATIONS alone, and all that they refer to."""
    paths = {path: kept for path, item in description["paths"].items() if (kept := _used(item))}
    found = {item["operationId"] for path in paths.values() for item in path.values()}
    assert found == set(OPERATIONS), f"not described: {sorted(set(OPERATIONS) - found)}"
    components: dict[str, dict[str, Any]] = {}
    _follow(paths, description, components)
    return {
        "openapi": description["openapi"],
        "info": {"title": "GitHub", "version": version},
        "x-trimmed-from": f"npm package @octokit/openapi {version}, generated/api.github.com.json",
        "x-license": license_text,
        "paths": paths,
        "components": components,
    }


def _used(item: dict[str, Any]) -> dict[str, Any]:
    return {
        method: _bare(item[method])
        for method in METHODS
        if method in item and item[method]["operationId"] in OPERATIONS
    }


def _bare(node: Any, *, names: bool = False) -> Any:
    """`node` without prose, and with one example an answer. Below `properties` the keys are names, not prose."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = node if names else {key: value for key, value in node.items() if key not in (*PROSE, "example")}
    if not names and "examples" in kept:
        first = next(iter(kept["examples"].items()), None)
        kept = {**kept, "examples": dict([first]) if first else {}}
    return {
        key: value if key == "value" and not names else _bare(value, names=key == "properties" and not names)
        for key, value in kept.items()
    }


def _follow(node: Any, description: dict[str, Any], components: dict[str, dict[str, Any]]) -> None:
    """Copies into `components` whatever `node` refers to, and what that refers to."""
    if isinstance(node, list):
        for item in node:
            _follow(item, description, components)
    if not isinstance(node, dict):
        return
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/components/"):
        _, _, kind, name = reference.split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = copied = _bare(description["components"][kind][name])
            _follow(copied, description, components)
    for value in node.values():
        _follow(value, description, components)


def main(package: Path) -> None:
    version = json.loads((package / "package.json").read_text())["version"]
    description = json.loads((package / "generated/api.github.com.json").read_text())
    document = trim(description, version, (package / "LICENSE").read_text())
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    TARGET.write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
