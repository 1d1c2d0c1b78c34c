"""deploy: puts a digest into one overlay of the branch as it is now, by a commit that either lands or does not.

Killed at any point, a second run finds the ledger as it left it.
"""

from __future__ import annotations

from collections.abc import Callable

from generator.artifacts import OverlayCommit, PublishedImage
from generator.delivery.environment import Environment
from generator.delivery.landing import Deployer, Landed, land
from generator.errors import GeneratorError
from generator.judging import judge
from generator.ledger import Entry
from generator.release import Release


def deploy(
    release: Release,
    published: PublishedImage,
    environment: str,
    with_: Deployer,
    *,
    older_because: str | None = None,
    merged: Callable[[str], bool] | None = None,
) -> OverlayCommit:
    """Commits `published` to the overlay of `environment` on the branch that the reconciler follows.

    `merged` says whether the release branch has a commit, where the overlays' repository cannot.
    """
    _check_identity(release, published)
    branch = release.model.overlays_branch

    def edit(head: str) -> Landed:
        if not (merged(release.commit) if merged else with_.git.is_ancestor(release.commit, head)):
            raise _not_merged(release)
        found = Environment(release.model, environment, with_)
        if _is_there(found, release, published):
            done = found.unchanged()
            with_.reporter.say(f"{branch} has {release.version} already, by {done.commit[:12]}: nothing to commit")
            return done
        entry = _entry(release, published, with_.now)
        ledger = found.ledger.with_release(entry, older_because=older_because)
        if release.model.separate:
            _check_champion(release, entry, found)
        title = f"Deploy {release.model.name} {entry.version} to {environment}"
        message = found.message(title, entry, older_because)
        return found.commit(ledger, message, repository=published.repository)

    return _outcome(release, published, environment, land(with_, branch, edit))


def _outcome(release: Release, published: PublishedImage, environment: str, landed: Landed) -> OverlayCommit:
    return OverlayCommit(
        **release.identity,
        environment=environment,
        overlay=landed.overlay,
        branch=release.model.overlays_branch,
        overlay_commit=landed.commit,
        repository=published.repository,
        digest=published.digest,
        changed=landed.changed,
        ledger=landed.ledger.text() if release.model.separate else None,
    )


def _not_merged(release: Release) -> GeneratorError:
    branch = release.model.config.repository.branch
    return GeneratorError(
        f"the tagged commit {release.commit[:12]} is not on {branch}: merge it there, or tag a commit of {branch}"
    )


def _check_champion(release: Release, entry: Entry, found: Environment) -> None:
    """The gate saw no ledger: the job that runs the training script has no key to another repository."""
    verdict = judge(
        entry.version,
        entry.metrics,
        release.model.config.gate,
        found.ledger,
        model_file=release.model.shown,
        say=found.with_.reporter.say,
    )
    if verdict.failures:
        failures = "\n".join(f"  {failure}" for failure in verdict.failures)
        raise GeneratorError(
            f"{release.id} does not pass the gate of {found.target.name}:\n{failures}\n"
            "its image is published, and no overlay names it: release a better one as a higher version"
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
        load_seconds=published.load_seconds,
        metrics=record.metrics,
        at=now,
        by=release.by,
    )
