"""The endpoints of this server's own API and of MLflow's scoring server."""

from __future__ import annotations

import functools
import time
from importlib import metadata
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from inference import __version__, outputs
from inference.access.document import guarded
from inference.access.gate import KEY_STATE
from inference.description import openapi, pages
from inference.description.pages import View
from inference.http.web import JsonBytes, content_type, json_response, parse_json, read_body
from inference.observability.metrics import CONTENT_TYPE
from inference.prediction.model import Model
from inference.requests import csv_form, forms
from inference.requests.forms import Query
from inference.service import Service, plain_answer, single_answer


def service_of(request: Request) -> Service:
    """The service that the application was made with."""
    service: Service = request.scope["state"]["service"]
    return service


async def predict(request: Request) -> Response:
    """POST /predict."""
    began = time.perf_counter()
    service = service_of(request)
    service.lifecycle.require_model()
    content_type(request, "application/json")
    body = await read_body(request, service.settings.max_body_bytes)

    def read(model: Model) -> Query:
        return forms.read(parse_json(body), model.schema, service.rules, service.release.name)

    answer = await service.answer(read, len(body))

    def write() -> bytes:
        content = single_answer(answer) if answer.query.single else plain_answer(answer)
        content["model_version"] = service.release.version
        if answer.query.single:
            content["latency_ms"] = round((time.perf_counter() - began) * 1000, 3)
        return outputs.dumps(content)

    return JsonBytes(await service.write(answer.query.batch.rows, write))


async def invocations(request: Request) -> Response:
    """POST /invocations, MLflow's: JSON or CSV in, `predictions` out."""
    service = service_of(request)
    service.lifecycle.require_model()
    media = content_type(request, "application/json", "text/csv")
    if media == "text/csv":
        csv_form.check_parameters(request.headers["content-type"])
    body = await read_body(request, service.settings.max_body_bytes)

    def read(model: Model) -> Query:
        if media == "text/csv":
            return csv_form.read(body, model.schema, service.rules)
        return forms.read(parse_json(body), model.schema, service.rules, service.release.name)

    answer = await service.answer(read, len(body))
    rows = answer.query.batch.rows
    content = await service.write(rows, lambda: outputs.dumps(plain_answer(answer)))
    return JsonBytes(content)


async def health(request: Request) -> Response:
    """GET /health: 200 only when predictions are answered."""
    service = service_of(request)
    state = service.lifecycle.state
    content = {
        "status": state,
        "reason": service.lifecycle.reason,
        "model": service.release.name,
        "model_version": service.release.version,
    }
    return json_response(content, 200 if state == "ready" else 503)


async def live(_request: Request) -> Response:
    """GET /livez: the process answers, whatever the model does."""
    return json_response({"status": "alive"})


async def ready(request: Request) -> Response:
    """GET /readyz: send requests here, or don't."""
    state = service_of(request).lifecycle.state
    return json_response({"status": state}, 200 if state == "ready" else 503)


async def ping(request: Request) -> Response:
    """GET /ping, MLflow's."""
    return PlainTextResponse("\n", 200 if service_of(request).lifecycle.state == "ready" else 503)


async def version(_request: Request) -> Response:
    """GET /version, MLflow's: the version of MLflow that loads the model."""
    return PlainTextResponse(mlflow_version() or "unknown")


async def release_metadata(request: Request) -> Response:
    """GET /metadata: which release this is."""
    return json_response(describe(service_of(request)))


def describe(service: Service) -> dict[str, Any]:
    """What /metadata answers, in every state."""
    release, description = service.release, service.lifecycle.description
    return {
        "name": release.name,
        "version": release.version,
        "run_id": release.run_id,
        "commit": release.commit,
        "data_hash": release.data_hash,
        "digest": service.settings.digest,
        "registered_version": release.registered_version,
        "created": release.created,
        "flavors": description.flavors if description else None,
        "signature": description.signature if description else None,
        "server_version": __version__,
    }


async def model_info(request: Request) -> Response:
    """GET /model/info: what the loaded model takes and gives."""
    service = service_of(request)
    model = service.lifecycle.require_model()
    schema = model.schema
    columns = [
        {"name": column.name if schema.named else None, "type": column.type, "required": column.required}
        for column in schema.columns
    ]
    tensors = [{"name": item.name, "dtype": item.dtype, "shape": item.shape} for item in schema.tensors]
    content = {
        "name": service.release.name,
        "version": service.release.version,
        "flavors": model.description.flavors,
        "loader": model.description.loader,
        "runtime": model.runtime.name,
        "runtime_reason": _why(service, model),
        "mlflow_version": mlflow_version(),
        "columns": columns,
        "tensors": tensors,
        "width": schema.width,
        "params": schema.params,
        "classes": model.classes,
        "unchecked": schema.unchecked,
        "load_seconds": service.lifecycle.load_seconds,
    }
    return json_response(content)


def _why(service: Service, model: Model) -> str | None:
    """Why it is pyfunc that asks the model: packaging says so, or the server itself found a reason."""
    if model.runtime.name != "pyfunc":
        return None
    return service.release.runtime_reason or getattr(model.runtime, "reason", None)


async def metrics(request: Request) -> Response:
    """GET /metrics, for Prometheus."""
    return Response(service_of(request).metrics.render(), headers={"Content-Type": CONTENT_TYPE})


async def openapi_json(request: Request) -> Response:
    """GET /openapi.json."""
    return json_response(_document(service_of(request)))


async def docs(request: Request) -> Response:
    """GET /docs."""
    return _page(pages.docs(_view(request)))


async def home(request: Request) -> Response:
    """GET /."""
    return _page(pages.home(_view(request), str(request.base_url)))


def _page(text: str) -> Response:
    return HTMLResponse(text, headers={"Content-Security-Policy": pages.POLICY})


def _view(request: Request) -> View:
    """Who has no key, where one is asked for, sees nothing of the model but name, version and state."""
    service = service_of(request)
    life, keyed = service.lifecycle, service.settings.api_keys is not None
    if keyed and KEY_STATE not in request.scope["state"]:
        return View(service.release, life.state, openapi.document(service.release, None, None), keyed)
    classes = life.model.classes if life.model else None
    return View(service.release, life.state, _document(service), keyed, describe(service), life.schema, classes)


@functools.cache
def mlflow_version() -> str | None:
    """The installed MLflow's version, without importing it; to find it takes milliseconds."""
    for name in ("mlflow-skinny", "mlflow"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _document(service: Service) -> dict[str, Any]:
    document = openapi.document(
        service.release, service.lifecycle.schema, _example(service), strict=service.settings.strict
    )
    return guarded(document, service.settings)


def _example(service: Service) -> dict[str, Any] | None:
    model = service.lifecycle.model
    return model.example if model else None
