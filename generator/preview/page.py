"""The text of a pull request's one comment, and how it stays within what GitHub takes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from generator.preview.compare import Preview
from generator.preview.environments import Compared
from generator.preview.markdown import code, fence, fence_overhead, folded, shortened, size, table, visible
from generator.preview.objects import Difference
from generator.preview.training import training

MARKER = "<!-- tagship preview -->"  # a comment's first line, by which it is found again
LIMIT = 65_000  # bytes; GitHub takes 65,536 characters
_ROWS = 150  # of the table
_FINDINGS = 12_000  # bytes
_TRAININGS = 15_000
_LEAST = 600  # bytes that a folded difference gets at least, where there is room for any


def page(preview: Preview, *, full: bool = False) -> str:
    """The whole text. Unless `full`, long parts are cut and say how to see the rest."""
    limit = None if full else LIMIT
    head = [MARKER, _title(preview), _table(preview.environments, limit), _quiet(preview)]
    head += [*preview.notes, _findings(preview.findings, limit)]
    head += _within(map(training, preview.trained), _TRAININGS if limit else None, "trainings")
    shown = [part for part in head if part]
    room = limit - sum(size(part) + 2 for part in shown) if limit else None
    shown += _details(preview, room)
    return "\n\n".join(shown) + "\n"


def _title(preview: Preview) -> str:
    against = f"{code(preview.commit[:12])} compared with {code(preview.base_commit[:12])} of {code(preview.base)}"
    return f"### What this changes\n\n{against}"


def _table(environments: Sequence[Compared], limit: int | None) -> str:
    if not environments:
        return "No environment of any model is concerned."
    # What changes comes first where not all is shown.
    given = [item for item in environments if not item.unchanged]
    given += [item for item in environments if item.unchanged]
    rows = [_row(item) for item in (given[:_ROWS] if limit and len(given) > _ROWS else environments)]
    more = len(environments) - len(rows)
    shown = table(("model", "environment", "version", "objects", "image changed"), rows)
    return shown + (f"\n\n… and {more} more environments" if more else "")


def _row(item: Compared) -> tuple[str, ...]:
    image = "yes" if item.image_changed else "no"
    broken = item.broken or item.broken_before
    return code(item.model), code(item.environment), _versions(item), _objects(item), "?" if broken else image


def _versions(item: Compared) -> str:
    before, now = (code(version) if version else "none" for version in (item.before, item.version))
    return now if before == now else f"{before} → {now}"


def _objects(item: Compared) -> str:
    if item.broken:
        return "**does not render**"
    if item.broken_before:
        return "the base does not render"
    counts = {kind: sum(found.change == kind for found in item.differences) for kind in _KINDS}
    words = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "unchanged"
    return f"{item.state}: {words}" if item.state and words != "unchanged" else item.state or words


_KINDS = ("added", "changed", "removed")


def _quiet(preview: Preview) -> str:
    """What is the same, in one line each."""
    same = [code(item.title) for item in preview.environments if item.unchanged]
    parts = [("Unchanged", same), ("Not concerned", [code(name) for name in preview.untouched])]
    return "\n\n".join(f"{title}: {_some(names)}." for title, names in parts if names)


def _some(names: Sequence[str], most: int = 60) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _findings(findings: Sequence[str], limit: int | None) -> str:
    if not findings:
        return "`generator validate` and `generator generate --check` find nothing."
    lines = [line for finding in findings for line in finding.splitlines()]
    kept = _cut(lines, _FINDINGS) if limit else lines
    more = len(lines) - len(kept)
    shown_by = "`generator validate` and `generator generate --check`"
    rest = f"\n\n… and {more} more lines; {shown_by} show them" if more else ""
    return f"**Findings: {len(findings)}**\n\n{fence(kept, 'text')}{rest}"


def _within(parts: Iterable[str], room: int | None, what: str) -> list[str]:
    """The parts that fit into `room` bytes, and how many do not."""
    shown: list[str] = []
    given = list(parts)
    for part in given:
        if room is not None:
            room -= size(part) + 2
            if room < 0:
                break
        shown.append(part)
    return [*shown, f"… and {len(given) - len(shown)} more {what}"] if len(shown) < len(given) else shown


def _details(preview: Preview, room: int | None) -> list[str]:
    """The folded differences. What is short leaves its room to what is long; what has none is named."""
    given = [(item, _lines(item)) for item in preview.environments if item.differences]
    if room is None:
        return [_detail(preview, item, lines, None) for item, lines in given]
    room -= 2_000  # for naming what has no room
    texts: dict[str, str] = {}
    for place, (item, lines) in enumerate(sorted(given, key=lambda pair: sum(map(len, pair[1])))):
        if room < _LEAST:
            break
        share = max(room // (len(given) - place), _LEAST)
        text = _detail(preview, item, lines, share)
        if size(text) + 2 <= share:
            texts[item.title], room = text, room - size(text) - 2
    left = [code(item.title) for item, _ in given if item.title not in texts]
    shown = [texts[item.title] for item, _ in given if item.title in texts]
    rest = f"Too much to show here: {_some(left, 15)}. To see it: {_command(preview)}"
    return [*shown, rest] if left else shown


def _detail(preview: Preview, item: Compared, lines: Sequence[str], room: int | None) -> str:
    title = f"{item.title}: {_objects(item)}"
    body = fence(lines, "diff")
    text = folded(title, body)
    if room is None or size(text) + 2 <= room:
        return text
    note = f"… {{more}} more lines; to see them: {_command(preview, item.model)}"
    kept = _cut(lines, room - size(folded(title, note)) - fence_overhead(lines) - 20)
    return folded(title, f"{fence(kept, 'diff')}\n\n{note.format(more=len(lines) - len(kept))}")


def _cut(lines: Sequence[str], room: int) -> list[str]:
    """As many whole lines as `room` bytes hold."""
    kept = []
    for line in lines:
        room -= size(shortened(visible(line))) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def _lines(item: Compared) -> list[str]:
    return [line for found in item.differences for line in (*_head(found), *found.lines)]


def _head(found: Difference) -> tuple[str, str]:
    before = "/dev/null" if found.change == "added" else found.title
    after = "/dev/null" if found.change == "removed" else found.title
    return f"--- {before}", f"+++ {after}"


def _command(preview: Preview, model: str | None = None) -> str:
    argv = ["generator", "preview", "--full", "--base", preview.base, *(("-m", model) if model else ())]
    return code(shlex.join(argv))
