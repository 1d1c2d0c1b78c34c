"""How long `generator --help` takes, beside an empty Python and other commands of the field."""

from __future__ import annotations

import shutil
import sys

from benchmarks.measure import in_turns, process, table


def main() -> None:
    commands = {
        "python -c pass": process([sys.executable, "-c", "pass"]),
        "generator --help": process([shutil.which("generator") or "generator", "--help"]),
        "cookiecutter --help": process([shutil.which("cookiecutter") or "cookiecutter", "--help"]),
    }
    seconds = in_turns(commands, 15)
    floor = seconds["python -c pass"]
    rows = [(name, f"{s * 1000:.0f} ms", f"+{(s - floor) * 1000:.0f} ms") for name, s in seconds.items()]
    table("Start (median of 15)", ("command", "time", "over python"), rows)


if __name__ == "__main__":
    main()
