"""`generator preview`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from generator.cli.options import complete_models, repository_option


@click.command()
@repository_option
@click.option("--base", metavar="REF", help="Compare with REF, where HEAD left it.  [default: the release branch]")
@click.option("-m", "--model", "names", multiple=True, shell_complete=complete_models, help="Only this model.")
@click.option(
    "--metrics",
    "artifacts",
    multiple=True,
    type=click.Path(path_type=Path),
    help="train.json, gate.json or package.json of a training, or a folder with them.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the text to a file.")
@click.option("--summary", is_flag=True, help="Append it to the job's summary (GITHUB_STEP_SUMMARY), too.")
@click.option("--comment", "pull", type=int, metavar="NUMBER", help="Keep one comment of that pull request so.")
@click.option("--full", is_flag=True, help="Cut nothing, however long it is for a comment.")
def command(
    root: Path,
    base: str | None,
    names: tuple[str, ...],
    artifacts: tuple[Path, ...],
    output: Path | None,
    summary: bool,
    pull: int | None,
    full: bool,
) -> None:
    """Print what HEAD changes, as Markdown for a pull request: manifests, findings, metrics.

    Nothing but Git and kustomize is asked; what is not committed is left out. Findings are no failure: exit code 1
    only where nothing can be compared.
    """
    from generator.adapters.git import GitRepository
    from generator.adapters.kustomize import Kustomize
    from generator.preview.compare import preview
    from generator.preview.page import page

    git = GitRepository(root)
    given = [path for path in artifacts if path.exists()]
    for path in sorted({*artifacts} - {*given}):
        click.echo(f"{path} is not there: no figures of a training", err=True)
    found = preview(git, base or _base(root), Kustomize(), only=names, artifacts=given)
    text = page(found, full=full)
    if not git.is_clean():
        click.echo("what is not committed is left out", err=True)
    if output:
        output.write_text(text, encoding="utf-8")
    elif pull is None:
        click.echo(text, nl=False)
    if summary:
        _append_to_summary(text)
    if pull is not None:
        _comment(pull, text)


def _base(root: Path) -> str:
    """The branch that a pull request goes to on a runner, else the release branch, as origin had it last."""
    if branch := os.environ.get("GITHUB_BASE_REF"):
        return f"origin/{branch}"
    from generator.config.workspace import load

    return f"origin/{load(root).models[0].config.repository.branch}"


def _append_to_summary(text: str) -> None:
    from generator.errors import GeneratorError

    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        raise GeneratorError("--summary is for a workflow's step: GITHUB_STEP_SUMMARY is not set")
    with Path(path).open("a", encoding="utf-8") as stream:
        stream.write(f"{text}\n")


def _comment(number: int, text: str) -> None:
    """On a runner, with the job's token."""
    from generator.adapters.github import connect

    pulls = connect(os.environ.get("GITHUB_REPOSITORY", ""), os.environ).pulls
    pulls.comment(number, text)
    click.echo(f"the comment of pull request {number} is up to date")
