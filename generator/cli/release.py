"""`generator release`."""

from __future__ import annotations

from pathlib import Path

import click

from generator.cli.options import complete_models, repository_option


@click.command()
@click.argument("models", nargs=-1, shell_complete=complete_models)
@repository_option
@click.option("--bump", type=click.Choice(["patch", "minor", "major"]), default="patch", show_default=True)
@click.option("--version", "version_text", help="This version, instead of the next one. Only for one model.")
@click.option("--dry-run", is_flag=True, help="Check and say which tag it would be.")
def command(models: tuple[str, ...], root: Path, bump: str, version_text: str | None, dry_run: bool) -> None:
    """Tag the next version of MODELS and push the tags, one by one.

    The tree must be clean, valid, generated, on the release branch and pushed.
    """
    from generator.adapters.git import GitRepository
    from generator.adapters.installation import install_source
    from generator.config.workspace import load
    from generator.generate import compare_workspace
    from generator.tagging import check_ready, check_version, next_version
    from generator.version import Version

    workspace = load(root)
    chosen = [workspace.model(name) for name in dict.fromkeys(models or (None,))]
    if version_text and len(chosen) > 1:
        raise click.UsageError("--version is for one model")
    git = GitRepository(root)
    commit = check_ready(workspace, git, compare_workspace(workspace, install=install_source(workspace)))
    for model in chosen:
        version = Version.parse(version_text) if version_text else next_version(model, workspace, git, bump)
        check_version(model, workspace, git, version)
        tag = model.tag(version)
        if not dry_run:
            git.tag(tag, commit, f"Release {model.name} {version}")
            git.push_tag(tag)
        click.echo(f"{'would push' if dry_run else 'pushed'} {tag} at {commit[:12]}")
