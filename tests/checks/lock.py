"""Makes templates/github/tagship.lock: all that a runner installs before the command itself, with hashes.

    python -m tests.checks.lock            writes it
    python -m tests.checks.lock --check    says why it is stale, and exits 1

The dependencies are those of uv.lock; what building the command needs is resolved beside them, and keeps
the versions that the file has, as long as they fit.
"""

from __future__ import annotations

import re
import sys
import tempfile
import tomllib
from pathlib import Path

from generator.adapters.shell import run

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "templates/github/tagship.lock"
HEADER = """\
# What workflows install before the command itself: all its dependencies, and what building it needs.
# `generator generate` copies this file as it is; each version of the command brings its own.
"""
_PLAIN = ("--no-header", "--no-annotate", "--quiet")


def made() -> str:
    """The whole file, as uv.lock and pyproject.toml want it. Asks the package index for build requirements."""
    dependencies = _exported()
    with tempfile.TemporaryDirectory() as folder:
        wanted, constraints, output = (Path(folder, name) for name in ("build.in", "deps.txt", "build.txt"))
        wanted.write_text("\n".join(build_requirements()), encoding="utf-8")
        constraints.write_text(dependencies, encoding="utf-8")
        output.write_text(LOCK.read_text(encoding="utf-8") if LOCK.is_file() else "", encoding="utf-8")
        run(
            *("uv", "pip", "compile", "--universal", "--python-version", _oldest_python(), "--generate-hashes"),
            *("--no-config", "--constraints", str(constraints), "--output-file", str(output), *_PLAIN),
            str(wanted),
        )
        build = packages(output.read_text(encoding="utf-8"))
    return _text({**build, **packages(dependencies)})


def stale(text: str) -> list[str]:
    """Why `text` is not what uv.lock wants; empty when it is. Needs no network."""
    found, wanted = packages(text), packages(_exported())
    problems = [f"{name} differs from uv.lock" for name in wanted if found.get(name) != wanted[name]]
    build = [name for name in found if name not in wanted]
    needed = {re.split(r"[\s<>=!~\[;]", requirement)[0] for requirement in build_requirements()}
    problems += [f"{name}, which builds the command, is missing" for name in sorted(needed - {*build, *wanted})]
    problems += [f"{name} has no hash" for name, entry in found.items() if "--hash=sha256:" not in entry]
    if text != _text(found):
        problems.append("it is not as `python -m tests.checks.lock` writes it")
    return problems


def packages(text: str) -> dict[str, str]:
    """The entries of a requirements file by name: version, marker and hashes."""
    entries = re.split(r"\n(?=[a-z0-9])", "\n" + re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    return {re.split(r"[=\s\[]", entry)[0]: entry for entry in entries if entry.strip()}


def version_of(name: str, text: str) -> str:
    """The version that the lock in `text` has of `name`."""
    return packages(text)[name].split()[0].removeprefix(f"{name}==")


def build_requirements() -> list[str]:
    return list(_project()["build-system"]["requires"])


def _oldest_python() -> str:
    return str(_project()["project"]["requires-python"]).removeprefix(">=")


def _project() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _exported() -> str:
    return run("uv", "export", "--frozen", "--extra", "aws", "--no-emit-project", *_PLAIN, cwd=ROOT)


def _text(entries: dict[str, str]) -> str:
    return HEADER + "".join(f"{entries[name]}\n" for name in sorted(entries))


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        problems = stale(LOCK.read_text(encoding="utf-8"))
        sys.stderr.writelines(f"{LOCK.relative_to(ROOT)} is stale: {problem}\n" for problem in problems)
        return 1 if problems else 0
    LOCK.write_text(made(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
