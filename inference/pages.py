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

_TRY = """const at=id=>document.getElementById(id),key=()=>at('key')?.value?{'X-API-Key':at('key').value}:{};
at('send').onclick=async()=>{try{const r=await fetch('predict',{method:'POST',
headers:{'Content-Type':'application/json',...key()},body:at('body').value});
at('answer').textContent=r.status+' '+JSON.stringify(await r.json(),null,2)}
catch(e){at('answer').textContent=e}};"""

_ASK = """if(at('key'))at('key').onchange=async()=>{
const r=await fetch('openapi.json',{headers:key()}),d=await r.json();
if(!r.ok){at('answer').textContent=r.status+' '+d.error.message;return}
at('row').textContent=JSON.stringify(d.components.schemas.Row,null,2);
at('body').value=JSON.stringify(d.paths['/predict'].post.requestBody.content['application/json'].example,null,2)};"""
"""With a key: the columns and the example, which the page itself does not have."""

_KEY = """<p><label>API key <input id="key" type="password" autocomplete="off"></label>
It stays in this page; columns and an example come with it.</p>"""

_LINKS = {
    "docs": "the API, with a form to try it",
    "openapi.json": "the same for programs",
    "health": "starting, ready or failed",
    "metadata": "run, commit, digest and signature",
    "model/info": "columns and classes",
    "metrics": "figures for Prometheus",
}


def home(
    release: Release, state: str, base_url: str, example: Mapping[str, Any] | None, *, keyed: bool = False
) -> str:
    """What this is, where things are, and a request that works; `keyed`: with an API key."""
    links = "".join(f'<li><a href="{path}">/{path}</a>: {text}</li>' for path, text in _LINKS.items())
    body = f"""<h1>{_escape(release.name)} {_escape(release.version)}</h1>
<p>A model that answers predictions over HTTP; it is <strong>{_escape(state)}</strong>.</p>
<pre>{_escape(curl(base_url, example, keyed=keyed))}</pre><ul>{links}</ul>"""
    return _page(release, body)


def docs(
    release: Release, document: Mapping[str, Any], example: Mapping[str, Any] | None, *, keyed: bool = False
) -> str:
    """Every path, the request's schema, and a form that sends the example, with an API key where `keyed`."""
    paths = "".join(
        f"<dt><code>{method.upper()} {_escape(path)}</code></dt><dd>{_escape(item['summary'])}</dd>"
        for path, methods in document["paths"].items()
        for method, item in methods.items()
    )
    row = _escape(json.dumps(document["components"]["schemas"]["Row"], indent=2))
    text = _escape(json.dumps(example or {}, indent=2))
    body = f"""<h1>{_escape(release.name)} {_escape(release.version)}</h1>
<h2>Try it</h2>{_KEY if keyed else ""}<textarea id="body" rows="12" aria-label="request body">{text}</textarea>
<p><button id="send">POST /predict</button></p><pre id="answer"></pre>
<h2>Paths</h2><dl>{paths}</dl><h2>One row</h2><pre id="row">{row}</pre>
<p>The whole document: <a href="openapi.json">/openapi.json</a></p><script>{_TRY}{_ASK}</script>"""
    return _page(release, body)


def curl(base_url: str, example: Mapping[str, Any] | None, *, keyed: bool = False) -> str:
    """A command that sends the example; an API key is taken from the shell's variable API_KEY."""
    body = shlex.quote(json.dumps(example or {"instances": []}, ensure_ascii=False))
    url = shlex.quote(base_url.rstrip("/") + "/predict")
    key = '-H "X-API-Key: $API_KEY" ' if keyed else ""
    return f"curl -H 'Content-Type: application/json' {key}-d {body} {url}"


def _page(release: Release, body: str) -> str:
    title = _escape(f"{release.name} {release.version}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>{body}</html>'
    )


def _escape(text: str) -> str:
    return html.escape(text)
