"""What a promotion's pull request, commit or job summary shows of it, as Markdown."""

from __future__ import annotations

from generator.delivery.promotion import Promotion
from generator.ledger import Entry


def evidence_text(promotion: Promotion, *, by: str, commit_url: str | None = None) -> str:
    """Version, digest, where it comes from, its metrics beside the serving version's, golden rows, who asked."""
    evidence, entry = promotion.evidence, promotion.evidence.entry
    commit = f"[`{entry.commit[:12]}`]({commit_url})" if commit_url else f"`{entry.commit[:12]}`"
    rows = [
        ("version", f"{evidence.champion.version if evidence.champion else 'none'} → **{entry.version}**"),
        ("digest", f"`{entry.digest}` (the one that {evidence.source} runs; nothing is built again)"),
        ("trained from", commit),
        ("run", f"`{entry.run}`" + (f", registered version {entry.registered}" if entry.registered else "")),
        ("data", f"`{entry.data}`" if entry.data else "no hash was logged"),
        ("golden replay", golden_text(entry)),
        (f"in {evidence.source} since", entry.at),
        ("asked for by", f"`{by.replace('`', '')}`"),
    ]
    lines = [f"Promotes **{evidence.model}** from `{evidence.source}` to `{evidence.environment}`.", ""]
    lines += ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows), ""]
    lines += [*metrics_table(entry, evidence.champion), ""]
    lines += [f"- {sentence}" for sentence in evidence.passed] or ["No thresholds in `gate.metrics`."]
    return "\n".join(lines) + "\n"


def golden_text(entry: Entry) -> str:
    """What was replayed against the image."""
    if entry.golden is None:
        return "not recorded"
    if entry.golden == 0:
        return "no golden rows: only that the model loads was tested"
    return f"{entry.golden} rows answered as in training, by `{entry.runtime or 'pyfunc'}`"


def metrics_table(entry: Entry, champion: Entry | None) -> list[str]:
    """A table of both versions' metrics; none where none was logged."""
    theirs = champion.metrics if champion else {}
    names = sorted({*entry.metrics, *theirs})[:50]
    if not names:
        return ["No metrics were logged."]
    head = f"| metric | {champion.version if champion else 'serving now'} | {entry.version} | change |"
    lines = [head, "| --- | ---: | ---: | ---: |"]
    for name in names:
        old, new = theirs.get(name), entry.metrics.get(name)
        change = f"{new - old:+.4g}" if isinstance(old, float) and isinstance(new, float) else ""
        lines.append(f"| `{name}` | {_number(old)} | {_number(new)} | {change} |")
    return lines


def _number(value: float | str | None) -> str:
    if value is None:
        return "none"
    return f"{value:.6g}" if isinstance(value, float) else value
