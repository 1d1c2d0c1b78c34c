"""Amazon ECR: its login, and repositories that are made before the first push; the rest is a plain registry."""

from __future__ import annotations

import base64
from typing import Any

from generator.adapters.aws import Aws, Refused
from generator.adapters.docker_auth import Login
from generator.adapters.registry import HttpRegistry
from generator.config.ecr import Ecr
from generator.errors import GeneratorError


class EcrRegistry(HttpRegistry):
    """One repository in ECR; see ports.Registry."""

    def __init__(self, host: str, repository: str, place: Ecr, *, client: Any = None) -> None:
        super().__init__(host, repository, login=self._ecr_login)
        given = {} if client is None else {"ecr": client}
        allow = "in the policy of the role that publishes (image.role)"
        self.place = place
        self._aws = Aws(place.region, needs="publishing to ECR", allow=allow, **given)

    def ensure(self) -> None:
        """Makes the repository where it is missing: tags immutable, scanned on push."""
        try:
            self._call("describe_repositories", repositoryNames=[self.repository], registryId=self.place.account)
        except _Missing:
            self._make()

    def _make(self) -> None:
        try:
            self._call(
                "create_repository",
                repositoryName=self.repository,
                registryId=self.place.account,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
            )
        except Refused as error:
            if not error.code.startswith("AccessDenied"):
                raise
            raise GeneratorError(
                f"the ECR repository {self.repository} does not exist: `generator bootstrap aws --apply` makes "
                f"it. This role may not ({error})"
            ) from error

    def _ecr_login(self) -> Login:
        data = self._call("get_authorization_token")["authorizationData"]
        user, _, password = base64.b64decode(data[0]["authorizationToken"]).decode().partition(":")
        return Login(user, password)

    def _call(self, operation: str, **arguments: Any) -> Any:
        # A login is to all of a registry; it knows no resource.
        on = "*" if operation == "get_authorization_token" else self._arn
        try:
            return self._aws.call("ecr", operation, on=on, **arguments)
        except Refused as error:
            if error.code == "RepositoryNotFoundException":
                raise _Missing from error
            if error.code == "RepositoryAlreadyExistsException":  # somebody else was faster
                return {}
            raise

    @property
    def _arn(self) -> str:
        return (
            f"arn:{self.place.partition}:ecr:{self.place.region}:{self.place.account}:repository/{self.repository}"
        )


class _Missing(GeneratorError):
    """The repository does not exist."""
