"""A deploy key: the private SSH key that a job pushes with. It is on disk only while Git runs."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from generator.errors import GeneratorError
from generator.plan.credentials import DEPLOY_KEY, KNOWN_HOSTS, PUSH_TO

# As published on https://docs.github.com, "GitHub's SSH key fingerprints"; a test compares the fingerprints.
GITHUB_HOST_KEYS = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9"
    "nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCj7ndNxQowgcQnjshcLrqPEiiphnt+VTTvDP6mHBL9j1aNUkY4Ue1gvwnGLVlO"
    "hGeYrnZaMgRK6+PKCUXaDbC7qtbW8gIkhL7aGCsOr/C56SJMy/BCZfxd1nWzAOxSDPgVsmerOBYfNqltV9/hWCqBywINIR+5dIg6"
    "JTJ72pcEpEjcYgXkE2YEFXV1JHnsKgbLWNlhScqb2UmyRkQyytRLtL+38TGxkxCflmO+5Z8CSSNY7GidjMIZ7Q4zMjA2n1nGrlTD"
    "kzwDCsw+wqFPGQA179cnfGWOWRVruj16z6XyvxvjJwbz0wQZ75XK5tKSb7FNyeIEs4TT4jk+S4dhPeAUC5y+bDYirYgM4GC7uEnz"
    "tnZyaVWQ7B381AK4Qdrwt51ZqExKbQpTUNn+EjqoTwvqNj4kqx5QUCI0ThS/YkOxJCXmPUWZbhjpCg56i+2aB6CmK2JGhn57K5mj"
    "0MNdBXA4/WnwH6XoPWJzK5Nyu2zB3nAZp+S5hpQs+p1vN1/wsjk=",
)
GITHUB_HOSTS = "".join(f"github.com,[ssh.github.com]:443 {key}\n" for key in GITHUB_HOST_KEYS)
# Nobody answers a question, no other key is tried, no unknown server is talked to, and no setting of the machine's
# user changes that.
_OPTIONS = (
    *("IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes", "StrictHostKeyChecking=yes"),
    *("GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no", "ConnectTimeout=30", "ServerAliveInterval=30"),
)
_PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[\s\S]+\n-----END [A-Z ]*PRIVATE KEY-----\n")
_HINTS = (
    (
        "Host key verification failed",
        f"the server's host key is not among those that are known: set the variable {KNOWN_HOSTS} of the "
        "environment to its keys, as its administrator publishes them, one `HOST TYPE KEY` a line",
    ),
    (
        "marked as read only",
        "give the deploy key write access (Settings, Deploy keys): it may only read",
    ),
    (
        r"Permission denied \(|error in libcrypto|invalid format",
        f"the server does not take the key in the secret {DEPLOY_KEY}: its public half must be a deploy key of "
        "the repository, with write access, and the private one must have no passphrase",
    ),
)


@dataclass(frozen=True)
class DeployKey:
    """The private key, the host keys it is shown to, and where it pushes."""

    text: str = field(repr=False)
    hosts: str = GITHUB_HOSTS  # lines of a known_hosts file
    address: str | None = None  # None: that of origin, over SSH

    def pushes_to(self, origin: str) -> str:
        """The address for a push to the repository that is read at `origin`."""
        address = self.address or origin
        parts = urlsplit(address)
        if parts.scheme == "ssh":
            return address
        if parts.scheme != "https" or not parts.hostname:
            raise GeneratorError(
                f"a deploy key pushes over SSH, and {_shown(origin)} is no https:// or ssh:// address: set "
                "`repository.url` in model.yaml to the ssh:// one"
            )
        return f"ssh://git@{parts.hostname}/{parts.path.strip('/').removesuffix('.git')}.git"

    @contextmanager
    def opened(self) -> Iterator[dict[str, str]]:
        """Git's variables for one push; the key's file is gone afterwards, also where we are asked to end."""
        with tempfile.TemporaryDirectory(prefix="tagship-key-") as folder:
            key, hosts = Path(folder, "key"), Path(folder, "known_hosts")
            key.touch(mode=0o600, exist_ok=False)
            key.write_text(self.text, encoding="utf-8")
            hosts.write_text(self.hosts, encoding="utf-8")
            options = [f"-o{option}" for option in (*_OPTIONS, f'UserKnownHostsFile="{hosts}"')]
            command = shlex.join(["ssh", "-F/dev/null", f"-i{key}", *options])
            yield {"GIT_SSH_COMMAND": command, "GIT_SSH_VARIANT": "ssh"}


def _shown(origin: str) -> str:
    return re.sub(r"//[^/@]*@", "//", origin)


def deploy_key(variables: Mapping[str, str]) -> DeployKey | None:
    """The key in a job's variables; None where the job has none. Raises GeneratorError where that is no key."""
    if DEPLOY_KEY not in variables:
        return None
    text = variables[DEPLOY_KEY].replace("\r\n", "\n").strip() + "\n"
    if not _PRIVATE.fullmatch(text):
        said = "is not set" if text == "\n" else "holds no private SSH key, whole and in lines"
        raise GeneratorError(
            f"the secret {DEPLOY_KEY} {said}: `ssh-keygen -t ed25519 -N '' -f key` makes a pair; set the secret "
            f"by `gh secret set {DEPLOY_KEY} --env tagship-deploy < key`"
        )
    hosts = variables.get(KNOWN_HOSTS, "").replace("\r\n", "\n").strip()
    return DeployKey(text, f"{hosts}\n" if hosts else GITHUB_HOSTS, variables.get(PUSH_TO))


def explained(stderr: str) -> str:
    """What to do about SSH's reason; empty where it is another one."""
    for pattern, hint in _HINTS:
        if re.search(pattern, stderr):
            return f"\n{hint}"
    return ""
