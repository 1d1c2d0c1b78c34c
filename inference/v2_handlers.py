"""The endpoints of the Open Inference Protocol V2."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from inference import __version__, outputs, v2
from inference.errors import RequestError
from inference.forms import Query
from inference.handlers import service_of
from inference.model import Model
from inference.service import Service
from inference.v2 import InferRequest
from inference.web import content_type, json_response, parse_json, read_body


async def server(_request: Request) -> Response:
    """GET /v2."""
    return json_response({"name": "tagship", "version": __version__, "extensions": []})


async def live(_request: Request) -> Response:
    """GET /v2/health/live."""
    return json_response({"live": True})


async def ready(request: Request) -> Response:
    """GET /v2/health/ready."""
    is_ready = service_of(request).lifecycle.state == "ready"
    return json_response({"ready": is_ready}, 200 if is_ready else 503)


async def model_ready(request: Request) -> Response:
    """GET /v2/models/<name>/ready."""
    service = _served(request)
    is_ready = service.lifecycle.state == "ready"
    return json_response({"name": service.release.name, "ready": is_ready}, 200 if is_ready else 503)


async def model_metadata(request: Request) -> Response:
    """GET /v2/models/<name>: inputs and outputs."""
    service = _served(request)
    model = service.lifecycle.require_model()
    signature = model.description.signature or {}
    content = {
        "name": service.release.name,
        "versions": [service.release.version],
        "platform": model.description.loader.replace(".", "_"),
        "inputs": v2.input_metadata(model.schema),
        "outputs": v2.output_metadata(signature.get("outputs") or [], model.classes),
    }
    return json_response(content)


async def infer(request: Request) -> Response:
    """POST /v2/models/<name>/infer."""
    service = _served(request)
    service.lifecycle.require_model()
    if "inference-header-content-length" in request.headers:
        message = "the binary data extension is not supported; send JSON (binary_data=False)"
        raise RequestError("unsupported_media_type", message, status=415)
    content_type(request, "application/json")
    body = await read_body(request, service.settings.max_body_bytes)
    found: list[InferRequest] = []

    def read(model: Model) -> Query:
        found.append(v2.read(parse_json(body), model.schema, service.rules))
        return found[0].query

    answer = await service.answer(read, len(body))
    content: dict[str, Any] = {"model_name": service.release.name, "model_version": service.release.version}
    if found[0].id is not None:
        content["id"] = found[0].id

    def write() -> bytes:
        content["outputs"] = v2.write(found[0], answer.predictions, answer.probabilities)
        return outputs.dumps(content)

    return Response(await service.write(answer.query.batch.rows, write), media_type="application/json")


def _served(request: Request) -> Service:
    """The service, when the path names its model and version."""
    service = service_of(request)
    name, version = request.path_params["name"], request.path_params.get("version")
    if name != service.release.name:
        message = f"the model {name[:80]!r} is not served here; this is {service.release.name!r}"
        raise RequestError("not_found", message, status=404)
    if version not in (None, service.release.version):
        message = f"version {version[:80]!r} is not served here; this is {service.release.version!r}"
        raise RequestError("not_found", message, status=404)
    return service
