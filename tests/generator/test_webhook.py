"""Messages to a chat, received by a real HTTP server; the webhook's address stands in no message."""

from __future__ import annotations

import pytest

from generator.adapters.webhook import Webhook, escaped, link, webhook_from
from generator.errors import GeneratorError
from tests.generator.chat import SECRET, Chat


def test_a_message_arrives_as_slack_takes_it(chat: Chat) -> None:
    webhook = webhook_from({"TAGSHIP_WEBHOOK": f"{chat.url}\n"})
    assert webhook
    webhook.post(f"{link('https://github.com/acme/churn', 'churn 1.0.0')} released: {escaped('<!channel> & é')}")
    assert chat.got == [
        {"text": "<https://github.com/acme/churn|churn 1.0.0> released: &lt;!channel&gt; &amp; é"},
    ]


def test_nothing_is_posted_where_no_webhook_is_named() -> None:
    assert webhook_from({}) is None
    assert webhook_from({"TAGSHIP_WEBHOOK": " "}) is None


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a|b", "https://a>b", "https://a b", ""])
def test_an_address_that_would_break_out_is_no_link(url: str) -> None:
    assert link(url, "a|<b>") == "a|&lt;b&gt;"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_refusal_does_not_tell_the_address(chat: Chat, status: int) -> None:
    chat.status, chat.headers = status, {"Location": f"{chat.url}/again"}
    with pytest.raises(GeneratorError, match=f"TAGSHIP_WEBHOOK answered {status}") as caught:
        Webhook(chat.url).post("text")
    assert SECRET not in str(caught.value)
    assert len(chat.got) == 1, "a redirect is not followed"


def test_nobody_listens() -> None:
    with pytest.raises(GeneratorError, match="cannot be reached") as caught:
        Webhook(f"http://127.0.0.1:9/{SECRET}").post("text")
    assert SECRET not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("url", [f"http://chat.example/{SECRET}", SECRET, f"ftp://x/{SECRET}"])
def test_the_address_is_https(url: str) -> None:
    with pytest.raises(GeneratorError, match="holds no https:// address") as caught:
        Webhook(url)
    assert SECRET not in str(caught.value)


def test_a_long_message_is_cut(chat: Chat) -> None:
    Webhook(chat.url).post("x" * 5000)
    assert len(chat.got[0]["text"]) == 4000
