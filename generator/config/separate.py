"""What a configuration repository of its own (`deploy.repository: URL`) asks of the rest of model.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from generator.config.addresses import canonical, host_of, owner_and_name
from generator.config.schema import ModelFile
from generator.yamlio import Path_

_REPOSITORY: Path_ = ("deploy", "repository")
# Ways to push that reach another repository than the workflow's own.
REACHING = ("app",)


def separation_problems(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """(path, message) for whatever keeps commits from landing in the other repository."""
    other, url = config.deploy.repository, config.repository.url
    if other == "same":
        if config.deploy.branch is not None:
            message = "deploy.branch is for a configuration repository: overlays are on repository.branch here"
            yield ("deploy", "branch"), f"{message}; leave it out"
        return
    if owner_and_name(other) is None:
        form = "https://HOST/OWNER/NAME or ssh://git@HOST/OWNER/NAME"
        yield _REPOSITORY, f"deploy.repository must be {form}: an App's token is for such a repository"
    if config.deploy.push.mode not in REACHING:
        message = "is another repository, where a workflow's own token may not write: set deploy.push.mode to app"
        yield _REPOSITORY, f"deploy.repository {message}"
    if url is None:
        message = "needs repository.url, so that it can say whose files it holds: add repository: {url: https://…}"
        yield _REPOSITORY, f"deploy.repository {message}"
    elif canonical(url) == canonical(other):
        yield _REPOSITORY, "deploy.repository is this very repository: write same"
    elif host_of(url) != host_of(other):
        message = f"is on {host_of(other)}, which no token of {host_of(url)} opens: use a repository there"
        yield _REPOSITORY, f"deploy.repository {message}"
    if config.retrain is not None:
        message = (
            "retrain is not supported yet with deploy.repository: it finds what runs in this repository alone"
        )
        yield ("retrain",), f"{message}; leave it out"
