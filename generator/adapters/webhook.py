"""Messages to a chat: one POST to a Slack-compatible webhook. Its address is a secret: who knows it may post."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from generator.errors import GeneratorError

VARIABLE = "TAGSHIP_WEBHOOK"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LONGEST = 4000  # Slack's advice for one message


class Webhook:
    """Posts to one address, which stands in no message."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise GeneratorError(f"{VARIABLE} holds no https:// address: set it to the webhook's whole address")
        self._url = url

    def post(self, text: str) -> None:
        """Posts Slack's mrkdwn: pass what is not ours through `escaped`, and addresses through `link`."""
        text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        try:
            with httpx.Client(verify=ssl.create_default_context(), timeout=10) as client:
                answer = client.post(self._url, json={"text": text})
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            kind = type(error).__name__
            raise GeneratorError(
                f"the webhook in {VARIABLE} cannot be reached ({kind}): check its address"
            ) from None
        if not answer.is_success:
            raise GeneratorError(
                f"the webhook in {VARIABLE} answered {answer.status_code}: make a new one if it was removed"
            )


def webhook_from(variables: Mapping[str, str]) -> Webhook | None:
    """The webhook that TAGSHIP_WEBHOOK names; None where it names none."""
    url = variables.get(VARIABLE, "").strip()
    return Webhook(url) if url else None


def escaped(text: str) -> str:
    """Text that is shown as it is: without it a `<!channel>` in a commit's title would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(url: str, label: str) -> str:
    """A link in mrkdwn. An address with characters that would end it is shown as text alone."""
    if not url.startswith("https://") or any(sign in url for sign in "<>|") or url.split() != [url]:
        return escaped(label)
    return f"<{escaped(url)}|{escaped(label).replace('|', '/')}>"
