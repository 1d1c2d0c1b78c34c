"""Generated workflows byte for byte, for one model with everything and for two small ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.templates.workflow_variants import workflows

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(("variant", "folder"), 
    [("everything", "workflows-root"), ("many", "workflows-many"), ("retrain", "workflows-retrain"), ("retrain-key", "workflows-key"), ("index", "workflows-index"),
     ("configuration-repository", "workflows-configuration"), ("observe-eks-all-ways", "workflows-observe")],
)
def test_workflows_are_as_they_were(variant: str, folder: str, request: pytest.FixtureRequest) -> None:
    found = {Path(path).name: text for path, text in workflows(variant).items()}
    if request.config.getoption("--update-golden"):
        (GOLDEN / folder).mkdir(parents=True, exist_ok=True)
        for name, text in found.items():
            (GOLDEN / folder / name).write_text(text, encoding="utf-8")
    assert sorted(found) == sorted(path.name for path in (GOLDEN / folder).iterdir())
    for name, text in found.items():
        assert text == (GOLDEN / folder / name).read_text(encoding="utf-8"), (
            f"{folder}/{name} differs: look at it, then run pytest with --update-golden"
        )
