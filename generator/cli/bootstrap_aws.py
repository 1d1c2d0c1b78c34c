"""`generator bootstrap aws`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from generator.cli.options import model_option, repository_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from generator.adapters.aws import Aws
    from generator.adapters.cloudformation import ChangeSet
    from generator.bootstrap.aws_facts import Cluster, Found, Wanted
    from generator.bootstrap.aws_plan import Plan
    from generator.config.model import Model


@click.command()
@click.option("--apply", "applies", is_flag=True, help="Make it: the change set is shown, then asked about.")
@click.option("-y", "--yes", is_flag=True, help="With --apply: do not ask.")
@click.option("--repository-id", type=click.IntRange(1), help="GitHub's number of the repository.")
@click.option("--owner-id", type=click.IntRange(1), help="GitHub's number of its owner.")
@click.option(
    "--puller/--no-puller",
    default=None,
    help="A user that may only pull, for clusters outside EKS.  [default: as it is]",
)
@click.option(
    "--cluster-issuer", metavar="URL", help="A cluster outside EKS, by the issuer of its tokens (`iss`)."
)
@click.option("--service-account", metavar="NAMESPACE:NAME", help="What pulls there, by a role instead of a key.")
@click.option("--no-cluster", is_flag=True, help="Take that role back.")
@click.option(
    "--permissions-boundary",
    "boundary",
    metavar="ARN",
    help="A policy that bounds all that is made; none for no more.  [default: as it is]",
)
@click.option("--print-template", is_flag=True, help="Print the CloudFormation template and nothing else.")
@repository_option
@model_option()
def command(
    root: Path,
    model_name: str | None,
    applies: bool,
    yes: bool,
    repository_id: int | None,
    owner_id: int | None,
    puller: bool | None,
    cluster_issuer: str | None,
    service_account: str | None,
    no_cluster: bool,
    boundary: str | None,
    print_template: bool,
) -> None:
    """Set up AWS for a model's releases: the role that publishes, and the ECR repository.

    Shows what is there and what would be made; nothing is changed without --apply. Done again, it changes nothing.
    """
    from generator.bootstrap.aws import door
    from generator.bootstrap.aws_facts import Wanted
    from generator.bootstrap.aws_plan import plan_aws
    from generator.bootstrap.identity import identity_of
    from generator.config.workspace import load

    if print_template:
        _print_template()
        return
    if applies and not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: pass --yes with --apply")
    model = load(root).model(model_name)
    identity = identity_of(model, repository_id=repository_id, owner_id=owner_id)
    cluster, aws = _cluster(cluster_issuer, service_account, no_more=no_cluster), door(model)
    wanted = Wanted(model, identity, puller, cluster, _bounded(boundary, model))
    plan = plan_aws(wanted, found := _look(wanted, aws, guess=not applies))
    _show(plan, found)
    if applies:
        _apply(plan, aws, found, ask=not yes)
        _what_to_write(plan, model)
    else:
        _show_by_hand(plan)


def _show_by_hand(plan: Plan) -> None:
    click.echo("Nothing was changed. --apply makes it; without this command it is:")
    click.echo("".join(f"\n  {line}\n" for line in plan.by_hand()), nl=False)


def _print_template() -> None:
    from generator.bootstrap.aws_plan import TEMPLATE
    from generator.render import data_text

    click.echo(data_text(TEMPLATE), nl=False)


def _cluster(issuer: str | None, account: str | None, *, no_more: bool) -> Cluster | Literal[False] | None:
    from generator.bootstrap.aws_facts import cluster_from

    if (issuer is None) != (account is None) or (no_more and issuer is not None):
        raise click.UsageError("--cluster-issuer and --service-account go together, and not with --no-cluster")
    if issuer is not None and account is not None:
        return cluster_from(issuer, account)
    return False if no_more else None


def _bounded(boundary: str | None, model: Model) -> str | None:
    from generator.bootstrap.aws_facts import check_boundary, place_of

    if boundary is not None:
        check_boundary(boundary, place_of(model))
    return boundary


def _look(wanted: Wanted, aws: Aws, *, guess: bool) -> Found:
    """What the account holds; with `guess`, where AWS cannot be asked, an empty one."""
    from generator.adapters.aws import NoAccess
    from generator.bootstrap.aws import look
    from generator.bootstrap.aws_facts import Found

    try:
        return look(wanted.model, aws, wanted.cluster)
    except NoAccess as error:
        if not guess:
            raise
        click.echo(f"AWS was not asked, so this is what an empty account gets: {error}", err=True)
        return Found()


def _show(plan: Plan, found: Found) -> None:
    click.echo(f"Stack {plan.stack} in account {plan.place.account}, {plan.place.region}")
    _table(("what", "name", "change"), ((part.what, part.name, part.change) for part in plan.parts))
    before = found.stack.parameters if found.stack else {}
    rows = [(key, value, before.get(key, "")) for key, value in plan.parameters.items()]
    changed = [(key, value, was if was != value else "") for key, value, was in rows]
    _table(("parameter", "value", "now"), changed if found.stack else [row[:2] for row in changed])
    for note in plan.notes:
        click.echo(f"note: {note}")
    for problem in plan.problems:
        click.echo(f"problem: {problem}")


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table

    from generator.cli.output import to_stdout

    given = list(rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles[: len(given[0])]:
        table.add_column(title, overflow="fold")
    for row in given:
        table.add_row(*row)
    to_stdout().print(table)


def _apply(plan: Plan, aws: Aws, found: Found, *, ask: bool) -> None:
    from generator.bootstrap.aws import Applying, apply
    from generator.cli.output import Terminal

    terminal = Terminal()

    def approve(change_set: ChangeSet) -> bool:
        click.echo("The change set:")
        rows = [(item.action, item.kind, item.logical, item.replaced) for item in change_set.changes]
        _table(("action", "what", "in the template", "replaced"), rows or [("none", "", "", "")])
        return not ask or click.confirm("Make this change?")

    outputs = apply(plan, aws, found, Applying(approve, terminal.say))
    _show_outputs(outputs)


def _show_outputs(outputs: Mapping[str, str] | None) -> None:
    if outputs is None:
        click.echo("no changes: the stack is as it should be")
    elif outputs:
        _table(("output", "value"), list(outputs.items()))


def _what_to_write(plan: Plan, model: Model) -> None:
    """What model.yaml does not say yet."""
    known, repository = model.config.repository, {"RepositoryId": "id", "OwnerId": "owner_id"}
    lines = [f"  image.role: {plan.release_role}"] if model.config.image.role is None else []
    for parameter, key in repository.items():
        if getattr(known, key) is None:
            lines.append(f"  repository.{key}: {plan.parameters[parameter]}")
    if lines:
        click.echo(f"Write into {model.shown}, then run `generator generate`:")
        click.echo("\n".join(lines))
