"""Amazon ECR: its login, and repositories that are made before the first push; the rest is a plain registry."""

from __future__ import annotations

import base64
import re
from functools import cached_property
from typing import Any

from generator.adapters.docker_auth import Login
from generator.adapters.registry import HttpRegistry
from generator.config.model import Ecr
from generator.errors import GeneratorError


class EcrRegistry(HttpRegistry):
    """One repository in ECR; see ports.Registry."""

    def __init__(self, host: str, repository: str, place: Ecr, *, client: Any = None) -> None:
        super().__init__(host, repository, login=self._ecr_login)
        self.place, self._given = place, client

    def ensure(self) -> None:
        """Makes the repository where it is missing: tags immutable, scanned on push."""
        try:
            self._call("describe_repositories", repositoryNames=[self.repository], registryId=self.place.account)
        except _Missing:
            self._call(
                "create_repository",
                repositoryName=self.repository,
                registryId=self.place.account,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
            )

    def _ecr_login(self) -> Login:
        data = self._call("get_authorization_token")["authorizationData"]
        user, _, password = base64.b64decode(data[0]["authorizationToken"]).decode().partition(":")
        return Login(user, password)

    @cached_property
    def _ecr(self) -> Any:
        return self._given or _boto3().client("ecr", region_name=self.place.region)

    def _call(self, operation: str, **arguments: Any) -> Any:
        _boto3()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._ecr, operation)(**arguments)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code == "RepositoryNotFoundException":
                raise _Missing from error
            if code == "RepositoryAlreadyExistsException":  # somebody else was faster
                return {}
            raise GeneratorError(self._explained(operation, code, error)) from error
        except BotoCoreError as error:
            raise GeneratorError(self._no_call(error)) from error

    def _explained(self, operation: str, code: str, error: Exception) -> str:
        if code.startswith("AccessDenied"):
            action = "ecr:" + "".join(word.capitalize() for word in operation.split("_"))
            what = "*" if operation == "get_authorization_token" else self._arn
            return f"AWS denies {action}: allow it on {what} in the policy of the role that publishes (image.role)"
        if code in ("ExpiredToken", "ExpiredTokenException", "RequestExpired"):
            return "the AWS credentials have expired: get new ones (in a workflow: run the job again)"
        if code in ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException"):
            return f"AWS does not know these credentials in {self.place.region} ({code}): check them"
        return f"ECR in {self.place.region} refuses {operation} for {self.repository}: {error}"

    def _no_call(self, error: Exception) -> str:
        kind = type(error).__name__
        if re.search("Credential|Token|Profile|SSO|Login", kind):
            return (
                f"no usable AWS credentials ({kind}): in a workflow set image.role, elsewhere log in with "
                "`aws sso login` or set AWS_PROFILE"
            )
        return f"ECR in {self.place.region} cannot be reached: {error}"

    @property
    def _arn(self) -> str:
        return f"arn:aws:ecr:{self.place.region}:{self.place.account}:repository/{self.repository}"


def _boto3() -> Any:
    """The package, before anything of it is used: only who publishes to ECR has it."""
    try:
        import boto3
    except ImportError as error:
        raise GeneratorError(
            "publishing to ECR needs boto3: install the command with its extra `aws`, or `pip install boto3`"
        ) from error
    return boto3


class _Missing(GeneratorError):
    """The repository does not exist."""
