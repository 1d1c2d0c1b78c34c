"""What `bootstrap aws` asks of IAM: the account's OIDC providers, and whether a role is there."""

from __future__ import annotations

from dataclasses import dataclass

from generator.adapters.aws import AUDIENCE, GITHUB_ISSUER, Aws, Refused


@dataclass(frozen=True)
class Provider:
    """An OIDC provider: whose tokens the account believes, and for which audiences."""

    arn: str
    audiences: tuple[str, ...]


class Iam:
    """One account's IAM."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def github_provider(self) -> Provider | None:
        """The account's provider for GitHub Actions."""
        return self.provider(GITHUB_ISSUER)

    def provider(self, issuer: str) -> Provider | None:
        """The account's provider for `issuer`, without https://; an account can have one of each."""
        listed = self._aws.call("iam", "list_open_id_connect_providers")["OpenIDConnectProviderList"]
        for arn in (str(item["Arn"]) for item in listed):
            if arn.endswith(f":oidc-provider/{issuer}"):
                found = self._aws.call("iam", "get_open_id_connect_provider", on=arn, OpenIDConnectProviderArn=arn)
                return Provider(arn, tuple(found.get("ClientIDList", ())))
        return None

    def make_provider(self, issuer: str) -> None:
        """Makes it, in no stack: whoever deletes a stack must not lock others out."""
        try:
            self._aws.call(
                "iam", "create_open_id_connect_provider", Url=f"https://{issuer}", ClientIDList=[AUDIENCE]
            )
        except Refused as error:
            if error.code != "EntityAlreadyExists":  # somebody else was faster
                raise

    def has_role(self, name: str) -> bool:
        try:
            self._aws.call("iam", "get_role", on=f"role/{name}", RoleName=name)
        except Refused as error:
            if error.code in ("NoSuchEntity", "NoSuchEntityException"):
                return False
            raise
        return True
