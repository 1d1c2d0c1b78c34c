"""`generator doctor` as a person and a script meet it: what it prints, its exit code, and what --fix does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.generator.doctor_parts import Resolver, Setup, answering, copy, make
from tests.generator.github.server import TOKEN, GitHubServer
from tests.generator.test_cli import generator
from tests.generator.workspaces import write_many

WORKFLOW = ".github/workflows/release.yml"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return make(tmp_path_factory.mktemp("healthy") / "churn")


@pytest.fixture
def setup(original: Setup, tmp_path: Path) -> Setup:
    return copy(original, tmp_path / "churn")


def test_without_an_error_it_ends_with_0_and_ticks(setup: Setup) -> None:
    done = generator("doctor", "--offline", cwd=setup.root)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert "\N{CHECK MARK} model.yaml" in lines
    assert "\N{CHECK MARK} generated files" in lines
    assert lines[-1].startswith("errors: 0")
    assert "looking at GitHub" in done.stderr
    assert done.stdout.count("run it without --offline") == 6, "each area that was not asked says so"


def test_a_warning_is_no_error(setup: Setup) -> None:
    setup.git("tag", "v1.0.x")
    done = generator("doctor", "--offline", cwd=setup.root)
    assert done.returncode == 0, done.stdout
    setup.push("v1.0.x")
    done = generator("doctor", "--json", cwd=setup.root)
    found = json.loads(done.stdout)["findings"]
    assert [item["severity"] for item in found if "v1.0.x" in item["what"]] == ["warning"]


def test_an_error_is_1_and_says_what_to_do(setup: Setup) -> None:
    (setup.root / "requirements.txt").write_text("mlflow\npandas\n")
    done = generator("doctor", "--offline", cwd=setup.root)
    assert done.returncode == 1
    assert "\N{BALLOT X} is stale" in done.stdout
    assert "run `generator lock` and commit it" in done.stdout


def test_json_has_each_finding_whole(setup: Setup) -> None:
    (setup.root / WORKFLOW).unlink()
    done = generator("doctor", "--offline", "--json", cwd=setup.root)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    areas = ["machine", "repository", "model.yaml", "generated files", "AWS", "registry", "tracking server"]
    assert told["areas"] == [*areas, "cluster", "GitHub"]
    (missing,) = (item for item in told["findings"] if item["area"] == "generated files")
    assert missing == {
        "area": "generated files",
        "severity": "error",
        "what": "is missing",
        "where": WORKFLOW,
        "fix": "run `generator generate` and commit",
        "fixable": "generate",
    }


def test_fix_mends_what_is_safe_and_says_so(setup: Setup) -> None:
    before = (setup.root / WORKFLOW).read_bytes()
    (setup.root / WORKFLOW).unlink()
    (setup.root / ".gitignore").write_text("mlruns/")
    done = generator("doctor", "--offline", "--fix", cwd=setup.root)
    assert done.returncode == 0, done.stdout
    assert (setup.root / WORKFLOW).read_bytes() == before
    assert (setup.root / ".gitignore").read_text() == "mlruns/\n.tagship/\n"
    assert f"generated {WORKFLOW}: look at it and commit it" in done.stderr
    assert "added .tagship/ to .gitignore" in done.stderr
    assert "\N{CHECK MARK} generated files" in done.stdout.splitlines()


def test_fix_writes_a_stale_lock(setup: Setup) -> None:
    from generator.doctor.examining import examine, subject_of
    from generator.doctor.mending import AFTERWARDS, mend

    said: list[str] = []
    (setup.root / "requirements.txt").write_text("mlflow\npandas\n")
    subject = subject_of(setup.root, offline=True)
    assert mend(subject, examine(subject, said.append, AFTERWARDS), said.append, Resolver())
    assert "wrote requirements.lock: look at it and commit it" in said
    assert setup.findings("model.yaml") == []


def test_fix_undoes_nobody_s_work(setup: Setup) -> None:
    (setup.root / WORKFLOW).write_text("on: push\n")
    (setup.root / "k8s/reconciler/staging.yaml").unlink()
    done = generator("doctor", "--offline", "--fix", cwd=setup.root)
    assert done.returncode == 1
    assert (setup.root / WORKFLOW).read_text() == "on: push\n"
    assert not (setup.root / "k8s/reconciler/staging.yaml").exists()


def test_without_fix_nothing_changes(setup: Setup) -> None:
    (setup.root / WORKFLOW).unlink()
    (setup.root / ".gitignore").unlink()
    (setup.root / "requirements.lock").unlink()
    before = setup.files()
    assert generator("doctor", "--offline", cwd=setup.root).returncode == 1
    assert setup.files() == before


def test_a_broken_model_yaml_stops_nothing_else(setup: Setup) -> None:
    (setup.root / "model.yaml").write_text("version: 1\nname: [\n")
    done = generator("doctor", "--json", cwd=setup.root)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    told = json.loads(done.stdout)
    assert len(told["areas"]) == 9
    notes = {item["area"] for item in told["findings"] if item["severity"] == "note"}
    assert notes >= {"repository", "generated files", "AWS", "GitHub"}


def test_an_unknown_model_is_refused(setup: Setup) -> None:
    done = generator("doctor", "--offline", "--model", "nobody", cwd=setup.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no model 'nobody'" in done.stderr


def test_one_model_of_several(tmp_path: Path) -> None:
    write_many(tmp_path, {"churn": "", "demand": ""})
    done = generator("doctor", "--offline", "--json", "--model", "churn", cwd=tmp_path)
    found = [item for item in json.loads(done.stdout)["findings"] if item["area"] == "model.yaml"]
    locks = [(item["where"], item["fix"]) for item in found if item["fixable"] == "lock"]
    assert locks == [("models/churn/requirements.lock", "run `generator lock --model churn` and commit it")]


def test_no_secret_is_printed(setup: Setup, github: GitHubServer) -> None:
    address = "https://ada:hunter2-in-origin@github.com/acme/churn"
    setup.git("remote", "set-url", "origin", address)
    setup.git("config", "--add", f"url.{setup.bare}.insteadOf", address)
    with answering({}) as server:
        secrets = {"AWS_ACCESS_KEY_ID": "AKIAHUNTER2", "AWS_SECRET_ACCESS_KEY": "hunter2-of-aws"}
        more = {"AWS_ENDPOINT_URL": server, "MLFLOW_TRACKING_TOKEN": "hunter2-of-mlflow"}
        for form in ("--json", "--fix"):
            done = generator("doctor", form, cwd=setup.root, **github.variables, **secrets, **more)
            for secret in (TOKEN, "hunter2", "AKIAHUNTER2"):
                assert secret not in done.stdout + done.stderr
            assert "Traceback" not in done.stderr
