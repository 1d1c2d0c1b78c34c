"""Renders templates. They are shaped like their output and strict: see `templates/README.md`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from generator.yamlio import quote

_PACKAGE = Path(__file__).parent


def data_folder(name: str) -> Path:
    """`templates` or `k8s`: beside the package in a wheel, else at the repository's root."""
    packed = _PACKAGE / "_data" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(  # noqa: S701: YAML, not HTML; values go through the filter `quote`
        loader=FileSystemLoader(data_folder("templates")),
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
    environment.filters["quote"] = quote
    return environment


def render(template: str, **values: object) -> str:
    """The text of `templates/<template>` with `values` filled in. A missing value is an error."""
    return _environment().get_template(template).render(**values)
