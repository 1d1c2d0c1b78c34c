"""The door to AWS: boto3, what its refusals mean, and what an account says of itself.

Credentials are the machine's own: boto3 finds them, and nothing here reads or shows them.
"""

from __future__ import annotations

import re
from typing import Any

from generator.errors import GeneratorError

GITHUB_ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"


class Refused(GeneratorError):
    """AWS answered with an error; `code` is AWS's own name of it."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class NoAccess(GeneratorError):
    """No package, no credentials, or no connection: AWS was not asked at all."""


class Aws:
    """One region, as this machine's credentials see it.

    `needs` says what asks ("publishing to ECR"), `allow` where a right would have to be added. With `seconds`, an
    answer that takes longer counts as none.
    """

    def __init__(
        self, region: str, *, needs: str, allow: str, seconds: float | None = None, **clients: Any
    ) -> None:
        self.region, self._needs, self._allow, self._seconds = region, needs, allow, seconds
        self._clients = clients

    def call(self, service: str, operation: str, *, on: str = "*", **arguments: Any) -> Any:
        """Calls `operation`; `on` names the resource in messages. Raises Refused or NoAccess."""
        self._package()
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            return getattr(self._client(service), operation)(**arguments)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            raise Refused(code, self._explained(service, operation, on, code, error)) from error
        except BotoCoreError as error:
            raise NoAccess(self._no_call(service, error)) from error
        except ResponseParserError as error:  # a proxy's page, or a wrong AWS_ENDPOINT_URL
            raise NoAccess(
                f"what answers for {_title(service)} in {self.region} is not AWS: check the proxy, "
                "and AWS_ENDPOINT_URL"
            ) from error

    def account(self) -> str:
        """The number of the account that the credentials are of."""
        return str(self.call("sts", "get_caller_identity")["Account"])

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            package = self._package()
            self._clients[service] = package.client(service, region_name=self.region, config=self._limits())
        return self._clients[service]

    def _limits(self) -> Any:
        from botocore.config import Config

        if self._seconds is None:
            return None
        once = {"total_max_attempts": 1}
        return Config(connect_timeout=self._seconds, read_timeout=self._seconds, retries=once)

    def _package(self) -> Any:
        """boto3, before anything of it is used: only who works with AWS has it."""
        try:
            import boto3
        except ImportError as error:
            raise NoAccess(
                f"{self._needs} needs boto3: install the command with its extra `aws`, or `pip install boto3`"
            ) from error
        return boto3

    def _explained(self, service: str, operation: str, on: str, code: str, error: Exception) -> str:
        if code.startswith("AccessDenied"):
            action = f"{service}:" + "".join(word.capitalize() for word in operation.split("_"))
            return f"AWS denies {action}: allow it on {on} {self._allow}"
        if code in ("ExpiredToken", "ExpiredTokenException", "RequestExpired"):
            return "the AWS credentials have expired: get new ones (in a workflow: run the job again)"
        if code in ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException"):
            return f"AWS does not know these credentials in {self.region} ({code}): check them"
        return f"{_title(service)} in {self.region} refuses {operation} for {on}: {error}"

    def _no_call(self, service: str, error: Exception) -> str:
        kind = type(error).__name__
        if re.search("Credential|Token|Profile|SSO|Login", kind):
            return (
                f"no usable AWS credentials ({kind}): in a workflow set image.role, elsewhere log in with "
                "`aws sso login` or set AWS_PROFILE"
            )
        return f"{_title(service)} in {self.region} cannot be reached: {error}"


def _title(service: str) -> str:
    return {"cloudformation": "CloudFormation"}.get(service, service.upper())
