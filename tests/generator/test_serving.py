"""`generator serve`: what a source means, what /metadata says of it, and a swap that loses no request."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from generator.adapters.harness import MlflowHarness
from generator.config.model import Model
from generator.config.workspace import load
from generator.errors import GeneratorError
from generator.image.context import release_facts
from generator.plan.pipeline import Stage
from generator.serving.keeping import Keeper
from generator.serving.naming import RegisteredName, RunName, parse
from generator.serving.origin import FolderOrigin, Origin, Served
from generator.serving.starting import Started, Starter, listening, url_of
from generator.serving.tracking import tracking_of
from generator.serving.where import Asked, origin_of
from tests.certificates import certified
from tests.generator.packaged import Report, ingredients, lay_out
from tests.generator.serving_parts import (
    Environments,
    Load,
    TrackingServer,
    ask,
    kept,
    save,
    tracking_server,
    wait_until,
)
from tests.generator.workspaces import SMALLEST

Named = Callable[..., Origin]
RUN = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, so that what the server imports is compiled once."""
    return tmp_path_factory.mktemp("work")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (f"runs:/{RUN}", RunName(RUN, None)),
        (f"runs:/{RUN}/models/forest", RunName(RUN, "models/forest")),
        (RUN, RunName(RUN, None)),
        ("models:/churn/3", RegisteredName("churn", "3", None)),
        ("models:/churn@live", RegisteredName("churn", None, "live")),
        ("churn@live", RegisteredName("churn", None, "live")),
        ("models:/churn", RegisteredName("churn", None, None)),
        ("models:/churn/latest", RegisteredName("churn", None, None)),
        ("churn", RegisteredName("churn", None, None)),
        ("models:/Customer churn.v2/3", RegisteredName("Customer churn.v2", "3", None)),
    ],
)
def test_what_a_source_names(text: str, meant: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse(text) == meant


def test_a_folder_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "churn").mkdir()
    assert parse("churn") == Path("churn")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("runs:/123", "a run id is 32 hexadecimal digits"),
        ("models:/churn/three", "write models:/<name>/<version>"),
        ("models:/", "write models:/<name>/<version>"),
        ("models:/a'b/1", "write models:/<name>/<version>"),
        ("build/model", "there is no folder 'build/model': name a model folder, runs:/"),
        ("s3://bucket/model", "there is no folder 's3://bucket/model'"),
    ],
)
def test_what_names_nothing(text: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GeneratorError, match=reason):
        parse(text)


class TestFolder:
    def test_a_new_model_is_swapped_in_without_a_lost_request(self, tmp_path: Path, work: Path) -> None:
        folder = save(tmp_path / "model", 1.0)
        with kept(FolderOrigin(folder, tmp_path), work) as server:
            with Load(server.port) as load:
                save(folder, 2.0)
                server.wait_for("serving model 0.0.0")
                save(folder, 3.0)
                wait_until(lambda: server.said.count("serving model 0.0.0") == 2 or bool(server.ended))
            assert load.failures == []
            assert set(load.answers) <= {1.0, 2.0, 3.0}
            assert ask(server.port)["predictions"] == [3.0]
            # The files of the old servers go, too.
            wait_until(lambda: len(list((work / "engine/images").iterdir())) == 1)
        assert not list((work / "engine/images").iterdir())
        assert not list((work / "engine").rglob("served-*")), "their bytecode is kept"
        assert not list(work.glob("new-*"))

    def test_a_broken_model_leaves_the_old_one_serving_and_is_told_once(self, tmp_path: Path, work: Path) -> None:
        folder = save(tmp_path / "model", 1.0)
        pickle = next(folder.glob("model.*"))
        with kept(FolderOrigin(folder, tmp_path), work) as server:
            pickle.write_bytes(b"no model at all")
            server.wait_for("the new model cannot be served, model 0.0.0 stays: ")
            assert ask(server.port)["predictions"] == [1.0]
            (folder / "MLmodel").rename(folder / "MLmodel.away")
            server.wait_for("holds no MLmodel file")
            assert ask(server.port)["predictions"] == [1.0]
            save(folder, 2.0)
            server.wait_for("serving model 0.0.0")
            assert ask(server.port)["predictions"] == [2.0]
        assert len([line for line in server.said if "cannot be served" in line]) == 2

    def test_whatever_is_wrong_with_the_new_model_the_old_one_serves(self, tmp_path: Path, work: Path) -> None:
        class Full(FolderOrigin):
            def bring(self, folder: Path) -> Served:
                if (tmp_path / "full").exists():
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return super().bring(folder)

        folder = save(tmp_path / "model", 1.0)
        described = (folder / "MLmodel").read_text()
        with kept(Full(folder, tmp_path), work) as server:
            (folder / "dangling").symlink_to(tmp_path / "nowhere")
            (folder / "README").touch()  # a link to nothing alone is not seen
            server.wait_for("No such file or directory")
            (folder / "dangling").unlink()
            (folder / "requirements.txt").write_bytes("scikit-learn  # fr\xfcher\n".encode("latin-1"))
            server.wait_for("requirements.txt is not UTF-8")
            (folder / "MLmodel").write_text(described.replace("flavors:", "flavors: [1]\nothers:"))
            server.wait_for("has no pyfunc flavor")
            (tmp_path / "full").touch()
            (folder / "MLmodel").write_text(described)
            server.wait_for("model 0.0.0 stays: [Errno 28] No space left on device")
            assert ask(server.port)["predictions"] == [1.0]
        assert len([line for line in server.said if "cannot be served" in line]) == 4

    def test_a_server_that_ends_by_itself_is_told_with_its_last_words(self, tmp_path: Path, work: Path) -> None:
        folder = save(tmp_path / "model", 1.0)

        def kill(started: Started) -> None:
            for process in Path("/proc").glob("[0-9]*/fd/1"):
                with contextlib.suppress(OSError):
                    if process.resolve() == started.server.log and b"inference" in (
                        process.parents[1] / "cmdline"
                    ).read_bytes().split(b"\0"):
                        os.kill(int(process.parts[2]), signal.SIGKILL)

        with listening("127.0.0.1", 0) as listener:
            keeper = Keeper(
                FolderOrigin(folder, tmp_path), Starter(work, Environments(), Report(), listener), Report()
            )
            with pytest.raises(
                GeneratorError, match="(?s)the server ended by itself; it said:\n.*the model is ready"
            ):
                keeper.keep(reload=False, ready=kill)
        assert not list((work / "engine/images").iterdir())

    def test_a_source_that_cannot_be_looked_at_is_told_once(self, tmp_path: Path, work: Path) -> None:
        @dataclass(frozen=True)
        class Flaky(FolderOrigin):
            def look(self) -> object:
                if (tmp_path / "away").exists():
                    raise GeneratorError("the registry is away")
                return super().look()

        folder = save(tmp_path / "model", 1.0)
        with kept(Flaky(folder, tmp_path), work) as server:
            (tmp_path / "away").touch()
            server.wait_for("model cannot be looked at, the model stays: the registry is away")
            save(folder, 2.0)
            assert ask(server.port)["predictions"] == [1.0]
            (tmp_path / "away").unlink()
            server.wait_for("serving model 0.0.0")
            assert ask(server.port)["predictions"] == [2.0]
        assert len([line for line in server.said if "the registry is away" in line]) == 1

    def test_facts_of_a_folder_and_of_a_release(self, tmp_path: Path) -> None:
        release = lay_out(tmp_path / "repo")
        given = ingredients(release)
        folder = release.store.folder
        for stage, artifact in ((Stage.TRAIN, given.trained), (Stage.REGISTER, given.registered)):
            release.store.write(stage, artifact)
        facts = FolderOrigin(folder, tmp_path).bring(tmp_path / "unused").facts
        assert (facts["name"], facts["version"], facts["commit"]) == ("churn", "1.2.3", given.trained.commit)
        assert facts == release_facts(given.trained, given.registered)
        (folder / "register.json").unlink()
        assert FolderOrigin(folder, tmp_path).bring(tmp_path).facts == {**facts, "registered_version": None}
        (folder / "train.json").unlink()
        facts = FolderOrigin(folder, tmp_path).bring(tmp_path).facts
        assert (facts["name"], facts["version"], facts["commit"]) == ("model", "0.0.0", None)

    def test_what_a_killed_command_left_is_removed(self, tmp_path: Path) -> None:
        ended = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
        images = tmp_path / "work/engine/images"
        new = [tmp_path / f"work/new-{pid}-abc" for pid in (ended, os.getpid())]
        bytecode = tmp_path / "work/engine/environments/3.11-0/bytecode" / str(images).lstrip("/")
        for folder in (*new, bytecode / f"served-{ended}-1", bytecode / f"served-{os.getpid()}-7"):
            folder.mkdir(parents=True)
        for name in (f"served-{ended}-1", f"served-{os.getpid()}-7", "tagship.local_churn_1.2.3"):
            (images / name).mkdir(parents=True)
        with pytest.raises(GeneratorError, match="holds no MLmodel file"):
            Starter(tmp_path / "work", Environments(), Report()).start(FolderOrigin(tmp_path / "none", tmp_path))
        assert {path.name for path in images.iterdir()} == {f"served-{os.getpid()}-7", "tagship.local_churn_1.2.3"}
        assert [path.name for path in bytecode.iterdir()] == [f"served-{os.getpid()}-7"]
        assert [path.exists() for path in new] == [False, True]

    def test_without_a_source_the_model_trained_last(self, tmp_path: Path) -> None:
        origin = origin_of(Asked(None, tmp_path), Report())
        with pytest.raises(GeneratorError, match="no trained model here: name a folder"):
            origin.look()
        for name, when in (("churn-0.2.0", 2), ("churn-0.1.0", 1)):
            (tmp_path / ".tagship" / name / "model").mkdir(parents=True)
            (tmp_path / ".tagship" / name / "model/MLmodel").write_text("")
            os.utime(tmp_path / ".tagship" / name / "model/MLmodel", (when, when))
        assert origin.shown == str(tmp_path / ".tagship/churn-0.2.0/model")


def test_the_address_is_taken_before_anything_is_built() -> None:
    with listening("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        busy = pytest.raises(GeneratorError, match="Address already in use.*name another with --port")
        with busy, listening("127.0.0.1", port):
            raise AssertionError("it was free")
        assert url_of(first) == f"http://127.0.0.1:{port}"
    with listening("0.0.0.0", 0) as every:
        assert url_of(every).startswith("http://127.0.0.1:")
    with (
        pytest.raises(GeneratorError, match="cannot listen on nowhere.invalid:80"),
        listening("nowhere.invalid", 80),
    ):
        raise AssertionError("there is no such host")
    with pytest.raises(GeneratorError, match="cannot listen on a{70}:80"), listening("a" * 70, 80):
        raise AssertionError("no host has such a name")


@dataclass(frozen=True)
class Registered:
    """A tracking server with two versions of `churn`; `live` points at the first."""

    server: TrackingServer
    first: str  # run ids
    second: str

    @property
    def uri(self) -> str:
        return self.server.uri


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    with tracking_server(tmp_path_factory.mktemp("tracking")) as server:
        first, second = server.register(1.0, release="churn-1.2.3"), server.register(2.0)
        server.alias("1")
        yield Registered(server, first, second)


class TestRegistry:
    @pytest.fixture
    def named(self, registry: Registered, tmp_path: Path) -> Named:
        def origin(source: str, **asked: object) -> Origin:
            return origin_of(
                Asked(source, tmp_path, **{"tracking_uri": registry.uri, "poll": 0.1, **asked}),
                Report(),
                environments=Environments(),
                harness=MlflowHarness(),
            )

        return origin

    def test_each_name_brings_its_model_and_what_it_is(
        self, named: Named, registry: Registered, tmp_path: Path
    ) -> None:
        run, other = registry.first, registry.second
        keys = ("name", "version", "run_id", "registered_version", "commit")
        released = ("churn", "1.2.3", run, "1", "c" * 40)
        for source, expected in {
            "models:/churn/1": released,
            "models:/churn@live": released,
            "churn": ("churn", "2", other, "2", None),
            f"runs:/{run}/model": ("model", run[:8], run, None, None),
            other: ("model", other[:8], other, None, None),
        }.items():
            served = named(source).bring(tmp_path / "".join(filter(str.isalnum, source)))
            assert tuple(served.facts[key] for key in keys) == expected, source
            assert (served.model / "MLmodel").is_file()

    def test_an_alias_that_moves_swaps_the_model(
        self, named: Named, registry: Registered, tmp_path: Path, work: Path
    ) -> None:
        with kept(named("models:/churn@live"), work) as running:
            assert ask(running.port)["predictions"] == [1.0]
            facts = ask(running.port, "GET", "/metadata")
            assert (facts["name"], facts["version"], facts["registered_version"]) == ("churn", "1.2.3", "1")
            registry.server.alias("2")
            try:
                running.wait_for("serving churn 2 (version 2)")
                assert ask(running.port)["predictions"] == [2.0]
                assert ask(running.port, "GET", "/metadata")["run_id"] == registry.second
            finally:
                registry.server.alias("1")

    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("models:/churn/9", "the registered model 'churn' at URI has no version 9; it has: 2, 1"),
            (
                "models:/churn@challenger",
                "the registered model 'churn' at URI has no alias 'challenger'; it has: live",
            ),
            ("models:/chrun", "URI has no registered model 'chrun'; it has: churn"),
            (f"runs:/{RUN}", f"URI has no run {RUN}: look its id up there"),
        ],
    )
    def test_what_is_not_there(self, named: Named, registry: Registered, source: str, reason: str) -> None:
        with pytest.raises(GeneratorError) as raised:
            named(source).look()
        assert str(raised.value).startswith(reason.replace("URI", registry.uri))

    def test_a_version_never_changes(self, named: Named, work: Path) -> None:
        origin = named("models:/churn/1")
        with pytest.raises(GeneratorError, match="models:/churn/1 is always the same model: --reload is for"):
            Keeper(origin, Starter(work, Environments(), Report()), Report()).keep(reload=True, ready=print)

    def test_the_small_environment_has_the_servers_version(
        self, registry: Registered, tmp_path: Path, work: Path
    ) -> None:
        environments = Environments()
        asked = Asked("models:/churn/1", tmp_path, registry.uri)
        origin_of(asked, Report(), environments=environments).look()
        origin_of(asked, Report(), environments=environments).look()
        version = registry.server.run("import mlflow; print(mlflow.__version__)")
        assert environments.compiled == [f"mlflow-skinny=={version}\n"], "resolved again, or another version"

    def test_in_a_repository_the_training_lock_is_asked(self, registry: Registered, tmp_path: Path) -> None:
        more = f"tracking: {{uri: {registry.uri}}}\n"
        (tmp_path / "model.yaml").write_text(SMALLEST + more)
        (tmp_path / "requirements.lock").write_text("mlflow==3.13.0 --hash=sha256:00\n")
        environments, report = Environments(registry.server.python), Report()
        origin_of(Asked("churn", tmp_path), report, environments=environments).look()
        assert environments.compiled == []
        assert "asking with the MLflow of requirements.lock" in report.said


class TestTracking:
    @pytest.fixture
    def model(self, tmp_path: Path) -> Model:
        (tmp_path / "model.yaml").write_text(
            SMALLEST + "tracking: {uri: https://mlflow.example.com, secret: CORP_TOKEN}\n"
        )
        (found,) = load(tmp_path)
        return found

    def test_the_nearest_word_wins(self, model: Model) -> None:
        environ = {"MLFLOW_TRACKING_URI": "http://environment"}
        assert tracking_of("http://flag", model, environ).uri == "http://flag"
        assert tracking_of(None, model, environ).uri == "http://environment"
        assert tracking_of(None, model, {}).uri == "https://mlflow.example.com"

    def test_the_secret_goes_to_the_server_that_it_is_for_alone(self, model: Model) -> None:
        environ = {"CORP_TOKEN": "t0ken-of-corp", "PYTHONPATH": "/ours"}
        ours = tracking_of(None, model, environ)
        assert ours.variables["MLFLOW_TRACKING_TOKEN"] == "t0ken-of-corp"
        assert "t0ken-of-corp" in ours.secrets
        assert "t0ken-of-corp" not in repr(ours)
        assert "PYTHONPATH" not in ours.variables
        assert "MLFLOW_TRACKING_TOKEN" not in tracking_of("http://flag", model, environ).variables

    def test_an_artifact_store_that_needs_a_package_gets_it(self, tmp_path: Path) -> None:
        class WithoutBoto:
            def __init__(self) -> None:
                self.asked = 0

            def call(self, *_: object, **__: object) -> dict[str, object]:
                self.asked += 1
                error = "ModuleNotFoundError: No module named 'boto3'"
                broken = {"kind": "model-broken", "name": "churn", "stage": "download", "error": error}
                return {"ok": False, "problem": broken} if self.asked == 1 else {"ok": True, "version": "1"}

        environments, harness = Environments(), WithoutBoto()
        asked = Asked("models:/churn/1", tmp_path, "databricks")
        origin_of(asked, Report(), environments=environments, harness=harness).bring(tmp_path / "out")
        assert environments.compiled == ["mlflow-skinny>=3,<3.14\n", "mlflow-skinny>=3,<3.14\nboto3\n"]
        assert harness.asked == 2


def test_no_server_is_named(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="name one with --tracking-uri, or set MLFLOW_TRACKING_URI, or"):
        origin_of(Asked("churn", tmp_path), Report())


def test_a_server_that_does_not_answer_and_its_password(tmp_path: Path) -> None:
    asked = Asked("churn", tmp_path, "http://ada:hunter2secret@127.0.0.1:1")
    with pytest.raises(GeneratorError) as raised:
        origin_of(asked, Report(), environments=Environments()).look()
    assert str(raised.value).startswith("the tracking server http://127.0.0.1:1 does not answer: ")
    assert "hunter2secret" not in str(raised.value)


def test_whom_to_trust_is_for_mlflow_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows certificates by variables of its own, such as MLFLOW_TRACKING_INSECURE_TLS."""

    class Harness:
        asked = 0

        def call(self, *_: object, **__: object) -> dict[str, object]:
            self.asked += 1
            return {"ok": True, "name": "churn", "version": "1"}

    with over_tls(tmp_path) as port:
        asked, environments, harness = (
            Asked("churn", tmp_path, f"https://127.0.0.1:{port}"),
            Environments(),
            Harness(),
        )
        origin_of(asked, Report(), environments=environments, harness=harness).look()
        assert (environments.compiled, harness.asked) == (["mlflow-skinny>=3,<3.14\n"], 1)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
        asked = Asked("churn", tmp_path / "trusting", f"https://127.0.0.1:{port}")
        origin_of(asked, Report(), environments=environments, harness=harness).look()
        assert environments.compiled[1:] == ["mlflow-skinny==3.1.4\n"]


@contextlib.contextmanager
def over_tls(folder: Path) -> Iterator[int]:
    """A server that tells its version to whoever trusts its certificate, which lies in `folder`."""

    class Version(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"3.1.4")

        def log_message(self, *_: object) -> None:
            pass

    _, context = certified(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Version)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def test_a_token_that_is_refused_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing() as port:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token-of-ada")
        report = Report()
        asked = Asked("churn", tmp_path, f"http://127.0.0.1:{port}")
        with pytest.raises(GeneratorError, match="refuses us.*Set MLFLOW_TRACKING_TOKEN") as raised:
            origin_of(asked, report, environments=Environments()).look()
    assert "token-of-ada" not in str(raised.value) + "".join(report.said)


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """A server that lets nobody in, and says the token back."""

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = f"no: {self.headers['Authorization']}".encode()
            self.send_response(401)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
