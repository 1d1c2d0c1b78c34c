"""`python -m tests.checks [FILES…]`: all linters and rules over workflows; exit 1 when one finds something.

Without files it checks this repository's own: workflows, overlays, the image's Dockerfile, shell, and that
templates/github/tagship.lock is not stale.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from generator.image.context import Content, dockerfile
from tests.checks import lock, manifests
from tests.checks.rules import broken
from tests.checks.tools import ROOT, TOOLS, hadolint, installed, own_scripts


def main(arguments: list[str]) -> int:
    files = [Path(argument) for argument in arguments] or sorted((ROOT / ".github/workflows").glob("*.y*ml"))
    if not files:
        sys.stderr.write("no workflows here: run `generator generate`, or name files\n")
        return 2
    found = {"our rules": "\n".join(problem for file in files for problem in broken(file))}
    if not arguments:
        found[lock.LOCK.name] = "\n".join(lock.stale(lock.LOCK.read_text(encoding="utf-8")))
        found |= manifests.problems(ROOT)
        content = Content(model=ROOT, lock="", release={}, python="3.11")
        found["hadolint"] = hadolint(dockerfile(content))
        found["shellcheck of .ci/run"] = own_scripts([ROOT / ".ci/run"])
    for name, tool in TOOLS.items():
        if installed(name):
            found[name] = tool(files)
        elif os.environ.get("REQUIRE_E2E") == "1":
            found[name] = "is not installed, and REQUIRE_E2E=1 asks for it"
        else:
            sys.stderr.write(f"{name} is not installed: not checked\n")
    for name, text in found.items():
        sys.stdout.write(f"{name}: {text or 'nothing found'}\n")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
