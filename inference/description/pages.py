"""The two pages for people: `/` and `/docs`. Self-contained HTML: they load nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.description.page_assets import SCRIPT, STYLE
from inference.schema import Column, Schema
from inference.settings import Release


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


POLICY = (
    f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of both pages: no script but theirs."""

_LINKS = {
    "docs": "try it, and every path",
    "openapi.json": "the same for programs and client generators",
    "metadata": "run, commit, digest, data hash and signature",
    "model/info": "columns and classes",
    "health": "starting, ready, failed or stopping, and why",
    "metrics": "figures for Prometheus",
}
_FACTS = {
    "run_id": "MLflow run",
    "registered_version": "Registered version",
    "commit": "Commit",
    "data_hash": "Data hash",
    "digest": "Image digest",
    "created": "Created",
}


@dataclass(frozen=True)
class View:
    """What a page may show: to who has no key on a server that asks for one, less."""

    release: Release
    state: str
    document: Mapping[str, Any]  # OpenAPI
    keyed: bool = False  # predictions want an API key
    facts: Mapping[str, Any] | None = None  # what /metadata says; None, as the rest: not shown
    schema: Schema | None = None
    classes: Sequence[Any] | None = None


def home(view: View, base_url: str) -> str:
    """What this is, where things are, and a request that works."""
    links = "".join(f'<tr><td><a href="{path}">/{path}</a><td>{text}' for path, text in _LINKS.items())
    forms = _forms(view)
    command = curl(base_url, forms[0]["text"] if forms else '{"instances": []}', keyed=view.keyed)
    body = f"""{_heading(view, "A model that answers predictions over HTTP.")}
<h2>Ask it</h2><pre>{_escape(command)}</pre>
{_columns(view)}{_facts(view)}
<h2>Where things are</h2><table>{links}</table>"""
    return _page(view, body)


def docs(view: View) -> str:
    """The columns, a form that sends each kind of request, and every path."""
    forms = _forms(view)
    data = json.dumps(forms).replace("<", "\\u003c")
    chosen = "".join(f"<option>{_escape(form['name'])}</option>" for form in forms)
    key = """<p><label>API key <input id="key" type="password" autocomplete="off"></label>
<span class="faint">It stays in this page; columns and examples come with it.</span></p>"""
    body = f"""{_heading(view, '<a href="./">About</a> · <a href="openapi.json">openapi.json</a>')}
{key if view.keyed else ""}<div id="model">{_columns(view)}
<h2>Try it</h2><p><label>Form <select id="form">{chosen}</select></label> <code id="path"></code></p>
<textarea id="body" rows="10" spellcheck="false" aria-label="request body"></textarea>
<p><button id="send">Send</button> <span id="status" class="faint" role="status"></span></p>
<pre id="answer" hidden></pre><details><summary>as a command</summary><pre id="curl"></pre></details>
<script type="application/json" id="forms">{data}</script></div>{_paths(view.document)}"""
    return _page(view, body)


def curl(base_url: str, text: str, *, keyed: bool = False) -> str:
    """A command that sends the body; an API key is taken from the shell's variable API_KEY."""
    url = shlex.quote(base_url.rstrip("/") + "/predict")
    key = '-H "X-API-Key: $API_KEY" ' if keyed else ""
    return f"curl -H 'Content-Type: application/json' {key}-d {shlex.quote(text)} {url}"


def _forms(view: View) -> list[dict[str, str]]:
    """Every example in the document that may be shown: its name, where it goes, its media type and text."""
    found = []
    for path, methods in view.document["paths"].items() if view.schema else ():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        if not content or "{model_version}" in path:
            continue
        to = path.lstrip("/").replace("{model_name}", view.release.name)
        # /invocations takes the same JSON as /predict
        named = content["application/json"].get("examples", {}) if path != "/invocations" else {}
        for name, example in named.items():
            title = "Open Inference Protocol" if to.startswith("v2/") else name
            text = json.dumps(example["value"], ensure_ascii=False)
            found.append({"name": title, "path": to, "media": "application/json", "text": text})
        table = content.get("text/csv", {}).get("example")
        if table:
            found.append({"name": "CSV", "path": to, "media": "text/csv", "text": table})
    return found


def _heading(view: View, below: str) -> str:
    state = _escape(view.state)
    return f"""<header><h1>{_escape(view.release.name)} <small>{_escape(view.release.version)}</small>
<span class="state {state}">{state}</span></h1><p>{below}</p></header>"""


def _columns(view: View) -> str:
    schema = view.schema
    if schema is None:
        return ""
    if schema.tensors:
        tensors = ((item.name or "", item.dtype, " x ".join(map(str, item.shape))) for item in schema.tensors)
        return "<h2>What it takes</h2>" + _table(("Tensor", "Type", "Shape"), tensors) + _classes(view)
    if not schema.columns:
        width = "rows" if schema.width is None else f"rows of {schema.width} values"
        return f"<h2>What it takes</h2><p>{width}, by position: this model knows no columns.</p>{_classes(view)}"
    rows = (
        (column.name if schema.named else str(at), _type(column), "" if column.required else "may be left out")
        for at, column in enumerate(schema.columns)
    )
    unchecked = "".join(f'<p class="faint">Not checked: {_escape(text)}.</p>' for text in schema.unchecked)
    return f"<h2>What it takes</h2>{_table(('Column', 'Type', ''), rows)}{unchecked}{_classes(view)}"


def _classes(view: View) -> str:
    if not view.classes:
        return ""
    shown = ", ".join(f"<code>{_escape(json.dumps(label, default=str))}</code>" for label in view.classes[:50])
    return f"<p>It answers one of {shown}; with <code>return_probabilities</code> also how likely each is.</p>"


def _type(column: Column) -> str:
    return _spelled(column.spec) if column.spec else column.type


def _spelled(spec: Mapping[str, Any]) -> str:
    kind = str(spec.get("type"))
    if kind == "array":
        return f"list of {_spelled(spec.get('items') or {})}"
    if kind == "map":
        return f"object of {_spelled(spec.get('values') or {})}"
    if kind == "object":
        fields = (spec.get("properties") or {}).items()
        return "object with " + ", ".join(f"{name}: {_spelled(field)}" for name, field in fields)
    return kind


def _facts(view: View) -> str:
    if view.facts is None:
        return ""
    rows = ((text, str(view.facts.get(key) or "not known")) for key, text in _FACTS.items())
    return "<h2>Where it is from</h2>" + _table((), rows, code=1)


def _paths(document: Mapping[str, Any]) -> str:
    tables = []
    for tag in document["tags"]:
        rows = [
            (f"{method.upper()} {path}", operation["summary"])
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation["tags"]
        ]
        tables.append(f"<h3>{_escape(tag['description'])}</h3>{_table((), rows)}")
    return "<h2>Every path</h2>" + "".join(tables)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], code: int = 0) -> str:
    """The cell number `code` of each row is code."""
    head = "".join(f"<th>{_escape(title)}" for title in titles)
    lines = ("".join(_cell(text, at == code) for at, text in enumerate(row)) for row in rows)
    return f"<table>{f'<tr>{head}' if head else ''}{''.join(f'<tr>{line}' for line in lines)}</table>"


def _cell(text: str, code: bool) -> str:
    return f"<td><code>{_escape(text)}</code>" if code else f"<td>{_escape(text)}"


def _page(view: View, body: str) -> str:
    title = _escape(f"{view.release.name} {view.release.version}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style>'
        f"<main>{body}</main><script>{SCRIPT}</script></html>"
    )


def _escape(text: str) -> str:
    return html.escape(text)
