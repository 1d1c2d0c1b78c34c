"""API keys: what is read from the mounted Secret, when it is read again, and what is compared."""

from __future__ import annotations

import hashlib
import hmac
import logging
from pathlib import Path

import pytest

from inference.access.keys import LOOK_SECONDS, MOST_KEYS, Keys
from tests.inference.access.mounted import KEY, OTHER, Clock, MountedSecret, hashed


def read(folder: Path) -> Keys:
    keys = Keys(folder)
    keys.refresh()
    return keys


def test_each_key_has_its_name(tmp_path: Path) -> None:
    secret = MountedSecret(tmp_path / "keys", {"app": hashed(KEY), "team.b_2": hashed(OTHER) + "\n"})
    keys = read(secret.folder)
    assert not keys.missing
    assert (keys.name_of(KEY.encode()), keys.name_of(OTHER.encode())) == ("app", "team.b_2")


@pytest.mark.parametrize(
    "wrong", [b"", b" ", KEY.encode()[:-1], KEY.encode() + b" ", KEY.upper().encode(), hashed(KEY).encode(),
              hashlib.sha256(KEY.encode()).digest(), b"\xff\x00", b"x" * 100_000],
)  # fmt: skip
def test_nothing_else_is_a_key(tmp_path: Path, wrong: bytes) -> None:
    keys = read(MountedSecret(tmp_path / "keys", {"app": hashed(KEY)}).folder)
    assert keys.name_of(wrong) is None


@pytest.mark.parametrize("key", [KEY, OTHER, "none of them"])
def test_every_hash_is_compared_wherever_the_match_stands(tmp_path: Path, key: str) -> None:
    """How long it takes says neither whether a key is known nor which."""
    compared: list[bytes] = []

    def compare(one: bytes, two: bytes) -> bool:
        compared.append(two)
        return hmac.compare_digest(one, two)

    names = {"a": KEY, "b": OTHER, "c": "third", "d": "fourth"}
    secret = MountedSecret(tmp_path / "keys", {name: hashed(one) for name, one in names.items()})
    keys = Keys(secret.folder, compare=compare)
    keys.refresh()
    keys.name_of(key.encode())
    assert compared == [hashlib.sha256(one.encode()).digest() for one in names.values()]


def test_a_swapped_secret_is_read_again(tmp_path: Path) -> None:
    clock, secret = Clock(), MountedSecret(tmp_path / "keys", {"app": hashed(KEY)})
    keys = Keys(secret.folder, clock)
    keys.refresh()
    secret.write({"app": hashed(OTHER)})
    keys.refresh()
    assert keys.name_of(OTHER.encode()) is None, "the folder is looked at once a second, not at each request"
    clock.now += LOOK_SECONDS
    keys.refresh()
    assert (keys.name_of(KEY.encode()), keys.name_of(OTHER.encode())) == (None, "app")
    secret.write({"new": hashed(KEY), "app": hashed(OTHER)})
    clock.now += LOOK_SECONDS
    keys.refresh()
    assert (keys.name_of(KEY.encode()), keys.name_of(OTHER.encode())) == ("new", "app")


def test_a_plain_folder_is_read_again_when_a_file_changes_in_place(tmp_path: Path) -> None:
    clock = Clock()
    (tmp_path / "app").write_text(hashed(KEY))
    keys = Keys(tmp_path, clock)
    keys.refresh()
    (tmp_path / "app").write_text(hashed(OTHER) + "\n")
    clock.now += LOOK_SECONDS
    keys.refresh()
    assert (keys.name_of(KEY.encode()), keys.name_of(OTHER.encode())) == (None, "app")


def test_an_emptied_secret_takes_every_key_away(tmp_path: Path) -> None:
    clock, secret = Clock(), MountedSecret(tmp_path / "keys", {"app": hashed(KEY)})
    keys = Keys(secret.folder, clock)
    keys.refresh()
    secret.write({})
    clock.now += LOOK_SECONDS
    keys.refresh()
    assert keys.name_of(KEY.encode()) is None
    assert not keys.missing, "it is an answer, not a fault"


BROKEN = {
    "the key itself": {"app": KEY},
    "no hash": {"app": "sha256:"},
    "a short hash": {"app": "sha256:" + "0" * 63},
    "capitals": {"app": hashed(KEY).upper()},
    "two lines": {"app": hashed(KEY) + "\n" + hashed(OTHER)},
    "another hash": {"app": "md5:" + "0" * 32},
    "empty": {"app": ""},
    "a long file": {"app": hashed(KEY) + " " * 1000 + "x"},
    "no UTF-8": {"app": "\udcff"},
    "a name with a space": {"a b": hashed(KEY)},
    "a hidden name": {".app": hashed(KEY)},
    "a long name": {"a" * 64: hashed(KEY)},
    "too many": {f"k{i}": hashed(f"key {i}") for i in range(MOST_KEYS + 1)},
    "one of two": {"app": hashed(KEY), "b": "x"},
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_at_the_start_lets_nobody_in_and_later_changes_nothing(
    tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = {name: content.replace("\udcff", "\ud7ff") for name, content in BROKEN[case].items()}
    at_start = read(MountedSecret(tmp_path / "start", data).folder)
    assert at_start.missing
    assert at_start.name_of(KEY.encode()) is None
    clock, secret = Clock(), MountedSecret(tmp_path / "later", {"good": hashed(OTHER)})
    keys = Keys(secret.folder, clock)
    keys.refresh()
    secret.write(data)
    for _ in range(3):
        clock.now += LOOK_SECONDS
        keys.refresh()
    assert (keys.name_of(OTHER.encode()), keys.name_of(KEY.encode())) == ("good", None)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 2, "once for each fault, not once a second"
    assert "nothing is answered until they can" in errors[0]
    assert "those read before stay in force" in errors[1]
    assert KEY not in caplog.text, "a key that somebody stored by mistake is not logged"
    secret.write({"good": hashed(KEY)})
    clock.now += LOOK_SECONDS
    keys.refresh()
    assert keys.name_of(KEY.encode()) == "good", "and once it is whole again it counts"


def test_a_folder_that_is_not_there_yet_is_read_when_it_comes(tmp_path: Path) -> None:
    clock = Clock()
    keys = Keys(tmp_path / "keys", clock)
    keys.refresh()
    assert keys.missing
    (tmp_path / "keys").mkdir()
    clock.now += LOOK_SECONDS
    keys.refresh()
    assert keys.missing, "an empty folder at the start is a Secret without keys"
    (tmp_path / "keys" / "app").write_text(hashed(KEY))
    clock.now += LOOK_SECONDS
    keys.refresh()
    assert keys.name_of(KEY.encode()) == "app"


def test_a_folder_that_goes_leaves_the_keys(tmp_path: Path) -> None:
    clock, secret = Clock(), MountedSecret(tmp_path / "keys", {"app": hashed(KEY)})
    keys = Keys(secret.folder, clock)
    keys.refresh()
    secret.folder.rename(tmp_path / "gone")
    clock.now += LOOK_SECONDS
    keys.refresh()
    assert keys.name_of(KEY.encode()) == "app"


def test_the_log_has_names_and_no_hashes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    read(MountedSecret(tmp_path / "keys", {"app": hashed(KEY), "b": hashed(OTHER)}).folder)
    assert "API keys: app, b" in caplog.messages
    assert hashed(KEY).removeprefix("sha256:") not in caplog.text
