"""Addresses of Git repositories: whether two lead to the same one, and whose it is."""

from __future__ import annotations

import re


def canonical(address: str) -> str:
    """host/owner/name, however Git is to get there."""
    text = re.sub(r"^\w+://", "", address.strip())
    text = re.sub(r"^[^@/]+@", "", text)
    return re.sub(r"^([\w.-]+?)(?::\d+)?[:/]+", r"\1/", text).removesuffix("/").removesuffix(".git").lower()


def host_of(address: str) -> str:
    """The host alone, without a port."""
    return canonical(address).partition("/")[0]


def owner_and_name(url: str) -> tuple[str, str] | None:
    """Of https://HOST/OWNER/NAME; None for any other form."""
    match = re.fullmatch(r"https://[^/@]+/([A-Za-z0-9-]+)/([A-Za-z0-9._-]+?)(?:\.git)?", url)
    return (match[1], match[2]) if match and match[2] not in (".", "..") else None


def commit_url(url: str | None, commit: str) -> str | None:
    """Where a person sees `commit`; None where the repository has no https address."""
    if url is None or not url.startswith("https://"):
        return None
    return f"{url.removesuffix('.git')}/commit/{commit}"
