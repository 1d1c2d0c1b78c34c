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
    """Of https://HOST/OWNER/NAME or ssh://git@HOST/OWNER/NAME; None for any other form."""
    match = re.fullmatch(r"https://[^/@]+/([A-Za-z0-9-]+)/([A-Za-z0-9._-]+?)(?:\.git)?", https_of(url))
    return (match[1], match[2]) if match and match[2] not in (".", "..") else None


def https_of(url: str) -> str:
    """The same repository as a token and a browser reach it."""
    return re.sub(r"^ssh://git@([^/:]+)(:\d+)?/", r"https://\1/", url)


def commit_url(url: str | None, commit: str) -> str | None:
    """Where a person sees `commit`; None where no address is known."""
    return f"{https_of(url).removesuffix('.git')}/commit/{commit}" if url else None


def page_url(url: str | None, revision: str, path: str) -> str | None:
    """Where a person reads the file `path` at a commit or branch; None where no address is known."""
    return f"{https_of(url).removesuffix('.git')}/blob/{revision}/{path}" if url else None
