"""The notes of a GitHub release: what was trained from what, how good it is, where its image is."""

from __future__ import annotations

from generator.announcing.news import Notes, Where
from generator.artifacts import OverlayCommit
from generator.config.model import Model
from generator.delivery.evidence import golden_text, metrics_table
from generator.ledger import Entry
from generator.preview.markdown import code, table
from generator.version import Version


def notes_of(model: Model, entry: Entry, before: Entry | None, deployed: OverlayCommit, where: Where) -> Notes:
    """Metrics stand beside those of the version that ran before."""
    version = Version(entry.version)
    tag, overlay_commit = model.tag(version), deployed.overlay_commit
    rows = [
        ("image", code(f"{deployed.repository}:{model.image_tag(version)}")),
        ("digest", code(entry.digest)),
        ("trained from", _linked(entry.commit, where.commit(entry.commit))),
        ("run", code(entry.run)),
        ("registered version", str(entry.registered) if entry.registered else "not registered"),
        ("data", code(entry.data) if entry.data else "no hash was logged"),
        ("golden replay", golden_text(entry)),
        (
            f"in {deployed.environment} by",
            _linked(overlay_commit, where.overlay_commit(model, overlay_commit)),
        ),
        ("released by", code(entry.by)),
    ]
    if where.run:
        rows.append(("workflow", f"[the run]({where.run})"))
    beside = (
        f"Beside {before.version}, which ran in `{deployed.environment}` before."
        if before
        else (f"The first release in `{deployed.environment}`.")
    )
    text = "\n".join([*metrics_table(entry, before), "", beside, "", table(("", ""), rows), ""])
    return Notes(tag, f"{model.name} {version}", text, prerelease=version.prerelease)


def _linked(commit: str, url: str) -> str:
    shown = code(commit[:12])
    return f"[{shown}]({url})" if url else shown
