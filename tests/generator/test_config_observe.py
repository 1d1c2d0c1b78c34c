"""What of `deploy.observe` is refused since nobody could look, or would."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import InvalidInput
from generator.ledger import Entry
from generator.observing import patience
from tests.generator.test_deploy import Quiet
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


@pytest.mark.parametrize(
    ("value", "place", "said"),
    [
        ("{kubeconfig: K, timeout: 5m}", 44, "timeout must be a whole number"),
        ("{kubeconfig: GITHUB_TOKEN}", 32, "kubeconfig must be the name of a GitHub secret"),
        ("{}", 19, "is wrong: give either eks and role, or kubeconfig"),
        ("off", 19, "must be none, or a mapping with eks and role, or with kubeconfig"),
        ("5", 19, "must be none, or a mapping"),
        ("[none]", 19, "must be none, or a mapping"),
    ],
)
def test_what_is_wrong_is_told_alone(tmp_path: Path, value: str, place: int, said: str) -> None:
    """Not also that a mapping is not `none`."""
    for before, after in (("", ""), ("environments: {live: {", "}}")):
        with pytest.raises(InvalidInput) as refused:
            write(tmp_path, model_yaml(f"deploy: {{{before}observe: {value}{after}}}\n"))
        (line,) = str(refused.value).splitlines()
        assert line.startswith(f"model.yaml:5:{place + len(before)}: deploy.")
        assert said in line


def test_an_environment_s_own_may_be_empty_and_the_shared_one_not(tmp_path: Path) -> None:
    text = "deploy: {observe: {kubeconfig: K}, environments: {a: {observe: }, b: {observe: none}}}\n"
    targets = write(tmp_path, model_yaml(text)).model(None).targets
    assert [target.observe is None for target in targets] == [False, True]
    with pytest.raises(InvalidInput, match="deploy.observe must be none, or a mapping"):
        write(tmp_path, model_yaml("deploy: {observe: }\n"))


LOADS = Entry(
    version="1.0.0",
    digest="sha256:" + "a" * 64,
    run="1" * 32,
    commit="c" * 40,
    at="2026-11-22T03:00:00Z",
    by="ada",
    load_seconds=60,  # the startup probe waits 600, the rollout's deadline is 900
)


@pytest.mark.parametrize(
    ("timeout", "workflow", "loads", "lasts", "says"),
    [
        (900, False, 60, 1200, False),
        (60, False, 60, 1200, False),
        (900, True, 60, 1200, False),
        (899, True, 60, 899, True),
        (1500, True, 60, 1500, False),
        (60, True, 20, 60, False),
        (60, False, 20, 60, False),
    ],
)
def test_a_model_that_loads_slowly_is_watched_until_its_deadline_where_the_job_lasts_as_long(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    timeout: int,
    workflow: bool,
    loads: float,
    lasts: int,
    says: bool,
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    if workflow:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    text = model_yaml(f"deploy: {{observe: {{kubeconfig: K, timeout: {timeout}}}}}\n")
    target, reporter, said = write(tmp_path, text).model(None).targets[0], Quiet(), list[str]()
    reporter.say = said.append  # type: ignore[method-assign]
    assert patience(target, LOADS.model_copy(update={"load_seconds": loads}), reporter) == lasts
    assert [line for line in said if "set it to 1200 in model.yaml" in line] == said
    assert bool(said) is says


def test_a_role_s_session_bounds_the_timeout(tmp_path: Path) -> None:
    write(tmp_path, model_yaml("deploy: {observe: {kubeconfig: K, timeout: 10800}}\n"))
    text = model_yaml(f"deploy: {{observe: {{eks: prod, role: '{ROLE}', timeout: 3001}}}}\n")
    with pytest.raises(
        InvalidInput, match="timeout is at most 3000 with eks: the role's session ends after an hour"
    ):
        write(tmp_path, text)


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
