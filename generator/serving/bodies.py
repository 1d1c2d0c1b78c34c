"""The requests that a server's own OpenAPI document has as examples, one a form. Pure; nothing is made up here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from generator.errors import GeneratorError

JSON, CSV = "application/json", "text/csv"
_INFER = "/v2/models/{model_name}/infer"


@dataclass(frozen=True)
class Body:
    """A request: where it is posted, and what."""

    path: str
    text: str
    media: str = JSON


def bodies(document: Any) -> dict[str, Body]:
    """The bodies by the name of their form, the most telling first; none where the model has no known columns.

    Raises GeneratorError where the document is not one of our server.
    """
    try:
        paths = document["paths"]
        predict = paths["/predict"]["post"]["requestBody"]["content"]
        return {
            **{form: Body("/predict", text) for form, text in _examples(predict)},
            **_csv(paths["/invocations"]["post"]["requestBody"]["content"]),
            **_v2(paths[_INFER]["post"]),
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise GeneratorError(f"its /openapi.json is not one of our server: {error!r}") from error


def choose(found: Mapping[str, Body], form: str | None) -> Body:
    """The body in `form`, by default the first. Raises GeneratorError with the forms that there are."""
    if not found:
        raise GeneratorError(
            "the model tells nothing of its columns: log it with a signature or an input example, and meanwhile "
            'send rows as {"instances": [[…], …]}'
        )
    if form is None:
        return next(iter(found.values()))
    if form not in found:
        raise GeneratorError(f"this model's requests have no form {form!r}; they have: {', '.join(found)}")
    return found[form]


def _examples(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, example in content[JSON].get("examples", {}).items():
        yield name.replace(" ", "_"), _json(example["value"])


def _csv(content: Mapping[str, Any]) -> dict[str, Body]:
    text = content.get(CSV, {}).get("example")
    return {"csv": Body("/invocations", str(text), CSV)} if text else {}


def _v2(post: Mapping[str, Any]) -> dict[str, Body]:
    path = _INFER
    for parameter in post["parameters"]:
        path = path.replace(f"{{{parameter['name']}}}", quote(parameter["example"], safe=""))
    first = next(_examples(post["requestBody"]["content"]), None)
    return {"v2": Body(path, first[1])} if first else {}


def _json(content: Any) -> str:
    """As a person reads it, but for what a terminal would not show."""
    text = json.dumps(content, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(content)
