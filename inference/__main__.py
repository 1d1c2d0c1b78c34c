"""`python -m inference` serves the model; with `replay`, `parity` or `hooks` it is tried."""

from __future__ import annotations

import os
import signal
import sys

from inference.settings import Settings, SettingsError, from_environment

_USAGE = """usage: python -m inference [replay | parity | hooks]

Serves an MLflow model folder over HTTP. Settings are environment variables: TAGSHIP_MODEL (the folder),
TAGSHIP_RELEASE, TAGSHIP_HOST, TAGSHIP_PORT and the others that inference/settings.py documents.

replay   read {"request": <body for /predict or null>} on standard input, ask the model, write JSON
parity   read the same, compare the model's native runtime with MLflow's pyfunc, write JSON
hooks    read the same, ask the model through the hooks around it, write JSON
"""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(arguments: list[str]) -> int:
    """The exit code: 1 for a setting or replay that failed, 2 for wrong usage."""
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(_USAGE)
        return 0
    if arguments not in ([], ["replay"], ["parity"], ["hooks"]):
        sys.stderr.write(_USAGE)
        return 2
    # One call of the model, one thread, unless somebody wants more: libraries take all of a machine's
    # processors, not the pod's share of them, and their threads wait for each other. Read when numpy is imported.
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    # As a container's first process nothing ends it by default; uvicorn takes over once it runs.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        settings = from_environment(os.environ)
        return _try(settings, arguments[0]) if arguments else _serve(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _serve(settings: Settings) -> int:
    from inference.app import create_app
    from inference.group import Member
    from inference.observability import logs, telemetry
    from inference.server import listen, serve

    logs.configure(settings.log_level)
    # Set for another program, perhaps; the figures of a single process need no files.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    listener = listen(settings)

    def work(member: Member | None = None) -> int:
        quiet = member is not None and (member.index > 0 or member.late)
        tracing = telemetry.start(os.environ, settings.release, quiet=quiet)
        return serve(create_app(settings, member, tracing), listener)

    if settings.workers == 1:
        return work()
    from inference.workers import supervise

    return supervise(settings, work, listener)


def _try(settings: Settings, command: str) -> int:
    from inference import replay
    from inference.observability import logs

    logs.configure("WARNING")
    return replay.run(settings, command)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: a model that is still loading or predicting would keep the process alive.
    os._exit(code)
