"""Overlays in a repository of their own: generated there, deployed, promoted and rolled back there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from generator.adapters.ecr_repository import StoredImage
from generator.artifacts import Rollout
from generator.config.workspace import load
from generator.delivery.promotion import compare_link
from generator.errors import GeneratorError, InvalidInput
from generator.plan.overlays import plan_kubernetes
from generator.promoting import require_approval
from generator.pruning import sort_images
from generator.render import text_of
from generator.store import Store
from tests import parts
from tests.generator.chat import Chat
from tests.generator.configurations import CONFIGURATION, INSTALL, Code, Shared, separate, separate_keys
from tests.generator.github.server import GitHubServer
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.generator.workspaces import SCRIPT, model_yaml, write, write_many

GATED = "gate: {metrics: {accuracy: {min: 0.5}}}\n"


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


def test_releases_promotions_and_rollbacks_land_there_and_nothing_here(shared: Shared) -> None:
    code = Code(shared, more=GATED)
    code.begin()
    before = git(code.bare, "rev-parse", "main")
    code.deploy("1.0.0")
    ledger = shared.ledger("staging")
    assert ledger.current
    assert (ledger.current.version, ledger.current.commit) == ("1.0.0", before)
    assert "replicas: 0" not in shared.shown("churn/k8s/overlays/staging/tagship/deployment.yaml")
    message = git(shared.bare, "log", "-1", "--format=%B", "main")
    assert f"Tagship-Source: https://github.com/acme/churn/commit/{before}" in message
    code.done("promote", "production")
    code.deploy("1.1.0", "b")
    code.done("promote", "production")
    promoted = shared.ledger("production").current
    assert promoted
    assert promoted.version == "1.1.0"
    code.done("rollback", "production", "--reason", "it is wrong")
    back = shared.ledger("production")
    assert back.current
    assert back.current.version == "1.0.0"
    assert [item.version for item in back.rejected] == ["1.1.0"]
    assert shared.log()[0] == "Roll churn back from 1.1.0 to 1.0.0 in production"
    assert git(code.bare, "rev-parse", "main") == before, "something was committed to the code repository"
    git(shared.checkout, "pull", "--quiet", str(shared.bare), "main")
    checked = generator("validate", "--ledgers", "--changed", "HEAD~1", cwd=shared.checkout)
    assert checked.returncode == 0, checked.stderr
    assert "up to date" in code.done("generate", "--check", "--into", str(shared.checkout))
    worse = code.run("stage", "deploy", "--release", code.tag("1.2.0", "c", accuracy=0.6))
    assert worse.returncode == 1
    assert "accuracy is 0.6, lower than 0.9 of 1.1.0, which serves now" in worse.stderr


def test_two_repositories_share_it_and_leave_each_other_alone(shared: Shared) -> None:
    churn, demand = Code(shared, "churn"), Code(shared, "demand")
    churn.begin()
    assert "remove" not in demand.begin()
    assert "up to date" in churn.done("generate", "--check", "--into", str(shared.checkout))
    tags = {churn: churn.tag("1.0.0", "a"), demand: demand.tag("1.0.0", "b")}
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(code.done, "stage", "deploy", "--release", tag) for code, tag in tags.items()]
    for run in runs:
        run.result()
    for code, digit in ((churn, "a"), (demand, "b")):
        current = shared.ledger("staging", code.name).current
        assert current
        assert current.digest == f"sha256:{digit * 64}"


def test_generate_says_what_it_does_not_write_and_writes_it_into_a_checkout(shared: Shared) -> None:
    code = Code(shared)
    said = code.done("generate")
    assert f"k8s/ of churn belongs into {CONFIGURATION}: `generator generate --into CHECKOUT` writes it" in said
    assert not (code.root / "k8s").exists()
    into = ("--into", str(shared.checkout))
    assert code.run("generate", "--check", *into).returncode == 1
    assert {path.name for path in shared.checkout.iterdir()} == {".git"}, "a check wrote something"
    assert f"wrote: {shared.checkout}/churn/k8s/base/deployment.yaml" in code.done("generate", *into)
    assert code.run("generate", "--check", *into).returncode == 0
    application = (shared.checkout / "churn/k8s/reconciler/production.yaml").read_text()
    assert f'repoURL: "{CONFIGURATION}"' in application
    assert 'path: "churn/k8s/overlays/production"' in application
    assert git(shared.checkout, "status", "--porcelain") != "", "it was committed"


def test_into_takes_a_checkout_of_that_repository_alone(shared: Shared, tmp_path: Path) -> None:
    code = Code(shared)
    plain = tmp_path / "plain"
    plain.mkdir()
    assert "in no Git repository" in code.run("generate", "--into", str(plain)).stderr
    git(plain, "init", "--quiet")
    git(plain, "remote", "add", "origin", "https://ada:secret@github.com/acme/others")
    refused = code.run("generate", "--into", str(plain)).stderr
    assert (
        f"was cloned from https://***@github.com/acme/others, but deploy.repository is {CONFIGURATION}" in refused
    )
    assert "is this very repository" in code.run("generate", "--into", ".").stderr
    assert not (code.root / ".github").exists(), "something was written"
    (shared.checkout / "churn").mkdir()
    (shared.checkout / "churn/.tagship.source.yaml").write_text(
        "model: churn\nrepository: https://github.com/else/churn\nenvironments: [live]\n"
    )
    taken = code.run("generate", "--into", str(shared.checkout)).stderr
    assert "holds churn of https://github.com/else/churn, not of https://github.com/acme/churn" in taken


def test_another_repositorys_model_of_that_name_is_not_deployed_to(shared: Shared) -> None:
    code = Code(shared)
    code.begin()
    path = shared.checkout / "churn/.tagship.source.yaml"
    path.write_text(path.read_text().replace("acme/churn", "else/churn"))
    shared.push("Give it away")
    refused = code.run("stage", "deploy", "--release", code.tag("1.0.0"))
    assert "Two models of one name" in refused.stderr


def test_a_commit_that_is_not_on_the_release_branch_is_refused(shared: Shared) -> None:
    code = Code(shared)
    code.begin()
    (code.root / "more").write_text("")
    commit_all(code.root, "Not pushed")
    refused = code.run("stage", "deploy", "--release", code.tag("1.0.0"))
    assert "is not on main: merge it there" in refused.stderr


def test_its_check_refuses_what_contradicts_itself(shared: Shared) -> None:
    code = Code(shared)
    code.begin()
    code.deploy("1.0.0")
    root = shared.checkout
    git(root, "pull", "--quiet", str(shared.bare), "main")
    overlay = root / "churn/k8s/overlays/staging"
    text = (overlay / "kustomization.yaml").read_text()
    (overlay / "kustomization.yaml").write_text(text.replace("a" * 64, "b" * 64))
    assert "is not the ledger's" in generator("validate", "--ledgers", cwd=root).stderr
    (overlay / "kustomization.yaml").write_text(text)
    (root / "churn/k8s/overlays/production/release.yaml").unlink()
    gone = generator("validate", "--ledgers", "--changed", "HEAD", cwd=root).stderr
    assert "churn/k8s/overlays/production/release.yaml: is gone" in gone
    git(root, "checkout", "--", ".")
    (overlay / "tagship/deployment.yaml").unlink()
    if shutil.which("kustomize"):
        assert "kustomize cannot render" in generator("validate", "--ledgers", cwd=root).stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("push: {mode: app},\n", "\n", "a workflow's own token may not write: set deploy.push.mode to app"),
        (CONFIGURATION, "https://github.com/acme", "must be https://HOST/OWNER/NAME or ssh://git@HOST"),
        (CONFIGURATION, "https://example.com/acme/d", "is on example.com, which no token of github.com opens"),
        (CONFIGURATION, "https://github.com/acme/churn.git", "is this very repository: write same"),
        ("repository: {url: https://github.com/acme/churn}\n", "", "needs repository.url"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, separate().replace(old, new))
    assert message in str(refused.value)


def test_a_branch_is_for_another_repository_and_retraining_is_not_there_yet(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"deploy\.branch is for a configuration repository"):
        write(tmp_path, model_yaml("deploy: {branch: live}\n"))
    with pytest.raises(InvalidInput, match="retrain is not supported yet with deploy.repository"):
        write(tmp_path, separate(more="retrain: {}\n"))


@pytest.fixture
def two(shared: Shared, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A repository of the models a and b, whose overlays are in the shared one; Git's variables, and a trace."""
    root, env = tmp_path / "code", shared.env("code") | {"GIT_TRACE2_EVENT": str(tmp_path / "trace")}
    root.mkdir()
    write_many(root, dict.fromkeys("ab", separate_keys("code")))
    git(tmp_path, "init", "--quiet", "--bare", str(tmp_path / "code.git"))
    git(root, "init", "--quiet")
    assert generator("generate", "--into", str(shared.checkout), cwd=root, **env).returncode == 0
    commit_all(root, "Begin")
    git(root, "push", "--quiet", str(tmp_path / "code.git"), "HEAD:main")
    git(root, "remote", "add", "origin", "https://github.com/acme/code")
    shared.push("Begin")
    return root, env


@pytest.mark.parametrize(("flags", "clones"), [((), 1), (("--chain",), 2)])
def test_status_of_many_models_clones_each_repository_once(
    two: tuple[Path, dict[str, str]], tmp_path: Path, flags: tuple[str, ...], clones: int
) -> None:
    root, env = two
    done = generator("status", "--json", *flags, cwd=root, KUBECONFIG="/dev/null", **env)
    assert done.returncode == 0, done.stderr
    assert [row["model"] for row in json.loads(done.stdout)] == ["a", "a", "b", "b"]
    events = [json.loads(line) for line in (tmp_path / "trace").read_text().splitlines()]
    names = [event["name"] for event in events if event["event"] == "cmd_name"]
    assert names.count("clone") == clones


def test_status_of_one_model_asks_for_no_others_repository(tmp_path: Path) -> None:
    alone = "repository: {url: https://github.com/acme/code}\n"
    write_many(tmp_path, {"a": alone, "b": separate_keys("code")})
    env = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{tmp_path}/none.insteadOf"}
    env["GIT_CONFIG_VALUE_0"] = CONFIGURATION
    assert generator("status", "--model", "b", cwd=tmp_path, **env).returncode == 1
    done = generator("status", "--model", "a", cwd=tmp_path, **env)
    assert done.returncode == 0, done.stderr


def test_status_and_the_announcement_say_what_runs_there(shared: Shared, github: GitHubServer, chat: Chat) -> None:
    code = Code(shared)
    code.begin()
    code.deploy("1.0.0", accuracy=0.8)
    code.deploy("1.1.0", "b")
    assert json.loads(code.done("status", "--json"))[0]["current"]["version"] == "1.1.0"
    store = Store(code.root / ".tagship/churn-1.1.0")
    commit = git(code.root, "rev-parse", "HEAD")
    store.write(
        "observe",
        Rollout(
            name="churn", version="1.1.0", commit=commit, environment="staging", digest="sha256:" + "b" * 64,
            state="unobserved", detail="nobody looked",
        ),
    )  # fmt: skip
    needs = {name: {"result": "success", "outputs": {}} for name in ("deploy", "observe")}
    env = {
        **shared.env("churn"), **github.variables, "GITHUB_ACTIONS": "true", "NEEDS": json.dumps(needs),
        "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/churn", "TAGSHIP_WEBHOOK": chat.url,
    }  # fmt: skip
    told = generator("announce", "release", "--release", "refs/tags/v1.1.0", cwd=code.root, **env)
    assert told.returncode == 0, told.stderr
    (page,) = github.repository.releases
    assert "| `accuracy` | 0.8 | 0.9 | +0.1 |" in page["body"]
    assert f"{CONFIGURATION}/commit/{git(shared.bare, 'rev-parse', 'main')}" in page["body"]
    assert f"https://github.com/acme/churn/commit/{commit}" in page["body"]
    before = len(github.writes)
    for job in ("deploy", "observe"):
        failed = {**env, "NEEDS": json.dumps({**needs, job: {"result": "failure", "outputs": {}}})}
        again = generator("announce", "release", "--release", "refs/tags/v1.1.0", cwd=code.root, **failed)
        assert again.returncode == 0, again.stderr
    assert len(github.writes) == before, "it was said to have failed where it runs"
    unknown, runs = (message["text"] for message in chat.got[1:])
    assert unknown.startswith(":x: churn 1.1.0 was not released: deploy failed\n")
    assert runs.startswith(
        ":warning: churn 1.1.0 is what staging shall run, by a commit on the branch, yet observe"
    )


def test_a_promotions_pull_request_shows_the_manifests(shared: Shared) -> None:
    parts.need_kustomize()
    code = Code(shared)
    (code.root / "model.yaml").write_text(separate().replace("production: {via: commit}", "production: "))
    code.begin()
    code.deploy("1.0.0")
    summary = shared.folder / "summary"
    env = {**shared.env("churn"), "GITHUB_STEP_SUMMARY": str(summary)}
    done = generator("promote", "production", cwd=code.root, **env)
    assert done.returncode == 0, done.stderr
    assert f"{CONFIGURATION}/compare/main...tagship/churn/production?expand=1" in done.stdout
    text = summary.read_text()
    assert "| `churn` | `production` | none → `1.0.0` |" in text
    assert "https://github.com/acme/churn/commit/" in text
    assert shared.ledger("production").current is None


def test_init_over_such_a_model_says_what_is_left_to_write(tmp_path: Path) -> None:
    write(tmp_path, separate())
    done = generator("init", "--yes", "--no-lock", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "generator generate --into CHECKOUT" in done.stdout.split("Next:")[1]


def test_prune_keeps_what_the_ledgers_there_name(shared: Shared) -> None:
    code = Code(shared)
    code.begin()
    code.deploy("1.0.0")
    git(shared.checkout, "pull", "--quiet", str(shared.bare), "main")
    old = datetime(2026, 1, 1, tzinfo=UTC)
    images = [
        StoredImage("sha256:" + digit * 64, (tag,), old, None, 10)
        for digit, tag in (("a", "1.0.0"), ("b", "0.9.0"))
    ]
    workspace, now, age = load(code.root), datetime(2026, 11, 21, tzinfo=UTC), timedelta(days=30)
    given = (images, {"main": workspace}, workspace.models[0].image_repository)
    found = sort_images(*given, now=now, age=age, home_of=lambda _head, model: shared.checkout / model.name)
    assert [image.tags for image in found.prunable] == [("0.9.0",)]
    with pytest.raises(InvalidInput, match="what runs there is not known"):
        sort_images(*given, now=now, age=age)


def test_doctor_looks_whether_the_branch_is_there(shared: Shared) -> None:
    code = Code(shared)
    code.done("generate")
    commit_all(code.root, "Begin")
    env = {**os.environ, **shared.env("churn")}
    subprocess.run(["git", "push", "--quiet", "origin", "main"], cwd=code.root, env=env, check=True)
    absent = f"the configuration repository has no branch main: nothing can land ({CONFIGURATION})"
    assert absent in code.run("doctor").stdout
    code.done("generate", "--into", str(shared.checkout))
    shared.push("Add churn")
    assert "the configuration repository" not in code.run("doctor").stdout


def test_of_a_workspace_those_are_written_that_belong_into_the_checkout(tmp_path: Path) -> None:
    root, into = tmp_path / "code", tmp_path / "into"
    root.mkdir()
    into.mkdir()
    (root / "tagship.yaml").write_text("models: [models/*]\nrepository: {url: https://github.com/acme/models}\n")
    wanted = {"churn": CONFIGURATION, "demand": "https://github.com/acme/others"}
    for name, url in wanted.items():
        (root / "models" / name).mkdir(parents=True)
        more = f"deploy: {{repository: {url}, push: {{mode: app}}}}\npipeline: {{install: '{INSTALL}'}}\n"
        (root / "models" / name / "model.yaml").write_text(model_yaml(more, name=name))
        (root / "models" / name / "train.py").write_text(SCRIPT)
        (root / "models" / name / "requirements.txt").write_text("scikit-learn\n")
    git(into, "init", "--quiet")
    assert "says which it is" in generator("generate", "--into", str(into), cwd=root).stderr
    git(into, "remote", "add", "origin", "git@github.com:acme/deployments.git")
    done = generator("generate", "--into", str(into), cwd=root)
    assert done.returncode == 0, done.stderr
    assert "k8s/ of demand belongs into https://github.com/acme/others" in done.stdout
    assert {path.name for path in into.iterdir()} == {".git", ".github", "churn"}


def test_an_approval_is_looked_for_where_the_workflow_runs(tmp_path: Path, github: GitHubServer) -> None:
    """GH_TOKEN is for the configuration repository there, and sees no environment of this one."""
    text = separate().replace("production: {via: commit}", "production: {via: commit, approval: true}")
    model = write(tmp_path, text).model(None)
    given = {
        **github.variables, "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/churn",
        "GITHUB_RUN_ATTEMPT": "1", "APPROVED_IN": "1", "GH_TOKEN": "of_the_other_repository",
    }  # fmt: skip
    own = {**given, "GITHUB_TOKEN": github.variables["GH_TOKEN"]}
    with pytest.raises(GeneratorError, match="GitHub has no environment tagship-churn-production"):
        require_approval(model, "production", own)
    with pytest.raises(GeneratorError, match="no token for GitHub"):
        require_approval(model, "production", given)


def test_a_code_pull_requests_preview_says_where_the_manifests_are(shared: Shared) -> None:
    parts.need_kustomize()
    code = Code(shared)
    code.done("generate")
    commit_all(code.root, "Begin")
    (code.root / "train.py").write_text(f"{SCRIPT}# better\n")
    commit_all(code.root, "Improve")
    said = code.done("preview", "--base", "HEAD~1")
    assert f"The manifests of churn are in {CONFIGURATION}" in said
    assert "No environment of any model is concerned." in said
    assert "stale" not in said


def test_flux_fetches_the_models_folder_alone_with_a_key_of_its_own(tmp_path: Path) -> None:
    address = CONFIGURATION.replace("https://", "ssh://git@")
    text = separate().replace("engine: argocd", "engine: flux").replace(CONFIGURATION, address)
    model = write(tmp_path, text).model(None)
    found = {file.path: text_of(file) for file in plan_kubernetes(model, {}) if "reconciler" in file.path}
    staging = found["k8s/reconciler/staging.yaml"]
    for line in (
        f'url: "{address}"',
        "    !/churn\n",
        'path: "./churn/k8s/overlays/staging"',
        'name: "churn-git"',
    ):
        assert line in staging
    assert compare_link(model, "b") == f"{CONFIGURATION}/compare/main...b?expand=1"
