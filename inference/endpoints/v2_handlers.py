"""The endpoints of the Open Inference Protocol V2."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from inference import __version__, outputs
from inference.endpoints.handlers import service_of
from inference.errors import RequestError, bad_form
from inference.http.web import JsonBytes, content_type, json_response, parse_json, read_body
from inference.prediction.model import Model
from inference.requests import v2, v2_metadata
from inference.requests.forms import Query
from inference.requests.v2 import InferRequest
from inference.service import Service

_JSON_LENGTH = "Inference-Header-Content-Length"


async def server(_request: Request) -> Response:
    """GET /v2."""
    return json_response({"name": "tagship", "version": __version__, "extensions": ["binary_tensor_data"]})


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
    content = {
        "name": service.release.name,
        "versions": [service.release.version],
        "platform": model.description.loader.replace(".", "_"),
        "inputs": v2_metadata.inputs(model.schema),
        "outputs": v2_metadata.outputs(_declared_outputs(service), model.classes),
    }
    return json_response(content)


async def infer(request: Request) -> Response:
    """POST /v2/models/<name>/infer: JSON, or JSON with the tensors' bytes behind it, both ways."""
    service = _served(request)
    service.lifecycle.require_model()
    content_type(request, "application/json", "application/octet-stream")
    body = await read_body(request, service.settings.max_body_bytes)
    header, raw = _split(body, request.headers.get(_JSON_LENGTH))
    found: list[InferRequest] = []

    def read(model: Model) -> Query:
        found.append(v2.read(parse_json(header), raw, model.schema, service.rules))
        return found[0].query

    answer = await service.answer(read, len(body))
    declared = v2_metadata.names(_declared_outputs(service))
    content: dict[str, Any] = {"model_name": service.release.name, "model_version": service.release.version}
    if found[0].id is not None:
        content["id"] = found[0].id

    def write() -> Response:
        content["outputs"], pieces = v2.write(found[0], answer.predictions, answer.probabilities, declared)
        return _response(outputs.dumps(content), pieces)

    return await service.write(answer.query.batch.rows, write)


def _split(body: bytes, length: str | None) -> tuple[bytes, memoryview | None]:
    """The JSON, and the bytes behind it when the request says how long the JSON is."""
    if length is None:
        return body, None
    if not (length.isascii() and length.isdigit() and len(length) < 20 and int(length) <= len(body)):
        raise bad_form(
            "Inference-Header-Content-Length must be the number of bytes of the JSON at the body's start"
        )
    return body[: int(length)], memoryview(body)[int(length) :]


def _response(text: bytes, pieces: list[bytes]) -> Response:
    if not pieces:
        return JsonBytes(text)
    headers = {_JSON_LENGTH: str(len(text))}
    return Response(b"".join([text, *pieces]), headers=headers, media_type="application/octet-stream")


def _declared_outputs(service: Service) -> list[dict[str, Any]]:
    """The outputs in the model's signature; none where it has no signature."""
    signature = service.lifecycle.require_model().description.signature or {}
    return signature.get("outputs") or []


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
