"""publish: uploads exactly the image that was packaged, or finds that the registry has this release already.

It runs with the release's credentials, so it believes nothing that an earlier job wrote: model, version
and commit are the release's own, and the archive must carry them in its labels.
"""

from __future__ import annotations

from dataclasses import dataclass

from generator.artifacts import BuiltImage, PublishedImage, Record
from generator.disk import file_sha256
from generator.errors import GeneratorError
from generator.image.archive import ARCHIVE, read_archive
from generator.image.labels import Labelled, read_labels
from generator.ports import Found, Registry, Reporter
from generator.release import Release


@dataclass(frozen=True)
class Publisher:
    """What publishing works with."""

    registry: Registry
    reporter: Reporter


def publish(release: Release, built: BuiltImage, with_: Publisher) -> PublishedImage:
    """Brings the release's image into the registry, once; returns what the registry then holds."""
    labelled = _check_archive(release, built)
    tag = release.model.image_tag(release.version)
    reference = f"{release.model.image_repository}:{tag}"
    with_.registry.ensure()
    found = with_.registry.find(tag)
    if found is None:
        with_.reporter.say(f"pushing {reference}")
        found = _push(release, tag, with_.registry)
    if found is not None:
        record = _published_before(release, found, reference)
        with_.reporter.say(f"{reference} is published already, as {found.digest}: nothing to push")
        return _published(release, built, found.digest, record, pushed=False)
    after = with_.registry.find(tag)
    if after is None or after.digest != built.digest:
        has = after.digest if after else "nothing"
        raise GeneratorError(
            f"{reference}: the registry has {has} after {built.digest} was pushed; somebody else pushes this tag, "
            "or the registry changes images. Nothing was deployed; look at the registry, then run the stage again"
        )
    with_.reporter.say(f"{reference} is {built.digest}")
    return _published(release, built, built.digest, labelled.record, pushed=True)


def _push(release: Release, tag: str, registry: Registry) -> Found | None:
    """Uploads the archive; where the registry refuses because somebody was faster: what they published."""
    try:
        registry.push(release.store.folder / ARCHIVE, tag)
    except GeneratorError:
        faster = registry.find(tag)
        if faster is None:
            raise
        return faster
    return None


def _published(
    release: Release, built: BuiltImage, digest: str, record: Record, *, pushed: bool
) -> PublishedImage:
    """`digest` may be that of an image built earlier, whose archive is not here."""
    size = (release.store.folder / ARCHIVE).stat().st_size if digest == built.digest else None
    return PublishedImage(
        **release.identity,
        repository=release.model.image_repository,
        tag=release.model.image_tag(release.version),
        digest=digest,
        size=size,
        load_seconds=round(built.load_seconds, 1),
        rehearsal=release.rehearsal,
        pushed=pushed,
        record=record,
    )


def _check_archive(release: Release, built: BuiltImage) -> Labelled:
    """The archive's own labels, after it was shown to be the built one and to belong to this release."""
    archive = release.store.folder / ARCHIVE
    if archive.is_file() and (size := archive.stat().st_size) > release.model.max_image_bytes:
        raise GeneratorError(f"{ARCHIVE} has {size} bytes, more than image.max_size allows; it is refused")
    image = read_archive(archive)
    labelled = read_labels(image.labels, ARCHIVE)
    expected = {
        "content": (file_sha256(archive), built.archive_sha256),
        "digest": (image.digest, built.digest),
        "platform": (image.platform, release.model.config.image.platform),
        "engine": (labelled.engine, built.engine),
        "record": (labelled.record, built.record),
        **{key: (labelled.identity[key], value) for key, value in release.identity.items()},
    }
    for what, (found, wanted) in expected.items():
        if found != wanted:
            raise GeneratorError(
                f"{ARCHIVE}: its {what} is {found}, but this release's is {wanted}; "
                "it is refused, run `generator stage package` again"
            )
    if labelled.engine == "process" and not release.rehearsal:
        raise GeneratorError(
            f"{ARCHIVE} was made without a Docker engine, for a rehearsal: it is refused elsewhere"
        )
    return labelled


def _published_before(release: Release, found: Found, reference: str) -> Record:
    """The record of the image that is there; it must be of this very release."""
    labelled = read_labels(found.labels, reference)
    if (labelled.name, labelled.version) != (release.model.name, str(release.version)):
        raise GeneratorError(
            f"{reference} is {labelled.name} {labelled.version} already: let image.repository or image.tag "
            "tell models apart"
        )
    if labelled.commit != release.commit:
        raise GeneratorError(
            f"{reference} was published from commit {labelled.commit[:12]}, and this release is of commit "
            f"{release.commit[:12]}: a version is released once; tag the new commit with a higher version"
        )
    if labelled.engine == "process" and not release.rehearsal:
        raise GeneratorError(f"{reference} was made by a rehearsal: it is refused elsewhere")
    return labelled.record
