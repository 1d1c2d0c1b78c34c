"""Which shared files a repository gets: all of the base, and the components that its models use."""

from __future__ import annotations

from pathlib import Path

from generator.plan.overlays import BASE, BASE_FILES, COMPONENT_FILES, COMPONENTS
from generator.render import data_folder
from tests.generator.workspaces import write
from tests.templates.manifests import generate


def test_the_plan_names_exactly_the_files_that_are_shipped() -> None:
    planned = {f"{BASE}/{name}" for name in BASE_FILES}
    planned |= {f"{COMPONENTS}/{folder}/{name}" for folder, names in COMPONENT_FILES.items() for name in names}
    shipped = {
        path.relative_to(data_folder()).as_posix()
        for folder in (BASE, COMPONENTS)
        for path in (data_folder() / folder).rglob("*")
        if path.is_file()
    }
    assert planned == shipped


def test_only_components_that_a_model_uses_are_copied(tmp_path: Path) -> None:
    write(tmp_path)
    generate(tmp_path)
    assert sorted(path.name for path in (tmp_path / COMPONENTS).iterdir()) == ["disruption-budget"]
