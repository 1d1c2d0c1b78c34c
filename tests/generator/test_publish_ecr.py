"""What is asked of ECR, and what its refusals become. Answers come from botocore's own Stubber."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber

from generator.adapters.ecr import EcrRegistry
from generator.config.ecr import Ecr
from generator.errors import GeneratorError

HOST = "123456789012.dkr.ecr.eu-north-1.amazonaws.com"
NAMED = {"repositoryNames": ["team/churn"], "registryId": "123456789012"}
MADE = {
    "repositoryName": "team/churn",
    "registryId": "123456789012",
    "imageTagMutability": "IMMUTABLE",
    "imageScanningConfiguration": {"scanOnPush": True},
}


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client(
        "ecr",
        region_name="eu-north-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 1}),
    )
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def registry(stub: Stubber) -> EcrRegistry:
    return EcrRegistry(HOST, "team/churn", Ecr("123456789012", "eu-north-1"), client=stub.client)


def refused(stub: Stubber) -> str:
    with pytest.raises(GeneratorError) as caught:
        registry(stub).ensure()
    return str(caught.value)


def test_a_repository_that_is_there_is_left_alone(stub: Stubber) -> None:
    stub.add_response("describe_repositories", {"repositories": []}, NAMED)
    registry(stub).ensure()


def test_a_missing_repository_is_made_with_immutable_tags_and_scanning(stub: Stubber) -> None:
    stub.add_client_error("describe_repositories", "RepositoryNotFoundException", expected_params=NAMED)
    stub.add_response("create_repository", {"repository": {}}, MADE)
    registry(stub).ensure()


def test_somebody_else_may_make_it_first(stub: Stubber) -> None:
    stub.add_client_error("describe_repositories", "RepositoryNotFoundException")
    stub.add_client_error("create_repository", "RepositoryAlreadyExistsException")
    registry(stub).ensure()


def test_a_missing_permission_is_named_with_its_resource(stub: Stubber) -> None:
    stub.add_client_error("describe_repositories", "RepositoryNotFoundException")
    stub.add_client_error("create_repository", "AccessDeniedException")
    message = refused(stub)
    assert "ecr:CreateRepository" in message
    assert "arn:aws:ecr:eu-north-1:123456789012:repository/team/churn" in message


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDeniedException", "AWS denies ecr:DescribeRepositories"),
        ("ExpiredTokenException", "have expired"),
        ("UnrecognizedClientException", "does not know these credentials in eu-north-1"),
        (
            "ServerException",
            "refuses describe_repositories for arn:aws:ecr:eu-north-1:123456789012:repository/team/churn",
        ),
    ],
)
def test_refusals_say_what_to_do(stub: Stubber, code: str, said: str) -> None:
    stub.add_client_error("describe_repositories", code)
    assert said in refused(stub)


def test_the_token_becomes_a_login(stub: Stubber) -> None:
    token = base64.b64encode(b"AWS:t0ken").decode()
    stub.add_response("get_authorization_token", {"authorizationData": [{"authorizationToken": token}]}, {})
    login = registry(stub)._login
    assert login is not None
    assert (login.user, login.password) == ("AWS", "t0ken")


def test_no_permission_for_a_token_names_every_resource(stub: Stubber) -> None:
    stub.add_client_error("get_authorization_token", "AccessDeniedException")
    with pytest.raises(GeneratorError, match=r"ecr:GetAuthorizationToken: allow it on \* "):
        assert registry(stub)._login


class WithoutCredentials:
    """A client on a machine where nobody logged in."""

    def describe_repositories(self, **_: object) -> None:
        raise NoCredentialsError


def test_no_credentials_say_how_to_get_some() -> None:
    given = EcrRegistry(HOST, "churn", Ecr("123456789012", "eu-north-1"), client=WithoutCredentials())
    with pytest.raises(GeneratorError, match="set image.role, elsewhere log in"):
        given.ensure()


def test_without_boto3_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("boto3", "botocore")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(GeneratorError, match="publishing to ECR needs boto3: install the command with its extra"):
        EcrRegistry(HOST, "team/churn", Ecr("123456789012", "eu-north-1")).ensure()
