"""Renders templates. They are shaped like their output and strict: see `templates/README.md`."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from generator.plan.files import PlannedFile
from generator.yamlio import key, quote

_PACKAGE = Path(__file__).parent


def data_folder() -> Path:
    """The folder that holds `templates` and `k8s`: in a wheel beside this module, else the repository's root."""
    packed = _PACKAGE / "_data"
    return packed if packed.is_dir() else _PACKAGE.parent


def data_text(source: str) -> str:
    """The text of a shipped file such as `k8s/base/service.yaml`."""
    return (data_folder() / source).read_text(encoding="utf-8")


def _bytecode_cache() -> FileSystemBytecodeCache | None:
    """Compiled templates, kept between runs: they take a third of `generate`. None where nothing can be kept."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tagship" / "templates"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return FileSystemBytecodeCache(str(folder)) if os.access(folder, os.W_OK) else None


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(  # noqa: S701 (YAML, not HTML; values go through the filter `quote`)
        bytecode_cache=_bytecode_cache(),
        loader=FileSystemLoader(data_folder() / "templates"),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<%=",
        variable_end_string="%>",
        comment_start_string="<%#",
        comment_end_string="%>",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"quote": quote, "key": key}
    return environment


def render(template: str, **values: object) -> str:
    """The text of `templates/<template>` with `values` filled in. A missing value is an error."""
    return _environment().get_template(template).render(**values)


def text_of(planned: PlannedFile) -> str:
    """The whole text of a planned file."""
    if planned.values is None:
        return data_text(planned.source)
    return render(planned.source.removeprefix("templates/"), **planned.values)
