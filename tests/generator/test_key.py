"""`generator key`: what it prints, that it writes nothing, and that the server takes what it makes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from inference.access.keys import Keys
from tests import parts
from tests.generator.test_cli import files, generator
from tests.generator.workspaces import model_yaml, write

KEYED = model_yaml("serve: {api_keys: churn-api-keys}\n")
ENVIRONMENTS = """\
deploy:
  environments:
    staging:
    production: {namespace: live, serve: {api_keys: live-keys}}
"""


def test_the_key_is_shown_once_and_stored_nowhere(tmp_path: Path) -> None:
    write(tmp_path, KEYED)
    before = files(tmp_path)
    done = generator("key", "mobile-app", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (key,) = re.findall(r"^  (tagship_[A-Za-z0-9_-]{43})$", done.stdout, re.MULTILINE)
    assert done.stdout.count(key) == 1
    digest = f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    assert f"create secret generic churn-api-keys --from-literal=mobile-app={digest}\n" in done.stdout
    assert files(tmp_path) == before
    assert key not in generator("key", "mobile-app", cwd=tmp_path).stdout, "the next one is another"


def commands(text: str) -> list[list[str]]:
    """What a shell makes of each kubectl line."""
    return [shlex.split(line) for line in text.splitlines() if line.startswith("  kubectl")]


def test_the_commands_name_the_secret_and_the_key(tmp_path: Path) -> None:
    write(tmp_path, KEYED)
    create, add, remove = commands(generator("key", "team.b_2", cwd=tmp_path).stdout)
    name, _, digest = create[-1].removeprefix("--from-literal=").partition("=")
    assert create[:-1] == ["kubectl", "--namespace", "churn", "create", "secret", "generic", "churn-api-keys"]
    assert add[:-1] == ["kubectl", "--namespace", "churn", "patch", "secret", "churn-api-keys", "--patch"]
    assert json.loads(add[-1]) == {"stringData": {name: digest}} == {"stringData": {"team.b_2": digest}}
    assert remove[-3:-1] == ["--type=json", "--patch"]
    assert json.loads(remove[-1]) == [{"op": "remove", "path": "/data/team.b_2"}]


@pytest.mark.e2e
def test_kubectl_does_what_the_commands_say(tmp_path: Path) -> None:
    """The real kubectl on a file; it asks no cluster."""
    parts.need_program("kubectl", "put kubectl on the PATH, or source the test bed's env")
    write(tmp_path, KEYED)
    create, add, _ = commands(generator("key", "app", cwd=tmp_path).stdout)
    _, _, remove = commands(generator("key", "app", cwd=tmp_path).stdout)

    def kubectl(*argv: str) -> Any:
        environment = {**os.environ, "HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "none")}
        whole = [*argv, "--output=json"]
        done = subprocess.run(whole, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        (tmp_path / "secret.json").write_text(done.stdout)
        return json.loads(done.stdout)

    def on_the_file(argv: list[str]) -> list[str]:
        """The same change, of a file instead of the cluster's object."""
        here = ["--local", f"--filename={tmp_path / 'secret.json'}"]
        return [word for word in argv if word not in ("secret", "churn-api-keys")] + here

    made = kubectl(*create, "--dry-run=client")
    assert (made["kind"], made["metadata"]["namespace"], made["metadata"]["name"]) == (
        "Secret", "churn", "churn-api-keys"
    )  # fmt: skip
    digest = base64.b64decode(made["data"]["app"]).decode()
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest)
    assert kubectl(*on_the_file(add))["stringData"] == {"app": digest}
    assert kubectl(*on_the_file(remove))["data"] == {}


def test_the_server_takes_what_it_makes(tmp_path: Path) -> None:
    write(tmp_path, KEYED)
    made = json.loads(generator("key", "app", "--json", cwd=tmp_path).stdout)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / made["name"]).write_text(made["hash"])
    keys = Keys(tmp_path / "keys")
    keys.refresh()
    assert keys.name_of(made["key"].encode()) == "app"


def test_only_environments_with_keys_are_named(tmp_path: Path) -> None:
    write(tmp_path, model_yaml(ENVIRONMENTS))
    text = generator("key", "app", cwd=tmp_path).stdout
    assert "production: the first key makes the Secret" in text
    assert "kubectl --namespace live create secret generic live-keys" in text
    assert "staging" not in text


def test_where_no_keys_are_asked_for_none_is_made(tmp_path: Path) -> None:
    write(tmp_path)
    done = generator("key", "app", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "model.yaml asks for no keys: add `api_keys: churn-api-keys` below `serve:`" in done.stderr


@pytest.mark.parametrize(
    "name", ["", "a b", "-a", "a;b", "$(id)", "a/b", "../a", "a'b", "é", "a\n", "a" * 64, ".a"]
)
def test_a_name_that_is_no_key_of_a_secret_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, KEYED)
    done = generator("key", "--", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
