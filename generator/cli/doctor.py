"""`generator doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import model_option, repository_option

if TYPE_CHECKING:
    from generator.doctor.examining import Report


@click.command()
@repository_option
@model_option("Only this model's part of what is looked at.")
@click.option("--json", "as_json", is_flag=True, help="Print every finding as JSON, for scripts.")
@click.option("--fix", "fixes", is_flag=True, help="Mend what is safe: a stale lock, stale files, .gitignore.")
@click.option("--offline", is_flag=True, help="Ask nobody: this machine and this repository alone.")
def command(root: Path, model_name: str | None, as_json: bool, fixes: bool, offline: bool) -> int:
    """Look at everything that a release meets, and say what to do; changes nothing without --fix.

    The machine, the repository, model.yaml, generated files, AWS, the registry, the tracking server, the cluster
    of kubectl's current context, and GitHub. Exit code 1 when there is an error; warnings and notes are none.
    """
    from generator.cli.output import Terminal
    from generator.doctor.examining import examine, has_errors, subject_of
    from generator.doctor.mending import AFTERWARDS, mend

    terminal = Terminal()
    subject = subject_of(root, only=model_name, offline=offline)
    report = examine(subject, terminal.say)
    if fixes and mend(subject, report, terminal.say):
        again = subject_of(root, only=model_name, offline=offline)
        report = {**report, **examine(again, terminal.say, AFTERWARDS)}
    (_print_json if as_json else _print_table)(report)
    return 1 if has_errors(report) else 0


def _print_json(report: Report) -> None:
    import json
    from dataclasses import asdict

    found = [asdict(item) for items in report.values() for item in items]
    click.echo(json.dumps({"areas": list(report), "findings": found}, indent=2))


_SIGNS = {"error": "[red]✗[/red]", "warning": "[yellow]![/yellow]", "note": "[dim]-[/dim]"}


def _print_table(report: Report) -> None:
    from rich.markup import escape

    from generator.cli.output import to_stdout

    console = to_stdout()
    for area, found in report.items():
        console.print(f"[green]✓[/green] {area}" if not found else f"[bold]{area}[/bold]")
        for item in found:
            where = f" [dim]({escape(item.where)})[/dim]" if item.where else ""
            console.print(f"  {_SIGNS[item.severity]} {escape(item.what)}{where}")
            console.print(f"    {escape(item.fix)}")
    counts = {name: sum(item.severity == name for found in report.values() for item in found) for name in _SIGNS}
    console.print(", ".join(f"{name}s: {count}" for name, count in counts.items()))
