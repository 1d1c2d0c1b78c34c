"""Private package indexes: what model.yaml may say, whose login goes where, and what is told when one refuses.

uv, the index and its login are real; no package of this name is on PyPI.
"""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.adapters.index_files import IndexFiles, login_of
from generator.adapters.indexes import index_at, variables
from generator.adapters.uv import Uv
from generator.bootstrap.github_environments import wanted_environments
from generator.config.model import Model
from generator.config.workspace import load
from generator.errors import GeneratorError, InvalidInput, Unreachable
from generator.image.context import Content, write_context
from generator.ports import PackageIndex
from generator.training.indexes import indexes_of
from generator.training.lock import lock_problems, lock_text
from tests.generator.trainings import Told
from tests.generator.workspaces import SMALLEST, write
from tests.private_index import MODULE, PACKAGE, PASSWORD, SECRET, PrivateIndex, private_index

GIVEN = {"CORP_INDEX": SECRET}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another test fetched must not answer for an index that refuses."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.delenv("UV_EXCLUDE_NEWER", raising=False)  # the index says no dates


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PrivateIndex]:
    with private_index(tmp_path / "served") as found:
        yield found


def smallest(indexes: str) -> str:
    train = f"{{script: train.py, requirements: [{PACKAGE}, mlflow-skinny], indexes: [{indexes}]}}"
    return SMALLEST.replace("{script: train.py}", train)


def corp(url: str, *, secret: str = "secret: CORP_INDEX") -> str:
    return f"{{name: corp-x, url: '{url}', {secret}}}"


def model_of(root: Path, indexes: str) -> Model:
    write(root, smallest(indexes))
    (root / "train.py").write_text("")
    return load(root).models[0]


def asked(url: str, login: tuple[str, str] | None = ("robot", PASSWORD)) -> tuple[PackageIndex, ...]:
    return (PackageIndex("corp-x", url, "CORP_INDEX", login),)


def everything_in(folder: Path) -> bytes:
    return b"\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def shows_no_login(text: str | bytes) -> bool:
    raw = text if isinstance(text, bytes) else text.encode()
    forms = (PASSWORD, SECRET, base64.b64encode(SECRET.encode()).decode())
    return not any(form.encode() in raw for form in forms)


@pytest.mark.parametrize(
    ("indexes", "message"),
    [
        (corp("https://user:pass@pkgs.example.com/simple"), "https:// address without user, password or query"),
        (corp("https://token@pkgs.example.com/simple"), "https:// address without user, password or query"),
        (corp("http://pkgs.example.com/simple"), "http:// only of this machine"),
        (corp("http://127.0.0.1.example.com/simple"), "http:// only of this machine"),
        (corp("https://pkgs.example.com/simple?token=geheim"), "without user, password or query"),
        ("{name: 'a=b', url: 'https://a.example.com'}", "lower-case words joined by -"),
        ("{name: a, url: 'https://a.example.com'}, {name: a, url: 'https://b.example.com'}", "an index a already"),
        (
            "{name: a, url: 'https://a.example.com/'}, {name: b, url: 'https://a.example.com'}",
            "this address already",
        ),
        ("{name: a, url: 'https://a.example.com', secret: UV_INDEX_A_PASSWORD}", "is a setting of uv or pip"),
        ("{name: a, url: 'https://a.example.com', secret: GH_TOKEN}", "set by the pipeline"),
        ("{name: a, url: 'https://a.example.com', secret: GITHUB_TOKEN}", "the name of a GitHub secret"),
    ],
)
def test_what_is_refused(indexes: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        model_of(tmp_path, indexes)
    assert message in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("pass@", "token@", "geheim"))


def test_a_variable_of_the_script_is_no_secret_of_an_index(tmp_path: Path) -> None:
    text = smallest(corp("https://a.example.com")).replace("indexes:", "env: {CORP_INDEX: a}, indexes:")
    with pytest.raises(InvalidInput, match="CORP_INDEX is set by the pipeline or is a secret already"):
        write(tmp_path, text)


@pytest.mark.parametrize(
    ("value", "login"),
    [
        ("robot:pass", ("robot", "pass")),
        ("aws:eyJ:with:colons\n", ("aws", "eyJ:with:colons")),
        ("glpat-a_token", ("__token__", "glpat-a_token")),
        ("a-token-as-user:", ("a-token-as-user", "")),
        ("", None),
        ("  \n", None),
    ],
)
def test_what_a_secret_says(value: str, login: tuple[str, str] | None, tmp_path: Path) -> None:
    model = model_of(tmp_path, corp("https://a.example.com"))
    (found,) = indexes_of(model, {"CORP_INDEX": value})
    assert found.login == login
    assert login is None or login[1] not in repr(found) or not login[1]
    assert bool(variables([found])) == (login is not None)


def test_a_secret_of_several_lines_is_refused_without_being_shown(tmp_path: Path) -> None:
    model = model_of(tmp_path, corp("https://a.example.com"))
    with pytest.raises(GeneratorError, match="the secret CORP_INDEX of the package index corp-x") as caught:
        indexes_of(model, {"CORP_INDEX": "geheim\ngeheimer"})
    assert "geheim" not in str(caught.value)


def test_a_lock_names_the_package_and_no_login(index: PrivateIndex, tmp_path: Path) -> None:
    model = model_of(tmp_path, corp(index.url))
    text = lock_text(model, tmp_path, Uv(), GIVEN)
    assert f"{PACKAGE}==1.0.0" in text
    assert "mlflow-skinny==" in text, "what the index does not have comes from the default one"
    assert shows_no_login(text)
    lock = tmp_path / "requirements.lock"
    lock.write_text(text)
    assert lock_problems(model, tmp_path) == []
    assert lock_problems(model_of(tmp_path, corp(f"{index.url}/", secret="")), tmp_path) == []
    (stale,) = lock_problems(model_of(tmp_path, corp("https://other.example.com/simple")), tmp_path)
    assert "train.indexes" in str(stale)
    other = corp(index.url) + ", {name: b, url: 'https://b.example.com'}"
    assert "is stale" in str(lock_problems(model_of(tmp_path, other), tmp_path))
    lock.write_text(lock_text(model, tmp_path, Uv(), GIVEN))
    write(tmp_path, SMALLEST.replace("{script: train.py}", f"{{script: train.py, requirements: [{PACKAGE}]}}"))
    assert "is stale" in str(lock_problems(load(tmp_path).models[0], tmp_path))


def test_an_address_with_a_password_is_not_locked(tmp_path: Path) -> None:
    write(tmp_path, SMALLEST)
    (tmp_path / "requirements.txt").write_text("a @ https://me:geheim@example.com/a-1.0-py3-none-any.whl\n")
    with pytest.raises(InvalidInput, match="a has a user or a password in its address"):
        lock_text(load(tmp_path).models[0], tmp_path, Uv())


def test_what_uv_finds_by_itself_counts(
    index: PrivateIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On somebody's machine: no variable of the secret's name, but a .netrc."""
    index.login = "me:in-netrc"
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password in-netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    nobody = asked(index.url, None)
    lock = Uv().compile(PACKAGE, python="3.11", folder=tmp_path, indexes=nobody)
    assert PACKAGE in lock
    IndexFiles().fetch(lock, python="3.11", platform="linux/amd64", indexes=nobody, folder=tmp_path / "files")
    assert [path.name for path in (tmp_path / "files").iterdir()] == [f"{MODULE}-1.0.0-py3-none-any.whl"]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("doing", ["lock", "install", "fetch"])
def test_a_wrong_login_is_told_by_its_name(doing: str, status: int, index: PrivateIndex, tmp_path: Path) -> None:
    lock = Uv().compile(PACKAGE, python="3.11", folder=tmp_path, indexes=asked(index.url))
    index.refusal = status
    index.login = "robot:another one by now"
    (tmp_path / "uv-cache").rename(tmp_path / "cache-of-before")
    message = rf"the package index corp-x \({index.url}\) refuses the login in CORP_INDEX \({status}"
    with pytest.raises(GeneratorError, match=message) as caught:
        do(doing, lock, asked(index.url), tmp_path)
    assert shows_no_login(str(caught.value))
    assert caught.value.__cause__ is None or shows_no_login(str(caught.value.__cause__))
    assert shows_no_login(everything_in(tmp_path / "work"))


@pytest.mark.parametrize("doing", ["lock", "install", "fetch"])
def test_no_login_is_told_with_what_to_set(doing: str, index: PrivateIndex, tmp_path: Path) -> None:
    lock = Uv().compile(PACKAGE, python="3.11", folder=tmp_path, indexes=asked(index.url))
    (tmp_path / "uv-cache").rename(tmp_path / "cache-of-before")
    with pytest.raises(GeneratorError, match=r"wants a login \(401.*CORP_INDEX, .* is not set: .*tagship-train"):
        do(doing, lock, asked(index.url, None), tmp_path)
    with pytest.raises(GeneratorError, match=r"wants a login \(401.*name the secret"):
        do(doing, lock, (PackageIndex("corp-x", index.url),), tmp_path)


@pytest.mark.parametrize("doing", ["lock", "install", "fetch"])
def test_an_index_that_is_down_is_named(doing: str, tmp_path: Path) -> None:
    with private_index(tmp_path / "served") as index:
        lock = Uv().compile(PACKAGE, python="3.11", folder=tmp_path, indexes=asked(index.url))
    (tmp_path / "uv-cache").rename(tmp_path / "cache-of-before")
    with pytest.raises(Unreachable, match=rf"the package index corp-x \({index.url}\) did not answer") as caught:
        do(doing, lock, asked(index.url), tmp_path)
    assert shows_no_login(str(caught.value))


def do(what: str, lock: str, indexes: tuple[PackageIndex, ...], folder: Path) -> None:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    if what == "lock":
        Uv().compile(PACKAGE, python="3.11", folder=work, indexes=indexes)
    elif what == "install":
        (work / "requirements.lock").write_text(lock)
        path = work / "requirements.lock"
        Uv().create(work / "environment", python="3.11", lock=path, reporter=Told(), indexes=indexes)
    else:
        IndexFiles().fetch(lock, python="3.11", platform="linux/amd64", indexes=indexes, folder=work / "files")


def test_what_is_fetched_is_what_the_lock_names(index: PrivateIndex, tmp_path: Path) -> None:
    """And no more: what PyPI has, the build fetches itself. A second time asks for no file."""
    folder = tmp_path / "files"
    lock = Uv().compile(f"{PACKAGE}\nsix\n", python="3.11", folder=tmp_path, indexes=asked(index.url))
    folder.mkdir()
    (folder / "of-an-earlier-lock-1.0-py3-none-any.whl").write_text("")
    for _ in range(2):
        IndexFiles().fetch(lock, python="3.11", platform="linux/amd64", indexes=asked(index.url), folder=folder)
        (found,) = folder.iterdir()
        assert found.read_bytes() == index.files[found.name].read_bytes()
    fetched = [login for method, path, login in index.asked if method == "GET" and path.endswith(".whl")]
    assert all(fetched)
    another = lock.replace("--hash=sha256:", "--hash=sha256:0", 1)
    found.write_bytes(b"tampered with")
    index.files[found.name].write_bytes(b"tampered with")
    with pytest.raises(GeneratorError, match=r"from corp-x is not what the image's lock names"):
        IndexFiles().fetch(another, python="3.11", platform="linux/amd64", indexes=asked(index.url), folder=folder)


def test_a_login_stays_with_its_index(index: PrivateIndex, tmp_path: Path) -> None:
    """Where the index links to another server, as those do that keep files in a store of their own."""
    with private_index(tmp_path / "elsewhere", login="") as elsewhere:
        index.files_at = f"http://127.0.0.1:{elsewhere.port}/private/files"
        lock = Uv().compile(PACKAGE, python="3.11", folder=tmp_path, indexes=asked(index.url))
        IndexFiles().fetch(
            lock, python="3.11", platform="linux/amd64", indexes=asked(index.url), folder=tmp_path / "files"
        )
        assert len(list((tmp_path / "files").iterdir())) == 1
        assert elsewhere.asked
        assert not any(login for _, _, login in elsewhere.asked)
        assert all(login for _, path, login in index.asked if path.endswith("/"))


def test_a_package_without_wheels_is_not_built_with_what_strangers_upload(
    index: PrivateIndex, tmp_path: Path
) -> None:
    path = tmp_path / f"{MODULE}-2.0.0.tar.gz"
    info = f"Metadata-Version: 2.2\nName: {PACKAGE}\nVersion: 2.0.0\n".encode()
    project = f"[project]\nname = '{PACKAGE}'\nversion = '2.0.0'\n".encode()
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (("PKG-INFO", info), ("pyproject.toml", project)):
            item = tarfile.TarInfo(f"{MODULE}-2.0.0/{name}")
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    index.files = {path.name: path}
    lock = Uv().compile(PACKAGE, python="3.11", folder=tmp_path, indexes=asked(index.url))
    assert "==2.0.0" in lock
    with pytest.raises(GeneratorError, match=f"{PACKAGE} 2.0.0 has no wheel for the image at 127.0.0.1"):
        IndexFiles().fetch(
            lock, python="3.11", platform="linux/amd64", indexes=asked(index.url), folder=tmp_path / "files"
        )


def test_the_context_has_packages_and_the_build_needs_no_index(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "files").mkdir()
    (tmp_path / "files/corp_x-1.0-py3-none-any.whl").write_text("")
    lock = "corp-x==1.0 --hash=sha256:" + "0" * 64 + "\n"
    for text, complete in ((lock, True), (lock + "six==1.17.0 --hash=sha256:" + "1" * 64 + "\n", False)):
        content = Content(tmp_path / "model", text, {}, "3.11", files=tmp_path / "files")
        write_context(tmp_path / "context", content)
        dockerfile = (tmp_path / "context/Dockerfile").read_text()
        assert "--mount=type=bind,source=wheels,target=/build/wheels" in dockerfile
        assert "--find-links /build/wheels" in dockerfile
        assert ("--no-index" in dockerfile) == complete
        assert "!wheels" in (tmp_path / "context/.dockerignore").read_text()
        assert (tmp_path / "context/wheels/corp_x-1.0-py3-none-any.whl").is_file()
    write_context(tmp_path / "context", Content(tmp_path / "model", lock, {}, "3.11"))
    assert "wheels" not in (tmp_path / "context/Dockerfile").read_text()


def test_who_sets_up_github_is_told_of_the_secret(tmp_path: Path) -> None:
    """`bootstrap github` and `doctor` ask for what is named here."""
    model_of(tmp_path, corp("https://a.example.com"))
    secrets = {one.name: one.secrets for one in wanted_environments(load(tmp_path))}
    assert secrets["tagship-train"] == {"CORP_INDEX"}
    assert "CORP_INDEX" not in secrets["tagship-publish"]


def test_of_two_indexes_on_one_host_each_gets_its_own_login() -> None:
    one, two = "https://pkgs.example.com/api/pypi/one/simple", "https://pkgs.example.com/api/pypi/two/simple"
    both = (PackageIndex("one", one), PackageIndex("two", two))
    assert index_at("https://pkgs.example.com/api/pypi/two/files/a-1.0.whl", both) == both[1]
    assert index_at("https://pkgs.example.com/api/pypi/one/files/a-1.0.whl", both) == both[0]
    assert index_at("http://pkgs.example.com/api/pypi/one/files/a-1.0.whl", both) is None
    assert index_at("https://pkgs.example.com:444/api/pypi/one/files/a-1.0.whl", both) is None
    assert index_at("https://elsewhere.example.com/api/pypi/one/files/a-1.0.whl", both) is None
    assert index_at("https://PKGS.example.com:443/api/pypi/one/files/a-1.0.whl", both) == both[0]


def test_a_netrc_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine example.com password hunter2 what\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(GeneratorError, match="netrc is no valid .netrc") as caught:
        login_of(PackageIndex("corp-x", "https://pkgs.example.com/simple"))
    assert "hunter2" not in str(caught.value)


def test_code_that_is_built_to_resolve_sees_none_of_our_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source without static metadata: uv runs its setup.py to know what it requires."""
    monkeypatch.setenv("CORP_INDEX", "hunter2")
    monkeypatch.setenv("GH_TOKEN", "hunter3")
    source = tmp_path / "curious"
    source.mkdir()
    (source / "setup.py").write_text(
        "import os, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(repr(dict(os.environ)))\n"
        "from setuptools import setup\nsetup(name='curious', version='1.0')\n"
    )
    Uv().compile(f"curious @ {source.as_uri()}\n", python="3.11", folder=tmp_path)
    seen = (tmp_path / "seen").read_text()
    assert "hunter" not in seen
    assert "PATH" in seen
