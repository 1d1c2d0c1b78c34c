"""Generated workflows: what each job may do, what travels between jobs, and that linters find nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generator.errors import InvalidInput
from generator.plan.configuration import plan_configuration
from generator.plan.pipeline import JOBS, Job, Stage
from generator.plan.workflows import plan_job, plan_workflows
from generator.render import data_text, text_of
from tests import parts
from tests.checks.rules import broken
from tests.checks.tools import TOOLS, how, installed
from tests.generator.workspaces import write
from tests.templates.workflow_variants import (
    GIT_INSTALL,
    TABLE,
    TRAINING_ROLE,
    VARIANTS,
    changed,
    parsed,
    workflows,
    workspace,
)

RELEASE = ".github/workflows/release.yml"


@pytest.fixture(scope="session")
def every_workflow(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The workflows of all variants, a folder each; what several variants have in common is there once."""
    root, seen = tmp_path_factory.mktemp("rendered"), set()
    for variant in VARIANTS:
        for path, text in workflows(variant).items():
            if (path, text) not in seen:
                seen.add((path, text))
                (root / variant / path).parent.mkdir(parents=True, exist_ok=True)
                (root / variant / path).write_text(text, encoding="utf-8")
    for file in plan_configuration(install=GIT_INSTALL):
        if file.path.endswith(".yml"):
            (root / "of-a-configuration-repository" / file.path).parent.mkdir(parents=True)
            (root / "of-a-configuration-repository" / file.path).write_text(text_of(file), encoding="utf-8")
    return sorted(root.rglob("*.yml"))


def release(variant: str) -> dict[str, Any]:
    """The release workflow of a variant with one model, parsed."""
    return parsed(variant)[RELEASE]


def step(job: dict[str, Any], start: str) -> dict[str, Any]:
    """The one step of `job` whose name begins with `start`."""
    found = [step for step in job["steps"] if step["name"].startswith(start)]
    assert len(found) == 1, f"{start!r} begins the names of {len(found)} steps"
    return dict(found[0])


def rights(workflow: dict[str, Any]) -> dict[str, Any]:
    return {name: job["permissions"] for name, job in workflow["jobs"].items()}


def environments(workflow: dict[str, Any]) -> dict[str, str]:
    return {name: job["environment"] for name, job in workflow["jobs"].items() if "environment" in job}


@pytest.mark.parametrize("tool", TOOLS)
def test_linters_find_nothing(tool: str, every_workflow: list[Path]) -> None:
    if not installed(tool):
        parts.absent(tool, how(tool))
    assert TOOLS[tool](every_workflow) == ""


def test_the_matrix_is_large_enough() -> None:
    """Many variants show that a key changes no workflow; those that do change one are counted."""
    assert len({tuple(workflows(variant).items()) for variant in VARIANTS}) >= 40


@pytest.mark.parametrize(("changes", "words"), TABLE["refused"].values(), ids=TABLE["refused"])
def test_what_would_change_a_workflow_and_is_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=re.escape(words)):
        write(tmp_path, changed(changes))


def test_a_promotions_job_is_named_like_no_other() -> None:
    """Environments may be called `true` or `approve-live`: neither a key of another kind, nor one that is there."""
    jobs = parsed("environments-named-like-approvals")[".github/workflows/promote.yml"]["jobs"]
    assert list(jobs) == ["approve-live", "to-live", "approve-approve-live", "to-approve-live", "announce"]
    jobs = parsed("environments-named-like-jobs")[".github/workflows/promote.yml"]["jobs"]
    assert list(jobs) == ["approve-publish", "to-publish", "to-deploy", "to-on", "to-true", "announce"]


def test_a_secrets_name_stays_text() -> None:
    env = step(release("secrets-named-like-ours")["jobs"]["train"], "Train")["env"]
    assert env["NULL"] == "${{ secrets.NULL }}"
    assert '"NULL": ${{' in workflows("secrets-named-like-ours")[RELEASE]


def test_our_own_rules_hold(every_workflow: list[Path]) -> None:
    assert [problem for file in every_workflow for problem in broken(file)] == []


def test_which_workflows_a_model_gets() -> None:
    names = {variant: [Path(path).stem for path in workflows(variant)] for variant in ("smallest", "app", "many")}
    assert names["smallest"] == ["pull-request", "rehearse", "release", "rollback"], "one environment: nothing is promoted"
    assert names["app"] == ["pull-request", "rehearse", "release", "rollback", "promote", "refresh"]
    each = [f"{kind}-{model}" for model in ("churn", "demand-forecast") for kind in ("release", "rollback")]
    assert names["many"] == ["pull-request", "rehearse", *each]


def test_promotions_go_from_each_environment_to_the_next() -> None:
    jobs = parsed("three-environments")[".github/workflows/promote.yml"]["jobs"]
    assert {name: job["name"] for name, job in jobs.items()} == {
        "to-live": "From staging to live",
        "to-edge": "From live to edge",
        "announce": "Announce",
    }


def test_a_rollback_waits_for_nothing() -> None:
    workflow = parsed("app")[".github/workflows/rollback.yml"]
    job = workflow["jobs"]["rollback"]
    assert "${{ github.run_id }}" in workflow["concurrency"]["group"], "a group that others share"
    assert "concurrency" not in job
    assert "needs" not in job
    assert job["environment"] == "tagship-deploy", "another environment may ask for reviewers"


@pytest.mark.parametrize("kind", ["release", "rollback", "promote", "refresh"])
def test_with_an_app_only_its_token_writes(kind: str) -> None:
    jobs = parsed("app")[f".github/workflows/{kind}.yml"]["jobs"]
    for name, job in jobs.items():
        if name == "announce":
            continue
        rights = {right: access for right, access in job["permissions"].items() if access == "write"}
        assert rights in ({}, {"id-token": "write"}), name
        for text in (str(step) for step in job["steps"]):
            assert "github.token" not in text
            assert ("TAGSHIP_APP_PRIVATE_KEY" in text) <= (job.get("environment") == "tagship-deploy")


@pytest.mark.parametrize("variant", ["key", "retrain-key", "key-to-another-port", "approvals-everywhere-key"])
def test_a_deploy_key_pushes_and_no_token_writes(variant: str) -> None:
    for path, workflow in parsed(variant).items():
        for name, job in workflow["jobs"].items():
            if name in ("announce", "preview"):
                continue
            written = {right for right, access in job["permissions"].items() if access == "write"}
            assert written <= {"id-token", "actions"}, (path, name)
            with_key = [step for step in job["steps"] if "TAGSHIP_DEPLOY_KEY" in str(step)]
            assert len(with_key) == (job.get("environment") == "tagship-deploy"), (path, name)
            for step in with_key:
                assert step["env"]["TAGSHIP_DEPLOY_KEY"] == "${{ secrets.TAGSHIP_DEPLOY_KEY }}"
                assert step["env"]["GH_TOKEN"] == "${{ github.token }}", "which only reads"
                assert step["run"].startswith("generator ")


def test_what_reads_an_approval_reads_it_with_the_jobs_token() -> None:
    job = parsed("key")[".github/workflows/promote.yml"]["jobs"]["to-production"]
    assert job["permissions"] == {"contents": "read", "actions": "read"}


def test_a_deploy_key_goes_where_model_yaml_says() -> None:
    def to(variant: str) -> set[str | None]:
        jobs = [job for workflow in parsed(variant).values() for job in workflow["jobs"].values()]
        steps = [step for job in jobs for step in job["steps"] if "TAGSHIP_DEPLOY_KEY" in str(step)]
        assert all(step["env"]["TAGSHIP_KNOWN_HOSTS"] == "${{ vars.TAGSHIP_KNOWN_HOSTS }}" for step in steps)
        return {step["env"].get("TAGSHIP_PUSH_TO") for step in steps}

    assert to("key-to-another-port") == {"ssh://git@ssh.github.com:443/acme/churn.git"}
    assert to("key-on-an-own-server") == to("key") == {None}


@pytest.mark.parametrize("variant", ["key", "retrain-key", "app", "retrain"])
def test_what_is_pushed_starts_no_workflow_again(variant: str) -> None:
    """A deploy key's and an App's pushes start workflows. Commits on the release branch start one of ours, which
    pushes to the branches of promotions alone."""
    for path, workflow in parsed(variant).items():
        push = workflow["on"].get("push")
        if "/refresh" in path:
            assert push == {"branches": ["main"], "paths": ["k8s/overlays/production/**"]}
            assert workflow["jobs"]["refresh"]["steps"][-1]["run"] == "generator promote --refresh --model churn"
        else:
            assert push is None or (list(push) == ["tags"] and "/release" in path), path


def test_an_apps_token_may_only_do_what_its_job_does() -> None:
    rights = {}
    for kind in ("release", "rollback", "promote", "refresh"):
        for job in parsed("app")[f".github/workflows/{kind}.yml"]["jobs"].values():
            for step in job["steps"]:
                if step.get("id") == "app":
                    rights[kind] = {k: v for k, v in step["with"].items() if k.startswith("permission-")}
    assert rights == {
        "release": {"permission-contents": "write"},
        "rollback": {"permission-contents": "write"},
        "promote": {"permission-contents": "write", "permission-pull-requests": "write"},
        "refresh": {"permission-contents": "write", "permission-pull-requests": "write"},
    }


def test_the_lock_is_copied_as_it_is() -> None:
    planned = {file.path: file for file in plan_workflows(workspace("smallest"), install=".")}
    assert text_of(planned[".github/tagship.lock"]) == data_text("templates/github/tagship.lock")


def test_tags_start_a_release() -> None:
    assert release("smallest")["on"] == {"push": {"tags": ["v[0-9]*"]}, "workflow_dispatch": None}
    many = parsed("many")[".github/workflows/release-demand-forecast.yml"]
    assert many["on"]["push"] == {"tags": ["demand-forecast/v[0-9]*"]}


def test_jobs_run_the_stages_one_after_another() -> None:
    jobs = release("smallest")["jobs"]
    calls = [step["run"] for job in jobs.values() for step in job["steps"] if "generator" in step.get("run", "")]
    assert calls.pop() == 'generator announce release --release "$RELEASE"'
    assert calls == [f'generator stage {stage} --release "$RELEASE" --again' for stage in Stage]
    needs = [None, "train", "package", "publish", "deploy", ["train", "package", "publish", "deploy", "observe"]]
    assert [job.get("needs") for job in jobs.values()] == needs


def test_the_release_is_a_full_ref() -> None:
    """A branch called v1.2.3 has the same short name as a tag; by hand, anything can be started on it."""
    refs = [
        step["env"]["RELEASE"]
        for job in release("everything")["jobs"].values()
        for step in job["steps"]
        if "stage" in step.get("run", "")
    ]
    assert refs == ["${{ github.ref }}"] * len(Stage)


def test_rights_of_a_release_to_ecr() -> None:
    assert rights(release("everything")) == {
        "train": {"contents": "read"},
        "package": {"contents": "read"},
        "publish": {"contents": "read", "id-token": "write"},
        "deploy": {"contents": "write"},
        "observe": {"contents": "read"},
        "announce": {"contents": "write", "deployments": "write"},
    }


def test_rights_of_a_release_to_githubs_registry() -> None:
    assert rights(release("github-registry"))["publish"] == {"contents": "read", "packages": "write"}


def test_rights_of_a_release_to_another_registry() -> None:
    assert rights(release("other-registry"))["publish"] == {"contents": "read"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_user_code_never_meets_a_token_that_writes(variant: str) -> None:
    for path, workflow in parsed(variant).items():
        for job in JOBS:
            planned = workflow["jobs"].get(job.name)
            if planned is not None and job.runs_user_code:
                role = job.gets_training_secrets and "aws" in str(planned["steps"])
                assert not role or planned["environment"] == "tagship-train"
                rights = {"contents": "read", **({"id-token": "write"} if role else {})}
                assert planned["permissions"] == rights, f"{path}: {job.name}"
                assert "github.token" not in str(planned), f"{path}: {job.name}"


def test_secrets_go_to_the_stages_that_need_them() -> None:
    train = release("everything")["jobs"]["train"]
    ours = {"RELEASE": "${{ github.ref }}"}
    names = ("WAREHOUSE_TOKEN", "WAREHOUSE_USER", "CORP_MLFLOW_TOKEN")
    secrets = {name: f"${{{{ secrets.{name} }}}}" for name in names}
    assert step(train, "Train")["env"] == {**secrets, **ours}
    assert step(train, "Gate")["env"] == ours
    assert step(train, "Register")["env"] == {**secrets, **ours}


def test_no_secret_reaches_any_other_job() -> None:
    with_secrets = [name for name, job in release("everything")["jobs"].items() if "secrets." in str(job)]
    assert with_secrets == ["train"]


def test_logins_of_package_indexes_go_to_the_steps_that_install() -> None:
    jobs = release("two-indexes-and-secrets")["jobs"]
    ours = {"RELEASE": "${{ github.ref }}"}
    token, shared, other = ({name: f"${{{{ secrets.{name} }}}}"} for name in ("TOKEN", "SHARED", "OTHER"))
    assert step(jobs["train"], "Train")["env"] == {**token, **shared, **other, **ours}
    assert step(jobs["train"], "Register")["env"] == {**token, **shared, **ours}, "it installs nothing"
    assert step(jobs["train"], "Gate")["env"] == ours
    assert step(jobs["package"], "Package")["env"] == {**shared, **other, **ours}
    assert "id-token" not in jobs["package"]["permissions"], "the environment's role is the training's alone"
    for text in ("secrets.SHARED", "secrets.OTHER"):
        found = [name for name, job in jobs.items() for one in job["steps"] if text in str(one)]
        assert sorted(set(found)) == ["package", "train"]
    (package,) = (one for one in jobs["package"]["steps"] if "secrets." in str(one))
    assert package["name"].startswith("Package")


def test_pull_requests_get_no_login_of_an_index() -> None:
    files = workflows("two-indexes-and-secrets")
    for name in ("pull-request", "rehearse"):
        assert "secrets." not in files[f".github/workflows/{name}.yml"]


def test_a_retraining_gets_the_logins_of_its_indexes() -> None:
    jobs = parsed("index-app-retrained")[".github/workflows/retrain.yml"]["jobs"]
    assert [name for name, job in jobs.items() if "secrets.CORP_INDEX" in str(job)] == ["train"]
    assert jobs["train"]["environment"] == "tagship-train"


def test_a_secret_cannot_take_the_place_of_our_variables() -> None:
    """model.yaml may refuse such a name already; this is the second lock."""
    (model,) = workspace("training-secrets")
    train = model.config.train.model_copy(update={"secrets": ("RELEASE", "TOKEN")})
    model = replace(model, config=model.config.model_copy(update={"train": train}))
    planned = plan_job(JOBS[0], model).steps[0].env
    assert planned == {"RELEASE": "${{ github.ref }}", "TOKEN": "${{ secrets.TOKEN }}"}


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("smallest", {"publish": "tagship-publish"}),
        ("tracking", {"publish": "tagship-publish"}),
        ("training-secrets", {"train": "tagship-train", "publish": "tagship-publish"}),
        ("training-role", {"train": "tagship-train", "publish": "tagship-publish"}),
        ("tracking-secret", {"train": "tagship-train", "publish": "tagship-publish"}),
        ("other-registry", {"publish": "tagship-publish"}),
        ("index", {"train": "tagship-train", "package": "tagship-train", "publish": "tagship-publish"}),
        ("index-without-login", {"publish": "tagship-publish"}),
    ],
)
def test_environments(variant: str, expected: dict[str, str]) -> None:
    assert environments(release(variant)) == expected


def test_aws_credentials_are_bound_to_the_registrys_account() -> None:
    assert step(release("everything")["jobs"]["publish"], "Assume")["with"] == {
        "role-to-assume": "arn:aws:iam::123456789012:role/churn-release",
        "aws-region": "eu-north-1",
        "allowed-account-ids": "123456789012",
    }


def test_the_training_role_is_assumed_where_the_release_role_trusts_nobody() -> None:
    jobs = release("training-role")["jobs"]
    assert step(jobs["train"], "Assume")["with"] == {
        "role-to-assume": TRAINING_ROLE,
        "aws-region": "eu-north-1",
        "allowed-account-ids": "123456789012",
        "role-duration-seconds": (120 + 30) * 60,
    }
    assert jobs["train"]["environment"] != jobs["publish"]["environment"]
    assert step(jobs["publish"], "Assume")["with"]["role-to-assume"] != TRAINING_ROLE
    others = [name for name, job in jobs.items() if "id-token" in job["permissions"]]
    assert others == ["train", "publish"]


def test_without_a_role_an_administrator_names_it() -> None:
    with_ = step(release("smallest")["jobs"]["publish"], "Assume")["with"]
    assert with_["role-to-assume"] == "${{ vars.TAGSHIP_PUBLISH_ROLE }}"


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        (
            "github-registry",
            {
                "REGISTRY": "ghcr.io",
                "REGISTRY_USERNAME": "${{ github.actor }}",
                "REGISTRY_PASSWORD": "${{ github.token }}",
            },
        ),
        (
            "other-registry",
            {
                "REGISTRY": "registry.example.com:5000",
                "REGISTRY_USERNAME": "${{ secrets.REGISTRY_USERNAME }}",
                "REGISTRY_PASSWORD": "${{ secrets.REGISTRY_PASSWORD }}",
            },
        ),
    ],
)
def test_logins(variant: str, expected: dict[str, str]) -> None:
    assert step(release(variant)["jobs"]["publish"], "Log in")["env"] == expected


def test_the_push_token_is_in_one_step_only() -> None:
    with_token = [
        (name, step["name"])
        for name, job in release("smallest")["jobs"].items()
        for step in job["steps"]
        if "github.token" in str(step)
    ]
    assert with_token == [("deploy", "Deploy: commit the digest to the overlay"), ("announce", "Tell it")]


def test_deploys_to_one_environment_queue_up() -> None:
    jobs = release("everything")["jobs"]
    assert jobs["deploy"]["concurrency"] == {
        "group": "tagship-deploy-churn-staging",
        "queue": "max",
        "cancel-in-progress": False,
    }
    assert [name for name, job in jobs.items() if "concurrency" in job] == ["deploy"]


@pytest.mark.parametrize(("variant", "minutes"), [("smallest", 35), ("everything", 60), ("longest-training", 360)])
def test_training_gets_its_time_and_a_margin(variant: str, minutes: int) -> None:
    """360 minutes is GitHub's own limit of a job."""
    assert release(variant)["jobs"]["train"]["timeout-minutes"] == minutes


def test_runners() -> None:
    def of(variant: str) -> dict[str, Any]:
        return {name: job["runs-on"] for name, job in release(variant)["jobs"].items()}

    usual = dict.fromkeys([*(job.name for job in JOBS), "announce"], "ubuntu-24.04")
    assert of("smallest") == usual
    assert of("arm64") == {**usual, "package": "ubuntu-24.04-arm"}
    assert of("own-runner") == {**usual, "train": ["self-hosted", "linux", "X64"]}
    assert of("other-runner") == {**usual, "train": "ubuntu-22.04"}


def test_the_command_is_installed_from_hashes() -> None:
    for name, job in release("smallest")["jobs"].items():
        install = step(job, "Install")
        assert install["env"] == {"INSTALL": GIT_INSTALL, "UV_NO_CONFIG": "1"}, name
        assert "--require-hashes --only-binary :all: -r .github/tagship.lock" in install["run"], name
        assert install["run"].count("uv pip install") == 2, name
        assert '--no-deps --no-build-isolation "$INSTALL"' in install["run"], name


def test_a_job_takes_over_what_earlier_ones_hand_on() -> None:
    handed_on: list[str] = []
    taken_over = {}
    for name, job in release("smallest")["jobs"].items():
        taken = [s["with"]["name"] for s in job["steps"] if "download-artifact" in s.get("uses", "")]
        assert set(taken) <= set(handed_on), name
        taken_over[name] = taken
        assert all(
            s["with"]["path"] == ".tagship" for s in job["steps"] if "download-artifact" in s.get("uses", "")
        )
        handed_on += [s["with"]["name"] for s in job["steps"] if "upload-artifact" in s.get("uses", "")]
    assert handed_on == ["train", "model", "tracking", "package", "image", "publish", "deploy", "observe"]
    assert taken_over == {
        "train": [],
        "package": ["train", "model"],
        "publish": ["package", "image"],
        "deploy": ["publish"],
        "observe": ["deploy"],
        "announce": ["deploy", "observe"],
    }


def test_nothing_that_user_code_wrote_reaches_a_job_that_pushes() -> None:
    from_user_code = {parcel.name for job in JOBS if job.runs_user_code for parcel in job.gives}
    assert [job.name for job in JOBS if job.writes_git and from_user_code & set(job.takes)] == []


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_every_stage_hands_its_artifact_on(job: Job) -> None:
    files = [file for parcel in job.gives for file in parcel.files]
    assert {f"{stage}.json" for stage in job.stages} <= set(files)


def test_uploads_reach_into_the_hidden_folder() -> None:
    uploads = [
        step["with"]
        for job in release("smallest")["jobs"].values()
        for step in job["steps"]
        if "upload-artifact" in step.get("uses", "")
    ]
    for with_ in uploads:
        assert with_["include-hidden-files"] is True, with_["name"]
        assert all(path.startswith(".tagship/*/") for path in with_["path"].split()), with_["name"]


def test_a_failed_training_keeps_its_log() -> None:
    upload = step(release("smallest")["jobs"]["train"], "Hand on train")
    assert upload["if"] == "always()"
    assert ".tagship/*/train.log" in upload["with"]["path"].split()


def test_runs_are_kept_where_no_server_has_them() -> None:
    def kept(variant: str) -> list[str]:
        return [s["name"] for s in release(variant)["jobs"]["train"]["steps"] if "tracking" in s["name"]]

    assert kept("smallest") == ["Hand on tracking"]
    assert kept("tracking") == []


def test_a_pull_requests_jobs_read_and_one_comments() -> None:
    checks, rehearsal = (parsed("many")[f".github/workflows/{name}.yml"] for name in ("pull-request", "rehearse"))
    assert set(checks["on"]) == {"pull_request", "merge_group"}
    assert set(rehearsal["on"]) == {"pull_request"}
    preview = {"contents": "read", "pull-requests": "write"}
    assert rights(checks) == {"validate": {"contents": "read"}, "preview": preview}
    assert rights(rehearsal) == {
        "rehearse-churn": {"contents": "read"},
        "rehearse-demand-forecast": {"contents": "read"},
        "preview": preview,
    }
    for workflow in (checks, rehearsal):
        assert "secrets." not in str(workflow)
        with_token = [name for name, job in workflow["jobs"].items() if "github.token" in str(job)]
        assert with_token == ["preview"], "user code beside a token"


def test_a_label_neither_ends_nor_repeats_nor_skips_the_required_check() -> None:
    """A job that its `if` skips counts as passed: then any label would pass a check that has failed."""
    workflow = parsed("many")[".github/workflows/pull-request.yml"]
    assert not {"labeled", "unlabeled"} & set(workflow["on"]["pull_request"]["types"])
    assert "if" not in workflow["jobs"]["validate"]
    named = [path for path, other in parsed("many").items() if "Validate" in str(other["jobs"])]
    assert named == [".github/workflows/pull-request.yml"]


def test_another_label_leaves_a_rehearsal_alone() -> None:
    workflow = parsed("many")[".github/workflows/rehearse.yml"]
    other = "github.event.action == 'labeled' && github.event.label.name != 'rehearse'"
    own = f"${{{{ {other} && format('-{{0}}', github.run_id) || '' }}}}"
    assert workflow["concurrency"]["group"] == f"tagship-rehearse-${{{{ github.ref }}}}{own}"
    for name, job in workflow["jobs"].items():
        assert f"!({other})" in job["if"], name
        assert "contains(github.event.pull_request.labels.*.name, 'rehearse')" in job["if"], name


def test_one_of_the_two_comments() -> None:
    """With the label the rehearsal's workflow, which has its figures; without it the other one."""
    checks, rehearsal = (parsed("many")[f".github/workflows/{name}.yml"] for name in ("pull-request", "rehearse"))
    labelled = "contains(github.event.pull_request.labels.*.name, 'rehearse')"
    assert f"!{labelled}" in checks["jobs"]["preview"]["if"]
    assert f"!{labelled}" not in rehearsal["jobs"]["preview"]["if"]
    assert "--metrics" in str(rehearsal["jobs"]["preview"])
    assert "--metrics" not in str(checks["jobs"]["preview"])


def test_values_of_the_script_stay_out() -> None:
    """train.env may hold any text, an expression too; the command reads it from model.yaml at the tag."""
    text = "".join(workflows("everything").values())
    assert "N_ESTIMATORS" not in text
    assert "GITHUB_TOKEN" not in text


# the last job


@pytest.mark.parametrize("kind", ["release", "rollback", "promote"])
@pytest.mark.parametrize("variant", ["app", "notify"])
def test_the_last_job_waits_for_all_others_and_runs_when_one_failed(variant: str, kind: str) -> None:
    jobs = dict(parsed(variant)[f".github/workflows/{kind}.yml"]["jobs"])
    last = jobs.pop("announce")
    needs = [last["needs"]] if isinstance(last["needs"], str) else last["needs"]
    assert set(needs) == set(jobs)
    assert last["if"] == "${{ !cancelled() }}"
    assert [name for name, job in jobs.items() if "announce" in str(job.get("needs"))] == []


def test_the_webhooks_address_is_in_one_step_of_one_environment() -> None:
    for path, workflow in parsed("notify").items():
        for name, job in workflow["jobs"].items():
            steps = [step["name"] for step in job["steps"] if "CHAT_WEBHOOK" in str(step)]
            told = name == "announce"
            assert steps == (["Tell it"] if told else []), path
            assert (job.get("environment") == "tagship-notify") == told, path
    assert "environment" not in release("smallest")["jobs"]["announce"]


def test_an_announcement_takes_nothing_that_user_code_wrote() -> None:
    from_user_code = {parcel.name for job in JOBS if job.runs_user_code for parcel in job.gives}
    steps = release("notify")["jobs"]["announce"]["steps"]
    taken = {step["with"]["name"]: step["if"] for step in steps if "download-artifact" in step.get("uses", "")}
    assert taken == {name: f"needs.{name}.result == 'success'" for name in ("deploy", "observe")}
    assert not from_user_code & set(taken)


def test_an_environment_cannot_take_the_place_of_the_last_job() -> None:
    jobs = parsed("environment-called-announce")[".github/workflows/promote.yml"]["jobs"]
    assert list(jobs) == ["to-announce", "announce"]


# retraining

RETRAIN = ".github/workflows/retrain.yml"


def test_a_retraining_is_asked_for_and_may_be_scheduled() -> None:
    assert RETRAIN not in parsed("app")
    assert parsed("retrain")[RETRAIN]["on"]["schedule"] == [{"cron": "0 3 * * 1"}]
    assert "schedule" not in parsed("retrain-by-call")[RETRAIN]["on"]
    assert parsed("retrain-by-call")[RETRAIN]["on"]["repository_dispatch"] == {"types": ["tagship-retrain"]}


def test_a_retraining_trains_on_a_tag_alone_as_a_release_does() -> None:
    jobs, train = parsed("retrain")[RETRAIN]["jobs"], release("retrain")["jobs"]["train"]
    assert {name: job.get("if") for name, job in jobs.items()} == {
        "start": "github.ref_type == 'branch'",
        "train": "github.ref_type == 'tag'",
        "tag": None,
    }
    for key in ("runs-on", "timeout-minutes", "environment", "permissions"):
        assert jobs["train"][key] == train[key], key
    assert step(jobs["train"], "Assume") == step(train, "Assume")
    assert step(jobs["train"], "Train")["env"]["TOKEN"] == "${{ secrets.TOKEN }}"
    assert jobs["tag"]["needs"] == "train"


def test_what_a_retraining_may_do() -> None:
    jobs = parsed("retrain")[RETRAIN]["jobs"]
    assert rights({"jobs": jobs}) == {
        "start": {"contents": "read", "actions": "write"},
        "train": {"contents": "read", "id-token": "write"},
        "tag": {"contents": "read"},
    }
    assert environments({"jobs": jobs}) == {"train": "tagship-train", "tag": "tagship-deploy"}
    assert [name for name, job in jobs.items() if "github.token" in str(job)] == ["start"]
    assert [name for name, job in jobs.items() if "APP_PRIVATE_KEY" in str(job)] == ["tag"]
    assert [name for name, job in jobs.items() if "secrets.TOKEN" in str(job)] == ["train"]


def test_a_deploy_key_pushes_the_tag_of_a_retraining() -> None:
    jobs = parsed("retrain-key")[RETRAIN]["jobs"]
    assert set(jobs) == {"start", "train", "tag"}
    assert jobs["tag"]["permissions"] == {"contents": "read"}
    assert [name for name, job in jobs.items() if "TAGSHIP_DEPLOY_KEY" in str(job)] == ["tag"]


def test_without_an_app_nothing_is_trained_that_nobody_could_tag() -> None:
    jobs = parsed("retrain-without-app")[RETRAIN]["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items()} == {"start": {"contents": "read"}}
