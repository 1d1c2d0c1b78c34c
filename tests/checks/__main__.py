"""`python -m tests.checks FILES…`: all linters and rules over workflows; exit 1 when one finds something."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.checks.rules import broken
from tests.checks.tools import TOOLS, installed


def main(arguments: list[str]) -> int:
    files = [Path(argument) for argument in arguments]
    if not files:
        sys.stderr.write("usage: python -m tests.checks FILES...\n")
        return 2
    found = {"our rules": "\n".join(problem for file in files for problem in broken(file))}
    for name, tool in TOOLS.items():
        if installed(name):
            found[name] = tool(files)
        else:
            sys.stderr.write(f"{name} is not installed: not checked\n")
    for name, text in found.items():
        sys.stdout.write(f"{name}: {text or 'nothing found'}\n")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
