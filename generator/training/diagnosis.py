"""From how a training script ended, and the last lines of its output, to a message with the fix.

Pure: it knows what the log says and nothing else. `_KNOWN` is the table of failures with an exact answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from generator.ports import Ended

SHOWN = 20  # lines of a traceback or of the output's end
LIMIT = 19800  # seconds; the longest train.timeout
# Import names whose distribution has another name.
DISTRIBUTIONS = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.storage": "google-cloud-storage",
    "imblearn": "imbalanced-learn",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "lightning_fabric": "lightning",
    "MySQLdb": "mysqlclient",
    "PIL": "pillow",
    "pkg_resources": "setuptools<81",
    "distutils": "setuptools",
    "psycopg2": "psycopg2-binary",
    "pytorch_lightning": "lightning",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "skopt": "scikit-optimize",
    "umap": "umap-learn",
    "yaml": "pyyaml",
}


def package_of(module: str) -> str:
    """The package to install for `import module`."""
    top = module.partition(".")[0]
    return DISTRIBUTIONS.get(module) or DISTRIBUTIONS.get(top) or top


@dataclass(frozen=True)
class Context:
    """How messages call what they are about."""

    script: str  # the script's path
    requirements: str  # where requirements are written down
    timeout: float  # seconds
    timeout_place: str  # such as model.yaml:12:5
    commit: str
    elsewhere: Mapping[str, str]  # modules of the repository that are not in the model's folder, with their paths


def explain(ended: Ended, context: Context) -> str | None:
    """Why the script failed and what to do; None where it did not."""
    if ended.code == 0 and not ended.timed_out:
        return None
    if ended.timed_out:
        return (
            f"{context.script} was still running after {context.timeout:.0f} s and was ended, with all it had "
            f"started. Raise train.timeout ({context.timeout_place}; at most {LIMIT}), or let it do less."
        ) + _last_lines(ended.tail)
    failure = "\n".join(_from_last_traceback(ended.tail) or ended.tail)
    for pattern, answer in _KNOWN:
        if (match := pattern.search(failure)) and (known := answer(match, context)):
            return f"{context.script} failed: {known}{_evidence(ended)}"
    if ended.signal is not None:
        return f"{context.script} was ended by {ended.signal}{_SIGNALS.get(ended.signal, '')}.{_evidence(ended)}"
    return f"{context.script} ended with exit code {ended.code}.{_evidence(ended)}"


_SIGNALS = {
    "SIGKILL": (
        ": most often the machine ran out of memory. Use less data at once, or a larger runner (train.runs_on)"
    ),
    "SIGSEGV": (
        ": it crashed in native code. Look at which package the lines below name, and try another version of it"
    ),
    "SIGABRT": ": native code gave up. Look at which package the lines below name",
    "SIGILL": ": a package was built for another processor than this machine's",
    "SIGTERM": ": something outside asked it to stop",
}


def _evidence(ended: Ended) -> str:
    traceback = traceback_end(ended.tail)
    return "\n" + "\n".join(f"  {line}" for line in traceback) if traceback else _last_lines(ended.tail)


def traceback_end(tail: Sequence[str]) -> tuple[str, ...]:
    """The last traceback in the output, shortened in its middle; empty where there is none."""
    lines = _from_last_traceback(tail)
    if not lines:
        return ()
    # The frames end at the first line that is not indented; the exception's own text may go on.
    end = next((number for number, line in enumerate(lines[1:], 1) if line[:1] not in (" ", "")), len(lines) - 1)
    frames, text = lines[1:end], [line[:1000] for line in lines[end : end + 8]]
    own = [frame for frame in frames if "site-packages" not in frame]
    shown = frames if len(frames) <= SHOWN else [*own[:4], "  …", *frames[-6:]]
    return (lines[0], *shown, *text)


def _from_last_traceback(tail: Sequence[str]) -> Sequence[str]:
    starts = [number for number, line in enumerate(tail) if line.startswith("Traceback (most recent call last)")]
    return tail[starts[-1] :] if starts else ()


def _last_lines(tail: Sequence[str]) -> str:
    if not tail:
        return "\n  It printed nothing."
    return "\n  Its last lines:\n" + "\n".join(f"  {line[:500]}" for line in tail[-SHOWN:])


# One answer a function, each from the match in the output.


def _missing_module(match: re.Match[str], context: Context) -> str:
    module = match["module"]
    top = module.partition(".")[0]
    if top in context.elsewhere:
        return (
            f"it imports {module}, which is {context.elsewhere[top]} in this repository, outside the model's "
            "folder. Only that folder is importable: move the module there."
        )
    return (
        f"it imports {module}, which is not in the training environment. Add `{package_of(module)}` to "
        f"{context.requirements} and run `generator lock`."
    )


def _missing_library(match: re.Match[str], context: Context) -> str:
    library = match["library"]
    advice = "use a package that brings it, or a runner whose image has it"
    if library.startswith("libGL"):
        advice = f"replace opencv-python by opencv-python-headless in {context.requirements}; run `generator lock`"
    return f"the system library {library} is not on this machine: {advice}."


def _missing_file(match: re.Match[str], context: Context) -> str | None:
    path = match["path"]
    if path.startswith(("/", "http")):
        return None
    return (
        f"it reads {path!r}, which is not there. It runs in its own folder of a clean checkout of "
        f"{context.commit[:12]}, where only committed files are: commit {path}, or let the script fetch it."
    )


def _missing_variable(match: re.Match[str], _: Context) -> str:
    name = match["name"]
    return (
        f"the environment variable {name} is not set. The script gets only what model.yaml gives it: "
        f"train.env for a plain value, train.secrets for a GitHub secret."
    )


def _untrusted_types(match: re.Match[str], context: Context) -> str:
    types = ", ".join(re.findall(r"'([^']+)'", match["types"]))
    listed = ", ".join(f'"{name}"' for name in types.split(", "))
    return (
        f"MLflow 3.14 and later do not save this model: it holds types that skops does not trust: {types}. "
        "Do one of three things: "
        f"(1) add `mlflow<3.14` to {context.requirements} and run `generator lock`; "
        f"(2) pass skops_trusted_types=[{listed}] to log_model; "
        '(3) pass serialization_format="cloudpickle" to log_model.'
    )


def _sqlalchemy(_: re.Match[str], context: Context) -> str:
    return (
        "MLflow 2 does not work with SQLAlchemy 2.1. "
        f"Add `sqlalchemy<2.1` to {context.requirements} and run `generator lock`."
    )


def _same_metric(match: re.Match[str], _: Context) -> str:
    return (
        f"the metric {match['metric']!r} is not a number (NaN), and MLflow's SQLite store does not take such a "
        "metric twice, which log_model tries. Find out why it is NaN, log it only where it is finite "
        "(math.isfinite), or log it after log_model."
    )


def _maintenance(_: re.Match[str], __: Context) -> str:
    return (
        "this MLflow does not keep runs in a folder any more. "
        "Remove the call of set_tracking_uri from the script; the pipeline says where runs go."
    )


def _unreachable(match: re.Match[str], _: Context) -> str:
    return (
        f"the tracking server {match['host']} does not answer. See that it runs, that this machine may reach it, "
        "and that tracking.uri in model.yaml is its address."
    )


def _refused(match: re.Match[str], _: Context) -> str:
    return (
        f"the tracking server refuses us (HTTP {match['code']}). Name the GitHub secret with its token in "
        "tracking.secret, or put MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD into train.secrets."
    )


def _notebook(_: re.Match[str], __: Context) -> str:
    return "get_ipython exists in notebooks only: remove the lines that begin with get_ipython()."


def _disk(_: re.Match[str], __: Context) -> str:
    return "the disk is full. Let it write less, or use a larger runner (train.runs_on)."


def _memory(_: re.Match[str], __: Context) -> str:
    return "it ran out of memory. Use less data at once, or a larger runner (train.runs_on)."


_Answer = Callable[[re.Match[str], Context], str | None]
_KNOWN: tuple[tuple[re.Pattern[str], _Answer], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), answer)
    for pattern, answer in (
        (r"Untrusted types found in the file: \[(?P<types>[^\]]+)\]", _untrusted_types),
        (r"cannot import name 'FallbackAsyncAdaptedQueuePool'", _sqlalchemy),
        (
            r"IntegrityError\) UNIQUE constraint failed: metrics\."
            r"(?:.*\n)*?.*\[parameters: \W*'(?P<metric>[^']+)'",
            _same_metric,
        ),
        (r"filesystem tracking backend .* is in maintenance mode", _maintenance),
        (r"^ModuleNotFoundError: No module named '(?P<module>[\w.]+)'", _missing_module),
        (r"^ImportError: (?P<library>lib[\w.+-]+\.so[\w.]*): cannot open shared object", _missing_library),
        (r"^(?:\w+\.)*FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<path>[^']+)'", _missing_file),
        (
            r"File \"(?:<frozen os>|[^\"]*/os\.py)\", line \d+, in __getitem__\n"
            r"(?:\s.*\n)*KeyError: '(?P<name>\w+)'",
            _missing_variable,
        ),
        (r"^NameError: name 'get_ipython' is not defined", _notebook),
        (
            r"API request to (?P<host>https?://[^/\s]+)\S* failed with exception .*"
            r"(?:Max retries|Connection refused|Name or service|timed out)",
            _unreachable,
        ),
        (r"MlflowException: API request to .* failed with error code (?P<code>401|403)\b", _refused),
        (r"No space left on device", _disk),
        (r"^MemoryError|^numpy.*_ArrayMemoryError", _memory),
    )
)
