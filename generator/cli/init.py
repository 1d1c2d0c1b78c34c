"""`generator init`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from generator.plan.scaffold import Answers

_FRAMEWORKS = ["sklearn", "xgboost", "lightgbm"]
_ENGINES = ["argocd", "flux", "none"]


@click.command()
@click.argument("path", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--name", help="The model's name.  [default: the folder's]")
@click.option("--framework", type=click.Choice(_FRAMEWORKS), help="What the training script uses.")
@click.option("--aws-account", help="AWS account of the ECR registry, 12 digits.")
@click.option("--aws-region", help="AWS region of the ECR registry.")
@click.option("--registry", help="Another registry's host, instead of an AWS account and region.")
@click.option("--environments", help="Environments in order, such as staging,production.")
@click.option("--reconciler", type=click.Choice(_ENGINES), help="What syncs the cluster with Git.")
@click.option("--no-lock", is_flag=True, help="Leave requirements.lock to `generator lock`.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing: take flags and defaults.")
def command(path: Path, yes: bool, no_lock: bool, **given: Any) -> None:
    """Set up a repository in PATH: model.yaml, a training script unless there is one, the lock.

    Nothing that exists is overwritten.
    """
    from generator.adapters.git import GitRepository
    from generator.scaffold import check_place, write_scaffold

    check_place(path)
    path.mkdir(parents=True, exist_ok=True)
    git = GitRepository(path)
    answers, has_script = _answers(path, git, _asker(yes, given))
    for file, written in write_scaffold(path, answers, has_script=has_script):
        click.echo(f"{'wrote' if written else 'kept '} {file}")
    if not git.exists():
        git.init(answers.branch)
        click.echo("made a Git repository")
    _lock_and_generate(path, no_lock)
    _next_steps(path, answers)


def _asker(yes: bool, given: dict[str, Any]) -> Any:
    """Answers a question: by its flag, else by asking, else by the default."""

    def ask(key: str, question: str, default: str, choices: list[str] | None = None) -> str:
        if given.get(key) is not None:
            return str(given[key])
        if yes:
            return default
        if choices:
            return str(click.prompt(question, default=default, type=click.Choice(choices)))
        return str(click.prompt(question, default=default, value_proc=lambda text: _checked(key, text)))

    ask.given = given  # type: ignore[attr-defined]
    return ask


def _checked(key: str, text: str) -> str:
    """The answer, if model.yaml will take it; else the question comes again."""
    from generator.scaffold import answer_problem

    if problem := answer_problem(key, text):
        raise click.BadParameter(problem)
    return text


def _answers(path: Path, git: Any, ask: Any) -> tuple[Answers, bool]:
    from generator import scaffold
    from generator.adapters.installation import installed_from
    from generator.plan.scaffold import Answers

    script = scaffold.find_script(path)
    if script:
        click.echo(f"found {script}")
    name = ask("name", "Model name", scaffold.suggested_name(path))
    framework = ask("framework", "Framework", scaffold.find_framework(path, script), _FRAMEWORKS)
    registry, role = ask.given["registry"], None
    if registry is None:
        account = ask("aws_account", "AWS account", scaffold.PLACEHOLDER_ACCOUNT)
        region = ask("aws_region", "AWS region", os.environ.get("AWS_REGION") or "eu-north-1")
        registry = f"{account}.dkr.ecr.{region}.amazonaws.com"
        role = f"arn:aws:iam::{account}:role/{name}-release"
    environments = ask("environments", "Environments, in order", "production")
    url = scaffold.origin_url(git)
    return (
        Answers(
            name=name,
            framework=framework,
            registry=registry,
            role=role,
            environments=tuple(word.strip() for word in environments.split(",") if word.strip()),
            engine=ask("reconciler", "Reconciler", "argocd" if url else "none", _ENGINES),
            script=script or "train.py",
            requirements="requirements.txt",
            url=url,
            branch=(git.current_branch() if git.exists() else None) or "main",
            python="3.11",
            install=installed_from(),
        ),
        script is not None,
    )


def _lock_and_generate(path: Path, no_lock: bool) -> None:
    """What can already be done; whatever cannot says why, and init goes on."""
    from generator.cli import generate, lock
    from generator.errors import GeneratorError

    context = click.get_current_context()
    steps = [(generate.command, {"root": path, "mode": None})]
    if not no_lock:
        steps.insert(0, (lock.command, {"root": path, "model_name": None}))
    from generator.config.workspace import load

    load(path)
    for step, arguments in steps:
        try:
            context.invoke(step, **arguments)
        except GeneratorError as error:
            click.echo(f"not yet: {error}", err=True)


def _next_steps(path: Path, answers: Answers) -> None:
    from generator.config.workspace import load
    from generator.scaffold import PLACEHOLDER_ACCOUNT

    steps = [f"cd {shlex.quote(str(path))}"] if str(path) != "." else []
    steps += [
        f"look at model.yaml and {answers.script}",
        "generator validate",
        "git add --all && git commit -m 'Set up Tagship'",
        "generator rehearse            # a whole release on this machine",
        "generator release             # tags and pushes: the release workflow does the rest",
    ]
    if any(model.separate for model in load(path)):
        steps.insert(-2, "generator generate --into CHECKOUT   # of deploy.repository: commit and push that, too")
    if answers.registry.startswith(PLACEHOLDER_ACCOUNT):
        steps.insert(
            -1, "put your AWS account into model.yaml (image.registry, image.role), run generator generate"
        )
    click.echo("\nNext:")
    for number, step in enumerate(steps, 1):
        click.echo(f"  {number}. {step}")
