"""How large what an image installs is for the churn example, beside full MLflow, as its own images install it.

Both are resolved for the image's platform from what MLflow writes as the model's requirements, and
constrained by the example's training lock. No Docker is needed: site-packages are the same in the image.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from benchmarks.measure import table
from generator.adapters.uv import Uv
from generator.image.context import server_requirements
from generator.image.runtime_lock import Sources, constraints, locked, requirements

LIMIT = 350  # MB, what a release of this project promises
_LOCK = Path("examples/churn/requirements.lock")
# What MLflow writes into requirements.txt for a scikit-learn model with a DataFrame's signature.
_MODEL = ("mlflow", "cloudpickle", "numpy", "pandas", "scikit-learn", "scipy")


class _Silent:
    def say(self, line: str) -> None: ...

    def output(self, line: str) -> None: ...


def main() -> None:
    training = _LOCK.read_text(encoding="utf-8")
    pins = locked(training)
    model = "".join(f"{name}\n" for name in _MODEL if name in pins)  # the lock has their versions
    version = pins["mlflow"].partition("==")[2].split()[0]
    sources = Sources(model, server_requirements(), training, version, "3.11")
    wanted = {
        "Tagship's image": requirements(sources),
        "full MLflow and the model's requirements": model,
    }
    rows = []
    for name, text in wanted.items():
        packages, size = _installed(text, constraints(sources), without_tests=name.startswith("Tagship"))
        rows.append((name, str(packages), f"{size / 10**6:.0f} MB"))
    table(
        f"site-packages of the churn example, without bytecode (at most {LIMIT} MB)",
        ("image", "packages", "size"),
        rows,
    )


def _installed(text: str, limits: str, *, without_tests: bool) -> tuple[int, int]:
    """How many packages `text` needs, and the bytes of their files."""
    with tempfile.TemporaryDirectory(prefix="tagship-size-") as folder:
        lock = Path(folder, "image.lock")
        lock.write_text(
            Uv().compile(text, python="3.11", platform="linux/amd64", constraints=limits, folder=Path(folder))
        )
        Uv().create(Path(folder, "venv"), python="3.11", lock=lock, reporter=_Silent())
        (site,) = Path(folder, "venv", "lib").glob("python3*/site-packages")
        for tests in [path for path in site.rglob("tests") if path.is_dir() and without_tests]:
            shutil.rmtree(tests, ignore_errors=True)
        size = sum(path.lstat().st_size for path in site.rglob("*") if path.is_file())
        return len(locked(lock.read_text())), size


if __name__ == "__main__":
    main()
