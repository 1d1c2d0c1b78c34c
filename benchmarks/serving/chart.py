"""Draws a result as an SVG."""

from __future__ import annotations

from benchmarks.serving.report import Result


def draw(result: Result) -> str:
    return ""
