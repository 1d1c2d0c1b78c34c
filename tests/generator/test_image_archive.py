"""OCI archives: ours are the same for the same content, and strangers' are read with suspicion."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.disk import file_sha256
from generator.errors import GeneratorError
from generator.image.archive import read_archive, unpack_archive, write_archive

LABELS = {"io.tagship.model": "churn"}


def archived(folder: Path, name: str = "image.tar") -> Path:
    context = folder / "context"
    (context / "model").mkdir(parents=True, exist_ok=True)
    (context / "model" / "MLmodel").write_text("flavors: {}\n")
    (context / "release.json").write_text("{}\n")
    write_archive(folder / name, context, labels=LABELS, platform="linux/arm64")
    return folder / name


def test_an_archive_is_read_and_unpacked_as_it_was_written(tmp_path: Path) -> None:
    archive = archived(tmp_path)
    image = read_archive(archive)
    assert (image.labels, image.platform) == (LABELS, "linux/arm64")
    unpack_archive(archive, tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "model" / "MLmodel").read_text() == "flavors: {}\n"


def test_the_same_content_is_the_same_archive_byte_for_byte(tmp_path: Path) -> None:
    assert file_sha256(archived(tmp_path / "a")) == file_sha256(archived(tmp_path / "b"))


def rewritten(archive: Path, change: Callable[[tarfile.TarInfo, bytes], list[tuple[str, bytes]]]) -> Path:
    target = archive.with_name("changed.tar")
    with tarfile.open(archive) as old, tarfile.open(target, "w") as new:
        for member in old:
            stream = old.extractfile(member)
            for name, raw in change(member, stream.read() if stream else b""):
                entry = tarfile.TarInfo(name)
                entry.size = len(raw)
                new.addfile(entry, io.BytesIO(raw))
    return target


def refused(archive: Path) -> str:
    with pytest.raises(GeneratorError, match=r"is no archive of one image .* it is refused") as caught:
        read_archive(archive)
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "blobs/sha256/../../x", "manifest.json", "blobs/sha512/a"]
)
def test_a_file_that_is_no_part_of_a_layout_is_refused(tmp_path: Path, name: str) -> None:
    archive = archived(tmp_path)
    with tarfile.open(archive, "a") as tar:
        tar.addfile(tarfile.TarInfo(name))
    assert "does not belong" in refused(archive)


def test_a_file_given_twice_is_refused(tmp_path: Path) -> None:
    archive = archived(tmp_path)
    with tarfile.open(archive, "a") as tar:
        tar.addfile(tarfile.TarInfo("index.json"))
    assert "'index.json' does not belong" in refused(archive)


def test_links_are_refused(tmp_path: Path) -> None:
    archive = archived(tmp_path)
    with tarfile.open(archive, "a") as tar:
        entry = tarfile.TarInfo("blobs/sha256/" + "f" * 64)
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    assert "does not belong" in refused(archive)


def test_a_configuration_that_is_not_what_its_digest_says_is_refused(tmp_path: Path) -> None:
    """Another model's labels on this image."""
    changed = rewritten(
        archived(tmp_path), lambda member, raw: [(member.name, raw.replace(b'"churn"', b'"other"'))]
    )
    assert "is not what its name says" in refused(changed)


def test_two_images_are_refused(tmp_path: Path) -> None:
    def double(member: tarfile.TarInfo, raw: bytes) -> list[tuple[str, bytes]]:
        if member.name == "index.json":
            index = json.loads(raw)
            raw = json.dumps({**index, "manifests": index["manifests"] * 2}).encode()
        return [(member.name, raw)]

    assert "names 2 images" in refused(rewritten(archived(tmp_path), double))


def test_a_missing_or_huge_part_is_refused(tmp_path: Path) -> None:
    without = rewritten(archived(tmp_path), lambda m, raw: [] if m.name == "index.json" else [(m.name, raw)])
    assert "it has no index.json" in refused(without)
    huge = rewritten(
        archived(tmp_path),
        lambda m, raw: [(m.name, raw + b" " * 5 * 2**20 if m.name == "index.json" else raw)],
    )
    assert "index.json is larger than 4 MiB" in refused(huge)


@pytest.mark.parametrize("content", [b"", b"no tar", b"\x1f\x8b\x08\x00garbage"])
def test_what_is_no_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "image.tar").write_bytes(content)
    refused(tmp_path / "image.tar")


def test_no_archive_says_which_stage_makes_it(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="generator stage package"):
        read_archive(tmp_path / "image.tar")


def test_unpacking_leaves_its_folder_alone(tmp_path: Path) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../escaped"))
    raw = layer.getvalue()

    def swap(member: tarfile.TarInfo, old: bytes) -> list[tuple[str, bytes]]:
        if member.name.startswith("blobs/") and old[:1] != b"{":
            return [(f"blobs/sha256/{hashlib.sha256(raw).hexdigest()}", raw)]
        return [(member.name, old)]

    archive = rewritten(_pointing_at(archived(tmp_path), raw), swap)
    with pytest.raises(GeneratorError, match="leads out of its archive"):
        unpack_archive(archive, tmp_path / "unpacked" / "inner")
    assert not (tmp_path / "unpacked" / "escaped").exists()


def _pointing_at(archive: Path, layer: bytes) -> Path:
    """The archive with a manifest whose only layer is `layer`; its own layer stays beside it."""
    with tarfile.open(archive) as tar:
        parts = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    index = json.loads(parts["index.json"])
    old = "blobs/sha256/" + index["manifests"][0]["digest"][7:]
    manifest = json.loads(parts.pop(old))
    manifest["layers"][0]["digest"] = "sha256:" + hashlib.sha256(layer).hexdigest()
    raw = json.dumps(manifest).encode()
    index["manifests"][0]["digest"] = "sha256:" + hashlib.sha256(raw).hexdigest()
    parts["index.json"] = json.dumps(index).encode()
    parts["blobs/sha256/" + hashlib.sha256(raw).hexdigest()] = raw
    target = archive.with_name("pointing.tar")
    with tarfile.open(target, "w") as tar:
        for name, content in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return target
