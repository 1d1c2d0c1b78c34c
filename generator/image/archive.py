"""OCI image archives: read with suspicion, since another job made them, and written for a rehearsal.

The format is an image layout in a plain tar (github.com/opencontainers/image-spec, image-layout.md).
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from generator.disk import file_sha256
from generator.errors import GeneratorError

ARCHIVE = "image.tar"  # a release's image, beside its artifacts
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

_MEMBER = re.compile(r"oci-layout|index\.json|blobs|blobs/sha256|blobs/sha256/[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LARGEST_JSON = 4 * 2**20


@dataclass(frozen=True)
class ArchivedImage:
    """What an archive holds."""

    digest: str  # of the manifest
    labels: Mapping[str, str]
    platform: str  # such as linux/amd64


def read_archive(archive: Path) -> ArchivedImage:
    """The one image in `archive`. Raises GeneratorError where it is no archive of exactly one image."""
    try:
        with tarfile.open(archive, "r:") as tar:
            members = _members(tar, archive.name)
            digest = _only_manifest(json.loads(_bytes(tar, members, "index.json")), archive.name)
            config = _blob(tar, members, _config_digest(_blob(tar, members, digest)))
    except FileNotFoundError as error:
        raise GeneratorError(f"no {archive}: run `generator stage package` first") from error
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise GeneratorError(
            f"{archive.name} is no archive of one image ({error}); it is refused, "
            "run `generator stage package` again"
        ) from error
    return ArchivedImage(digest, labels_of(config), f"{config.get('os')}/{config.get('architecture')}")


def labels_of(config: Mapping[str, Any]) -> dict[str, str]:
    """The labels in an image's configuration."""
    labels = (config.get("config") or {}).get("Labels") or {}
    return {str(key): str(value) for key, value in labels.items()}


def _members(tar: tarfile.TarFile, name: str) -> dict[str, tarfile.TarInfo]:
    """The archive's entries by name: nothing but a layout's own files, each once."""
    members: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        path = member.name.removeprefix("./").rstrip("/")
        if path in ("", "."):
            continue
        if not _MEMBER.fullmatch(path) or path in members or not (member.isreg() or member.isdir()):
            raise ValueError(f"{path[:80]!r} does not belong into {name}")
        members[path] = member
    return members


def _bytes(tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], path: str) -> bytes:
    if path not in members:
        raise ValueError(f"it has no {path}")
    if members[path].size > _LARGEST_JSON:
        raise ValueError(f"{path} is larger than {_LARGEST_JSON // 2**20} MiB")
    stream = tar.extractfile(members[path])
    if stream is None:
        raise ValueError(f"{path} is no file")
    return stream.read()


def _only_manifest(index: Mapping[str, Any], name: str) -> str:
    manifests = index["manifests"]
    if len(manifests) != 1 or not _DIGEST.fullmatch(str(manifests[0]["digest"])):
        raise ValueError(f"{name} names {len(manifests)} images")
    return str(manifests[0]["digest"])


def _config_digest(manifest: Mapping[str, Any]) -> str:
    digest = str(manifest["config"]["digest"])
    if not _DIGEST.fullmatch(digest):
        raise ValueError("the manifest names no configuration")
    return digest


def _blob(tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], digest: str) -> dict[str, Any]:
    raw = _bytes(tar, members, f"blobs/sha256/{digest.removeprefix('sha256:')}")
    if f"sha256:{hashlib.sha256(raw).hexdigest()}" != digest:
        raise ValueError(f"the content of {digest} is not what its name says")
    content = json.loads(raw)
    if not isinstance(content, dict):
        raise ValueError(f"{digest} is no JSON object")
    return content


def write_archive(archive: Path, folder: Path, *, labels: Mapping[str, str], platform: str) -> str:
    """Stores `folder` as the only layer of an image; returns the manifest's digest.

    The same content always gives the same digest: no times, no owners, no order of the file system.
    """
    layer = archive.with_name(f"{archive.name}.layer")
    try:
        _write_layer(layer, folder)
        system, _, architecture = platform.partition("/")
        layer_digest = f"sha256:{file_sha256(layer)}"
        config = _json(
            {
                "architecture": architecture,
                "os": system,
                "config": {"Labels": dict(labels)},
                "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
            }
        )
        described = {"mediaType": LAYER, "digest": layer_digest, "size": layer.stat().st_size}
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _described(config, CONFIG),
                "layers": [described],
            }
        )
        index = _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [_described(manifest, MANIFEST)]})
        with tarfile.open(archive, "w:") as tar:
            _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(tar, "index.json", index)
            for raw in (config, manifest):
                _add(tar, f"blobs/sha256/{hashlib.sha256(raw).hexdigest()}", raw)
            with layer.open("rb") as stream:
                tar.addfile(_entry(f"blobs/sha256/{layer_digest[7:]}", layer.stat().st_size), stream)
    finally:
        layer.unlink(missing_ok=True)
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def _write_layer(layer: Path, folder: Path) -> None:
    with tarfile.open(layer, "w:", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as stream:
                    tar.addfile(_entry(path.relative_to(folder).as_posix(), path.stat().st_size), stream)


def unpack_archive(archive: Path, folder: Path) -> None:
    """Brings the layer that `write_archive` stored back into `folder`, which must not exist yet."""
    with tarfile.open(archive, "r:") as tar:
        members = _members(tar, archive.name)
        manifest = _blob(
            tar, members, _only_manifest(json.loads(_bytes(tar, members, "index.json")), archive.name)
        )
        (described,) = manifest["layers"]
        stream = tar.extractfile(members[f"blobs/sha256/{str(described['digest'])[7:]}"])
        with tarfile.open(fileobj=stream, mode="r:") as layer:
            for member in layer:
                _unpack(layer, member, folder)


def _unpack(layer: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = PurePosixPath(member.name)
    content = layer.extractfile(member) if member.isreg() else None
    if content is None or path.is_absolute() or ".." in path.parts:
        raise GeneratorError(f"{member.name[:80]!r} leads out of its archive; run `generator stage package` again")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        while block := content.read(2**20):
            stream.write(block)


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _described(raw: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": f"sha256:{hashlib.sha256(raw).hexdigest()}", "size": len(raw)}


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry


def _add(tar: tarfile.TarFile, name: str, raw: bytes) -> None:
    tar.addfile(_entry(name, len(raw)), io.BytesIO(raw))
