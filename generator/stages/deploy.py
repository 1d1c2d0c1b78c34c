"""deploy: puts a digest into one overlay of the branch as it is now, by a commit that either lands or does not.

Killed at any point, a second run finds the ledger as it left it.
"""

from __future__ import annotations

from generator.artifacts import OverlayCommit, PublishedImage
from generator.delivery.environment import Environment
from generator.delivery.landing import Deployer, Landed, land
from generator.errors import GeneratorError
from generator.ledger import Entry
from generator.release import Release


def deploy(
    release: Release,
    published: PublishedImage,
    environment: str,
    with_: Deployer,
    *,
    older_because: str | None = None,
) -> OverlayCommit:
    """Commits `published` to the overlay of `environment` on the release branch."""
    _check_identity(release, published)
    branch = release.model.config.repository.branch

    def edit(head: str) -> Landed:
        if not with_.git.is_ancestor(release.commit, head):
            raise GeneratorError(
                f"the tagged commit {release.commit[:12]} is not on {branch}: merge it there, "
                f"or tag a commit of {branch}"
            )
        found = Environment(release.model.name, environment, with_)
        if _is_there(found, release, published):
            done = found.unchanged()
            with_.reporter.say(f"{branch} has {release.version} already, by {done.commit[:12]}: nothing to commit")
            return done
        entry = _entry(release, published, with_.now)
        ledger = found.ledger.with_release(entry, older_because=older_because)
        title = f"Deploy {release.model.name} {entry.version} to {environment}"
        message = found.message(title, entry, older_because)
        return found.commit(ledger, message, repository=published.repository)

    landed = land(with_, branch, edit)
    return OverlayCommit(
        **release.identity,
        environment=environment,
        overlay=landed.overlay,
        branch=branch,
        overlay_commit=landed.commit,
        repository=published.repository,
        digest=published.digest,
        changed=landed.changed,
    )


def _check_identity(release: Release, published: PublishedImage) -> None:
    """The overlay gets what model.yaml says, whatever the artifact claims."""
    expected = (release.model.image_repository, release.model.image_tag(release.version))
    if published.rehearsal:
        if not release.rehearsal:
            raise GeneratorError("this image was published by a rehearsal: no other overlay may name its digest")
    elif (published.repository, published.tag) != expected:
        raise GeneratorError(
            f"publish.json names {published.repository}:{published.tag}, but model.yaml says "
            f"{expected[0]}:{expected[1]}; the artifact is refused"
        )


def _is_there(found: Environment, release: Release, published: PublishedImage) -> bool:
    """Whether the overlay has exactly this release now."""
    current = found.ledger.current
    if current is None or current.version != str(release.version):
        return False
    if current.digest != published.digest:
        raise GeneratorError(
            f"{current.version} is in {found.overlay} already, with the digest {current.digest}, "
            f"not {published.digest}; release a new version"
        )
    return True


def _entry(release: Release, published: PublishedImage, now: str) -> Entry:
    record = published.record
    return Entry(
        version=str(release.version),
        digest=published.digest,
        run=record.run_id,
        registered=record.registered_version,
        commit=release.commit,
        data=record.data_sha256,
        golden=record.golden_rows,
        runtime=record.runtime,
        size=published.size,
        metrics=record.metrics,
        at=now,
        by=release.by,
    )
