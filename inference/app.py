"""The ASGI application: which path goes to which handler."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inference.access.gate import Refused, gate
from inference.endpoints import handlers, v2_handlers
from inference.errors import HookError, RequestError
from inference.group import Member
from inference.http.edge import Direct, Edge
from inference.http.web import on_http_error, on_request_error
from inference.lifecycle import Lifecycle
from inference.observability.trace import Tracing
from inference.service import Service
from inference.settings import Release, Settings

Handler = Callable[[Request], Awaitable[Response]]

_READING: dict[str, Handler] = {
    "/": handlers.home,
    "/health": handlers.health,
    "/livez": handlers.live,
    "/readyz": handlers.ready,
    "/metadata": handlers.release_metadata,
    "/model/info": handlers.model_info,
    "/metrics": handlers.metrics,
    "/docs": handlers.docs,
    "/openapi.json": handlers.openapi_json,
    "/ping": handlers.ping,
    "/version": handlers.version,
    "/v2": v2_handlers.server,
    "/v2/health/live": v2_handlers.live,
    "/v2/health/ready": v2_handlers.ready,
}
_MODEL_PATHS = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")


def create_app(settings: Settings, member: Member | None = None, tracing: Tracing | None = None) -> Starlette:
    """The application; it begins to load the model when the server starts it. `member`: of several workers."""
    service = Service(settings, member)
    service.tracing = tracing

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        service.lifecycle.start()
        if member.late if member else settings.listen_fd is not None:
            await _loaded(service.lifecycle)
        yield
        service.lifecycle.stop()
        if tracing:
            tracing.stop()

    routes = _routes()
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
    )
    # In place of Starlette's own outermost layer, whose answer to a failure is text.
    routed = ExceptionMiddleware(app.router, {RequestError: on_request_error, HTTPException: on_http_error})
    app.middleware_stack = Edge(
        routed, service, _direct(routes, settings.release), gate(settings, _refused(service))
    )
    app.router.redirect_slashes = False
    app.state.service = service
    app.state.member = member
    return app


async def _loaded(lifecycle: Lifecycle) -> None:
    """Until the model is there; RuntimeError when it never will be, which ends the process."""
    while lifecycle.state == "starting":
        await asyncio.sleep(0.05)
    if lifecycle.reason:
        raise RuntimeError(lifecycle.reason)


def _routes() -> list[Route]:
    routes = [Route(path, handler, methods=["GET"]) for path, handler in _READING.items()]
    routes.append(Route("/predict", _counted("predict", handlers.predict), methods=["POST"]))
    routes.append(Route("/invocations", _counted("invocations", handlers.invocations), methods=["POST"]))
    infer = _counted("v2", v2_handlers.infer)
    for path in _MODEL_PATHS:
        routes.append(Route(path, v2_handlers.model_metadata, methods=["GET"]))
        routes.append(Route(f"{path}/ready", v2_handlers.model_ready, methods=["GET"]))
        routes.append(Route(f"{path}/infer", infer, methods=["POST"]))
    return routes


def _direct(routes: Sequence[Route], release: Release) -> Direct:
    """The routes to all paths that this release has: no search for each request."""
    values = {"name": release.name, "version": release.version}
    found = {}
    for route in routes:
        for method in (route.methods or set()) - {"HEAD"}:
            found[method, route.path.format(**values)] = route.endpoint, values
    return found


def _refused(service: Service) -> Refused:
    """Counts prediction requests that the gate refuses; they reach no handler."""

    def refused(path: str, error: RequestError) -> None:
        endpoint = path.strip("/") if path in ("/predict", "/invocations") else "v2"
        if endpoint != "v2" or (path.startswith("/v2/models/") and path.endswith("/infer")):
            service.metrics.requests.labels(endpoint, str(error.status)).inc()
            service.metrics.errors.labels(error.code).inc()

    return refused


def _counted(endpoint: str, handler: Handler) -> Handler:
    """The handler, with its requests in the metrics."""

    async def counted(request: Request) -> Response:
        began, status, code = time.perf_counter(), 500, "internal_error"
        metrics = handlers.service_of(request).metrics
        try:
            response = await handler(request)
            status, code = response.status_code, ""
            return response
        except RequestError as error:
            status, code = error.status, error.code
            raise
        except HookError:
            code = HookError.code
            raise
        finally:
            metrics.request(endpoint, status, time.perf_counter() - began, code)

    return counted
