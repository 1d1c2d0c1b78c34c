"""Each block of model.yaml that a page shows is understood, whatever page it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from generator.config.schema import ModelFile
from tests.generator.workspaces import SMALLEST, model_yaml, write

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SECTIONS = set(ModelFile.model_fields) - set(yaml.safe_load(SMALLEST))


def shown() -> dict[str, str]:
    """Blocks with nothing but sections of model.yaml, by page and place in it."""
    found = {}
    for page in PAGES:
        for place, text in enumerate(
            re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        ):
            parts = list(yaml.safe_load_all(text))
            if len(parts) == 1 and isinstance(parts[0], dict) and set(parts[0]) <= SECTIONS:
                found[f"{page.stem}-{place}"] = text
    return found


BLOCKS = shown()


def test_pages_show_some() -> None:
    assert len(BLOCKS) > 20, sorted(BLOCKS)


@pytest.mark.parametrize("text", BLOCKS.values(), ids=BLOCKS)
def test_what_a_page_shows_is_understood(tmp_path: Path, text: str) -> None:
    write(tmp_path, model_yaml(text))
