"""What of `deploy.observe` is refused since nobody could look, or would."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import InvalidInput
from tests.generator.workspaces import model_yaml, write

ELSEWHERE = """\
repository: {url: "https://github.com/acme/churn"}
deploy:
  repository: https://github.com/acme/deployments
  push: {mode: app}
  observe: {kubeconfig: K}
  environments:
    staging: {rollback_on_failure: true, observe: {kubeconfig: S}}
"""


@pytest.mark.parametrize("more", ["", "    live: {via: commit}\n", "    live: {observe: none}\n"])
def test_in_a_configuration_repository_the_first_environment_is_watched(tmp_path: Path, more: str) -> None:
    assert write(tmp_path, model_yaml(ELSEWHERE + more)).model(None).targets[0].observe


@pytest.mark.parametrize(
    ("keys", "place", "key"),
    [
        ("via: commit, rollback_on_failure: true", "12:25", "rollback_on_failure"),
        ("observe: {kubeconfig: L}", "12:12", "observe"),
    ],
)
def test_there_what_nobody_would_see_is_refused(tmp_path: Path, keys: str, place: str, key: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, model_yaml(f"{ELSEWHERE}    live: {{{keys}}}\n"))
    why = "with deploy.repository only the first environment's rollout is watched yet"
    assert str(refused.value) == f"model.yaml:{place}: {why}: leave {key} out here"


ROLE = "arn:aws:iam::123456789012:role/observe"


@pytest.mark.parametrize(
    "registry", ["foo.dkr.ecr.example.com", "1234567890.dkr.ecr.eu-north-1.amazonaws.com", "ghcr.io"]
)
@pytest.mark.parametrize(("before", "place"), [("", "5:10"), ("environments: {live: {", "5:32")])
def test_the_region_is_asked_for_where_the_registry_says_none(
    tmp_path: Path, registry: str, before: str, place: str
) -> None:
    text = model_yaml().replace("123456789012.dkr.ecr.eu-north-1.amazonaws.com", registry)
    end = "}}" if before else ""
    text += f"deploy: {{{before}observe: {{eks: prod, role: '{ROLE}'}}{end}}}\n"
    with pytest.raises(InvalidInput, match=rf"model\.yaml:{place}: (deploy\.)?observe names no region"):
        write(tmp_path, text)
    write(tmp_path, text.replace("eks: prod", "eks: prod, region: eu-north-1"))
