"""What the host name of an ECR registry says."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HOST = re.compile(r"(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True)
class Ecr:
    """An ECR registry, read from its host name."""

    account: str
    region: str

    @property
    def partition(self) -> str:
        """The part of AWS that ARNs there begin with."""
        for prefix, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")):
            if self.region.startswith(prefix):
                return partition
        return "aws"


def ecr_of(registry: str) -> Ecr | None:
    """The account and region of a registry's host name; None where it is not ECR's."""
    match = _HOST.fullmatch(registry)
    return Ecr(match[1], match[2]) if match else None
