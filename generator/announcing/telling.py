"""Tells the news to everybody who is to be told: whoever cannot be reached keeps nobody else from hearing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from generator.adapters.github import GitHub
from generator.adapters.webhook import Webhook
from generator.announcing.news import News, Where
from generator.errors import GeneratorError
from generator.ports import Reporter


def tell(news: News, github: GitHub, webhook: Webhook | None, where: Where, reporter: Reporter) -> None:
    """Raises GeneratorError that says who was not reached. Told twice, GitHub shows it once."""
    problems = []
    for what, act in _acts(news, github, webhook, where):
        try:
            act()
            reporter.say(what)
        except GeneratorError as error:
            problems.append(f"{what}: {error}")
    if problems:
        raise GeneratorError(
            "not everybody was told; what was released, promoted or rolled back stays so. Run this job again:\n"
            + "\n".join(problems)
        )


def _acts(
    news: News, github: GitHub, webhook: Webhook | None, where: Where
) -> Iterator[tuple[str, Callable[[], object]]]:
    if (notes := news.notes) is not None:
        yield (
            f"notes of {notes.tag}",
            lambda: github.releases.publish(
                notes.tag, title=notes.title, notes=notes.text, prerelease=notes.prerelease
            ),
        )
    for one in news.deployments:
        yield (
            f"deployment of {one.tag} to {one.environment}: {one.state}",
            lambda one=one: github.deployments.announce(  # type: ignore[misc]
                one.tag, one.environment, one.state, one.description, log_url=where.run or None
            ),
        )
    if webhook is not None:
        yield "message to the webhook", lambda: webhook.post(news.chat)
