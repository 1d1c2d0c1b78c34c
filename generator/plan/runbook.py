"""Where a person reads what an alert or a failed rollout means: each has its section in docs/runbook.md."""

from __future__ import annotations

import posixpath
import re

from generator.config.addresses import page_url
from generator.config.model import Model


def runbook(model: Model) -> str | None:
    """The page, beside the command's source, as `pipeline.install` names it; None where that has no address."""
    install, page = model.config.pipeline.install or "", "docs/runbook.md"
    if source := re.fullmatch(r"git\+(https://.+)@([0-9a-f]{40})", install):
        return page_url(source[1], source[2], page)
    path = posixpath.normpath(posixpath.join(install, page))
    if not install or path.startswith(".."):
        return None
    return page_url(model.config.repository.url, model.config.repository.branch, path)


def section(model: Model, kind: str | None) -> str:
    """The page's section about a way to fail, as the end of a message; empty without one."""
    page = runbook(model)
    where = f"{page}#{kind}" if page else f"runbook: {kind}"
    return f" ({where})" if kind else ""
