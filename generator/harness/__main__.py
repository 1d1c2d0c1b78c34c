"""The entry: loads this folder as a package of its own name, so that no model's modules meet ours."""

import importlib.util
import sys
from pathlib import Path

PACKAGE = "tagship_harness"


def load_package(folder: Path) -> None:
    """Makes `folder` importable as PACKAGE without a place on `sys.path`.

    A pickled model may import `models` or `store`; with this folder on the path it would get a
    stranger's.
    """
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no package in {folder}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


def main() -> int:
    folder = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != folder]
    load_package(folder)
    return int(importlib.import_module(f"{PACKAGE}.command").main(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
