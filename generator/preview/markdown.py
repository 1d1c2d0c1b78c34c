"""Text of strangers as Markdown that GitHub shows as it is: no fence is left, no tag opened, nobody called.

Whatever comes from a repository stands in code, where GitHub looks for neither HTML nor @names.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

LONGEST_LINE = 400  # characters


def visible(text: str) -> str:
    """`text` with escapes for what nobody sees, such as characters that reverse the reading direction."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn")
        else f"\\u{{{ord(char):x}}}"
        for char in text
    )


def code(text: str) -> str:
    """One line as a code span, in a table's cell too."""
    # A table's cells are found before its code: a bar would end one, however it is escaped.
    shown = " ".join(shortened(visible(text)).split()).replace("|", "¦") or " "
    ticks = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def fence(lines: Iterable[str], language: str) -> str:
    """A code block that nothing in `lines` can end."""
    shown = [shortened(visible(part)) for line in lines for part in line.split("\n")]
    ticks = "`" * max(3, _longest_run("\n".join(shown)) + 1)
    return "\n".join([f"{ticks}{language}", *shown, ticks])


def fence_overhead(lines: Sequence[str]) -> int:
    """How many bytes a fence adds to `lines` at the most."""
    return 2 * (_longest_run("\n".join(lines)) + 4) + 16


def folded(title: str, body: str) -> str:
    """A part that opens on a click. `title` is plain text; `body` is Markdown."""
    shown = html.escape(" ".join(visible(title).split()))
    return f"<details><summary><code>{shown}</code></summary>\n\n{body}\n\n</details>"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shortened(line: str) -> str:
    """`line` as long as anybody reads it."""
    more = len(line) - LONGEST_LINE
    return line if more <= 0 else f"{line[:LONGEST_LINE]}… ({more} more characters)"


def size(text: str) -> int:
    """What counts against GitHub's limit: it is in characters, and none takes less than a byte."""
    return len(text.encode())


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
