"""One ECR repository as its owner sees it: its settings, the tagged images in it, and their deletion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from generator.adapters.aws import Aws, Refused
from generator.config.ecr import Ecr
from generator.errors import GeneratorError

_BATCH = 100  # images in one deletion


@dataclass(frozen=True)
class Settings:
    """How a repository is set up."""

    name: str
    mutability: str
    scans: bool
    lifecycle: str | None  # its policy, as JSON


@dataclass(frozen=True)
class StoredImage:
    """A tagged image."""

    digest: str
    tags: tuple[str, ...]
    pushed: datetime
    pulled: datetime | None  # as far as ECR remembers
    bytes: int


class EcrRepository:
    """The repository `name` in the registry at `place`."""

    def __init__(self, aws: Aws, place: Ecr, name: str) -> None:
        self._aws, self._name = aws, name
        self._named = {"repositoryName": name, "registryId": place.account}
        self._arn = f"arn:{place.partition}:ecr:{place.region}:{place.account}:repository/{name}"

    def settings(self) -> Settings | None:
        """None where there is no such repository."""
        asked = {"repositoryNames": [self._name], "registryId": self._named["registryId"]}
        try:
            found = self._aws.call("ecr", "describe_repositories", on=self._arn, **asked)["repositories"][0]
        except Refused as error:
            if error.code == "RepositoryNotFoundException":
                return None
            raise
        scans = bool(found.get("imageScanningConfiguration", {}).get("scanOnPush"))
        return Settings(self._name, str(found.get("imageTagMutability", "")), scans, self._lifecycle())

    def _lifecycle(self) -> str | None:
        try:
            found = self._aws.call("ecr", "get_lifecycle_policy", on=self._arn, **self._named)
        except Refused as error:
            if error.code == "LifecyclePolicyNotFoundException":
                return None
            raise
        return str(found["lifecyclePolicyText"])

    def images(self) -> Iterator[StoredImage]:
        """Every tagged image."""
        more: dict[str, str] = {}
        while True:
            asked = {**self._named, "filter": {"tagStatus": "TAGGED"}, **more}
            answer = self._aws.call("ecr", "describe_images", on=self._arn, **asked)
            for item in answer["imageDetails"]:
                if tags := item.get("imageTags"):
                    yield StoredImage(
                        digest=str(item["imageDigest"]),
                        tags=tuple(sorted(tags)),
                        pushed=item["imagePushedAt"].astimezone(UTC),
                        pulled=pulled.astimezone(UTC) if (pulled := item.get("lastRecordedPullTime")) else None,
                        bytes=int(item.get("imageSizeInBytes", 0)),
                    )
            if not answer.get("nextToken"):
                return
            more = {"nextToken": answer["nextToken"]}

    def delete(self, digests: Sequence[str]) -> None:
        """Deletes images with all their tags. Raises GeneratorError with each that ECR keeps, and why."""
        failures = []
        for begin in range(0, len(digests), _BATCH):
            ids = [{"imageDigest": digest} for digest in digests[begin : begin + _BATCH]]
            answer = self._aws.call("ecr", "batch_delete_image", on=self._arn, imageIds=ids, **self._named)
            failures += answer.get("failures", ())
        if failures:
            kept = "\n".join(
                f"{item.get('imageId', {}).get('imageDigest')}: {item.get('failureReason')}" for item in failures
            )
            raise GeneratorError(f"ECR keeps some images of {self._name}:\n{kept}")
