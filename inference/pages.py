"""The two pages for people: `/` and `/docs`. Self-contained HTML: they load nothing from elsewhere."""

from __future__ import annotations

import html
import json
import shlex
from collections.abc import Mapping
from typing import Any

from inference.settings import Release

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
"""Content-Security-Policy of both pages."""

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#222}
pre,textarea{background:#f5f5f5;padding:.8rem;overflow:auto;font:14px/1.4 monospace;width:100%}
*{box-sizing:border-box}
code{background:#f5f5f5}dt{font-weight:600;margin-top:.6rem}"""

_TRY = """document.getElementById('send').onclick=async()=>{const out=document.getElementById('answer');
try{const r=await fetch('predict',{method:'POST',headers:{'Content-Type':'application/json'},
body:document.getElementById('body').value});out.textContent=r.status+' '+JSON.stringify(await r.json(),null,2)}
catch(e){out.textContent=e}}"""

_LINKS = {
    "docs": "the API, with a form to try it",
    "openapi.json": "the same for programs",
    "health": "starting, ready or failed",
    "metadata": "run, commit, digest and signature",
    "model/info": "columns and classes",
    "metrics": "figures for Prometheus",
}


def home(release: Release, state: str, base_url: str, example: Mapping[str, Any] | None) -> str:
    """What this is, where things are, and a request that works."""
    links = "".join(f'<li><a href="{path}">/{path}</a>: {text}</li>' for path, text in _LINKS.items())
    body = f"""<h1>{_escape(release.name)} {_escape(release.version)}</h1>
<p>A model that answers predictions over HTTP; it is <strong>{_escape(state)}</strong>.</p>
<pre>{_escape(curl(base_url, example))}</pre><ul>{links}</ul>"""
    return _page(release, body)


def docs(release: Release, document: Mapping[str, Any], example: Mapping[str, Any] | None) -> str:
    """Every path, the request's schema, and a form that sends the example."""
    paths = "".join(
        f"<dt><code>{method.upper()} {_escape(path)}</code></dt><dd>{_escape(item['summary'])}</dd>"
        for path, methods in document["paths"].items()
        for method, item in methods.items()
    )
    row = _escape(json.dumps(document["components"]["schemas"]["Row"], indent=2))
    text = _escape(json.dumps(example or {}, indent=2))
    body = f"""<h1>{_escape(release.name)} {_escape(release.version)}</h1>
<h2>Try it</h2><textarea id="body" rows="12" aria-label="request body">{text}</textarea>
<p><button id="send">POST /predict</button></p><pre id="answer"></pre>
<h2>Paths</h2><dl>{paths}</dl><h2>One row</h2><pre>{row}</pre>
<p>The whole document: <a href="openapi.json">/openapi.json</a></p><script>{_TRY}</script>"""
    return _page(release, body)


def curl(base_url: str, example: Mapping[str, Any] | None) -> str:
    """A command that sends the example."""
    body = shlex.quote(json.dumps(example or {"instances": []}, ensure_ascii=False))
    url = shlex.quote(base_url.rstrip("/") + "/predict")
    return f"curl -H 'Content-Type: application/json' -d {body} {url}"


def _page(release: Release, body: str) -> str:
    title = _escape(f"{release.name} {release.version}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>{body}</html>'
    )


def _escape(text: str) -> str:
    return html.escape(text)
