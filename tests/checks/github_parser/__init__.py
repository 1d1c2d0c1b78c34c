"""GitHub's own parser of workflows and expressions, as its editors use it: from npm, run by Node.

The packages are those of package-lock.json, with its hashes, installed once into the tests' cache.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from generator.adapters.shell import run
from tests.environments import cache, locked

NEEDS = ("node", "npm")
# GitHub runs workflows on this event; the parser does not know what such an event holds.
UNKNOWN_EVENT = ": Context access might be invalid: merge_group"

_HERE = Path(__file__).parent
_FILES = ("package.json", "package-lock.json", ".npmrc", "findings.mjs")


def findings(files: Iterable[Path]) -> str:
    """What the parser finds but for the one message that is not true; all files in one process."""
    lines = run("node", str(_installed() / "findings.mjs"), *map(str, files)).splitlines()
    return "\n".join(line for line in lines if not line.endswith(UNKNOWN_EVENT))


def _installed() -> Path:
    """A copy of this folder with its packages, made if it is not there yet."""
    content = b"".join((_HERE / name).read_bytes() for name in _FILES)
    folder = cache() / f"github-parser-{hashlib.sha256(content).hexdigest()[:12]}"
    with locked(folder.with_suffix(".lock")):
        if not (folder / "complete").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name in _FILES:
                shutil.copy(_HERE / name, folder)
            run("npm", "ci", "--silent", cwd=folder)
            (folder / "complete").touch()
    return folder
