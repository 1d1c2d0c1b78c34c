"""`generator request`: the command that it prints is run in a real shell against a real server."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from generator.adapters.process_engine import ProcessEngine
from generator.errors import GeneratorError
from generator.image.context import Content, write_context
from generator.serving.bodies import CSV, Body, bodies, choose
from generator.serving.origin import FolderOrigin
from generator.serving.request import LONGEST_ARGUMENT, Client, curl, key_of, server_of
from generator.serving.starting import Starter
from inference.description.openapi import document
from inference.schema import Schema, Tensor
from inference.settings import Release
from tests.generator.packaged import Report
from tests.generator.serving_parts import Environments, save
from tests.generator.test_cli import generator
from tests.parts import need_program

HOSTILE = ("it's", '"$(touch pwned)"', "`touch pwned`", "$HOME\\", "@file", "a\nb", "größe", "; exit 1 #")
KEY = "k3y-of-Ada"


def in_a_shell(command: str, folder: Path, shell: str = "sh", **variables: str) -> str:
    """What the command printed; the shell sees nothing but `variables` and ends without a complaint."""
    need_program("curl", "install curl")
    environment = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(
        [shell, "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), command
    assert not list(folder.iterdir()), "the shell ran what is only text"
    return done.stdout


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose model has the most hostile column names."""
    folder = tmp_path_factory.mktemp("hostile")
    starter = Starter(folder / "work", Environments(), Report())
    with server_of(FolderOrigin(save(folder / "model", 1.5, HOSTILE), folder), starter) as url:
        yield url


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_printed_commands_work_in_a_shell(url: str, empty: Path, shell: str) -> None:
    found = Client(url).bodies()
    assert {"records", "rows", "columns", "features", "dataframe_split", "dataframe_records", "csv", "v2"} <= {
        *found
    }
    for form, body in found.items():
        answer = json.loads(in_a_shell(curl(body, url, None), empty, shell))
        if form == "v2":
            assert answer["outputs"][0]["data"] == [1.5]
        else:
            assert answer.get("predictions", [answer.get("prediction")]) == [1.5], form


@pytest.mark.parametrize("form", ["rows", "csv"])
def test_a_large_body_is_no_argument(url: str, empty: Path, form: str) -> None:
    small = Client(url).bodies()[form]
    rows = LONGEST_ARGUMENT // 10
    if form == "csv":
        *names, row = small.text.splitlines()
        text = "\n".join([*names, *[row] * rows, ""])
    else:
        text = json.dumps({"instances": json.loads(small.text)["instances"] * rows})
    command = curl(replace(small, text=text), url, None)
    assert len(command) > LONGEST_ARGUMENT
    # A shell's own argument has the same limit: from its standard input it may be long.
    done = subprocess.run(["sh"], input=command, capture_output=True, text=True, cwd=empty, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["predictions"] == [1.5] * rows


def test_a_large_document_that_holds_its_own_end(empty: Path) -> None:
    text = "EOF\nEOF_\n" + "x" * LONGEST_ARGUMENT + "\n"
    command = curl(Body("/invocations", text, CSV), "http://127.0.0.1:1", None)
    shown = "cat " + command[command.index("<<") :]
    done = subprocess.run(["sh"], input=shown, capture_output=True, text=True, cwd=empty, check=False)
    assert done.stdout == text


class TestCommand:
    def test_prints_the_command_and_nothing_else(self, url: str, empty: Path) -> None:
        done = generator("request", url, cwd=empty)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(in_a_shell(done.stdout, empty))["predictions"] == [1.5]

    def test_sends(self, url: str, empty: Path) -> None:
        done = generator("request", url, "--send", "--form", "features", cwd=empty)
        assert json.loads(done.stdout)["prediction"] == 1.5
        assert done.stderr.startswith("curl -sS ")

    @pytest.mark.parametrize(
        ("argv", "reason"),
        [
            (["http://127.0.0.1:1"], "http://127.0.0.1:1 does not answer"),
            (["http://ada:secret@127.0.0.1:1"], "an address with a user or password in it would be shown"),
            (["http://"], "is no server's address"),
            (["--key-env", "NOT_SET_ANYWHERE"], "$NOT_SET_ANYWHERE holds no API key"),
            (["--key-env", "A$(B)"], "is no name of an environment variable"),
            (["--key-file", "missing"], "the key file missing cannot be read"),
            (["no/such/folder"], "there is no folder 'no/such/folder'"),
        ],
    )
    def test_what_cannot_be_asked(self, argv: list[str], reason: str, empty: Path) -> None:
        done = generator("request", *argv, cwd=empty)
        assert done.returncode == 1
        assert reason in done.stderr
        assert "secret" not in done.stderr

    def test_two_keys_are_wrong_usage(self, empty: Path) -> None:
        done = generator("request", "--key-env", "A", "--key-file", "b", cwd=empty)
        assert done.returncode == 2


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that asks for a key."""
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "keys").mkdir()
    (folder / "keys/ada").write_text(f"sha256:{hashlib.sha256(KEY.encode()).hexdigest()}\n")
    facts = {"name": "keyed", "version": "1.0.0"}
    model = save(folder / "model", 2.5)
    write_context(folder / "context", Content(model, "numpy==2.4.0 --hash=sha256:00\n", facts, "3.11"))
    engine = ProcessEngine(folder / "engine", Environments(), "3.11")
    engine.build(folder / "context", tag="keyed", platform="linux/amd64", labels={}, reporter=Report())
    with engine.serving("keyed", environment={"TAGSHIP_API_KEYS": str(folder / "keys")}) as url:
        yield url


class TestKey:
    def test_from_a_variable(self, keyed: str, empty: Path) -> None:
        done = generator("request", keyed, "--key-env", "ADA_KEY", cwd=empty, ADA_KEY=KEY)
        assert done.returncode == 0, done.stderr
        assert KEY not in done.stdout + done.stderr
        assert json.loads(in_a_shell(done.stdout, empty, ADA_KEY=KEY))["predictions"] == [2.5]

    def test_from_a_file(self, keyed: str, empty: Path, tmp_path: Path) -> None:
        file = tmp_path / 'the key\'s "$(touch pwned)" file'
        file.write_text(f"{KEY}\n")
        done = generator("request", keyed, "--key-file", str(file), "--send", cwd=empty)
        assert json.loads(done.stdout)["predictions"] == [2.5], done.stderr
        assert KEY not in done.stdout + done.stderr
        assert json.loads(in_a_shell(done.stderr, empty))["predictions"] == [2.5]

    def test_none_and_a_wrong_one(self, keyed: str, empty: Path) -> None:
        none = generator("request", keyed, cwd=empty)
        assert (none.returncode, "asks for an API key: name the environment variable" in none.stderr) == (1, True)
        wrong = generator("request", keyed, "--key-env", "ADA_KEY", cwd=empty, ADA_KEY="wr0ng-key")
        assert (wrong.returncode, "(the one given is refused)" in wrong.stderr) == (1, True)
        assert "wr0ng-key" not in wrong.stderr

    def test_a_key_is_not_in_what_python_shows(self) -> None:
        key = key_of("ADA_KEY", None, {"ADA_KEY": KEY})
        assert KEY not in repr(key) + repr(Client("http://127.0.0.1:1", key))

    @pytest.mark.parametrize("content", ["", "  \n", "two\nlines", "a b", "ключ", "a\x00b"])
    def test_what_is_no_key(self, content: str, tmp_path: Path) -> None:
        (tmp_path / "key").write_text(content)
        with pytest.raises(GeneratorError, match="holds no API key") as raised:
            key_of(None, tmp_path / "key", {})
        assert not content.strip() or content not in str(raised.value)


def test_a_model_of_bare_rows_and_one_of_tensors_and_one_of_nothing() -> None:
    release = Release(name="my model", version="1.0.0")
    rows = bodies(document(release, Schema(named=False, origin="model", width=2), None))
    assert json.loads(rows["rows"].text) == {"instances": [[0.5, 0.5]]}
    assert rows["v2"].path == "/v2/models/my%20model/infer"
    tensor = Schema(named=True, origin="signature", tensors=(Tensor(None, "float32", (-1, 2)),))
    assert {"inputs", "instances", "v2"} == {*bodies(document(release, tensor, None))}
    with pytest.raises(GeneratorError, match="tells nothing of its columns: log it with a signature"):
        choose(bodies(document(release, None, None)), None)


def test_a_server_on_this_machine_is_not_asked_through_a_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    for address in (url, url.replace("127.0.0.1", "localhost")):
        assert Client(address).bodies()
    with pytest.raises(GeneratorError, match="does not answer"):
        Client("http://model.invalid").bodies()


def test_a_form_that_the_model_has_not() -> None:
    found = {"rows": Body("/predict", "{}"), "csv": Body("/invocations", "a\n1\n", CSV)}
    assert choose(found, None) is found["rows"]
    with pytest.raises(GeneratorError, match="no form 'records'; they have: rows, csv"):
        choose(found, "records")


@pytest.mark.parametrize("document", [None, [], {}, {"paths": {"/predict": {}}}, {"paths": []}])
def test_what_is_no_document_of_ours(document: object) -> None:
    with pytest.raises(GeneratorError, match="is not one of our server"):
        bodies(document)
