"""The environment variables that a training script gets: a short list from ours, then what model.yaml says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from generator.errors import GeneratorError
from generator.release import Release

# Everything else of the caller's environment stays out: the runner's tokens above all.
_KEPT = re.compile(
    r"PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|CI"
    # how this machine reaches the network
    r"|(?:HTTP|HTTPS|ALL|NO)_PROXY|(?:http|https|all|no)_proxy"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|AWS_CA_BUNDLE"
    # what it computes with
    r"|LD_LIBRARY_PATH|CUDA_[A-Z_]+|NVIDIA_[A-Z_]+|ROCR_VISIBLE_DEVICES|(?:OMP|MKL|OPENBLAS)_NUM_THREADS"
    # the identity for data and the artifact store: a role of the job, of the pod or of the caller
    r"|AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|REGION|DEFAULT_REGION|ROLE_ARN|ROLE_SESSION_NAME)"
    r"|AWS_(?:WEB_IDENTITY_TOKEN_FILE|ENDPOINT_URL(?:_[A-Z0-9]+)?|EC2_METADATA_DISABLED)"
    r"|AWS_CONTAINER_(?:CREDENTIALS_RELATIVE_URI|CREDENTIALS_FULL_URI|AUTHORIZATION_TOKEN(?:_FILE)?)"
)
_SECRET = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN")
_PASSWORD = re.compile(r"://[^/@:\s]*:([^/@\s]+)@")  # in a proxy's address


@dataclass(frozen=True)
class Variables:
    """The environment of the script, and which values of it must not be shown."""

    script: Mapping[str, str]
    secrets: tuple[str, ...]

    @property
    def harness(self) -> dict[str, str]:
        """For questions to MLflow: the model must load without the script's folder."""
        return {name: value for name, value in self.script.items() if name != "PYTHONPATH"}


def script_variables(
    release: Release, given: Mapping[str, str], *, folder: Path, home: Path, python: Path, tracking_uri: str
) -> Variables:
    """What the script of `release` gets, where `given` is the caller's environment.

    `home` is an empty folder of its own: neither credentials nor settings of whoever runs this leak in.
    Raises GeneratorError where a secret that model.yaml names is not in `given`.
    """
    config = release.model.config
    kept = {name: value for name, value in given.items() if _KEPT.fullmatch(name)}
    secrets = secrets_of(release, given)
    variables = {
        **kept,
        "HOME": str(home),
        "PATH": f"{python.parent}:{kept.get('PATH', '/usr/local/bin:/usr/bin:/bin')}",
        "VIRTUAL_ENV": str(python.parent.parent),
        "PYTHONUNBUFFERED": "1",  # output is shown as it comes
        "PYTHONFAULTHANDLER": "1",  # a crash in native code still tells its place
        "PYTHONNOUSERSITE": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # A script that keeps its runs in a folder works with an MLflow that would rather not.
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "EXPERIMENT_NAME": release.model.experiment,
        "MODEL_NAME": release.model.name,
        **config.train.env,
        **secrets,
        "PYTHONPATH": str(folder),
        "MLFLOW_TRACKING_URI": tracking_uri,
        "MLFLOW_EXPERIMENT_NAME": release.model.experiment,
        "MLFLOW_RUN_CONTEXT": json.dumps(_tags(release)),
        **_artifact_root(tracking_uri),
    }
    hidden = [*secrets.values(), *(value for name, value in kept.items() if name in _SECRET)]
    hidden += [match[1] for value in kept.values() if (match := _PASSWORD.search(value))]
    return Variables(variables, tuple(hidden))


def artifact_folder(tracking_uri: str) -> Path | None:
    """Where the artifacts of a SQLite store belong, beside it; None for any other store."""
    path = tracking_uri.removeprefix("sqlite:///")
    return Path(path).parent / "mlartifacts" if path != tracking_uri else None


def _artifact_root(tracking_uri: str) -> dict[str, str]:
    """Without this MLflow keeps the artifacts of a SQLite store in the script's folder; older ones always do."""
    folder = artifact_folder(tracking_uri)
    return {} if folder is None else {"_MLFLOW_SERVER_ARTIFACT_ROOT": str(folder)}


def _tags(release: Release) -> dict[str, str]:
    """What finds the run again, whatever experiment or store the script chose."""
    return {
        **release.model.config.train.tags,
        "tagship.release": release.id,
        "tagship.attempt": release.attempt,
        "tagship.commit": release.commit,
    }


def secrets_of(release: Release, given: Mapping[str, str]) -> dict[str, str]:
    """The secrets that model.yaml names, by the variable that gets them. Raises GeneratorError for absent ones."""
    config = release.model.config
    named = {name: name for name in config.train.secrets}
    if config.tracking.secret:
        named["MLFLOW_TRACKING_TOKEN"] = config.tracking.secret
    missing = sorted({secret for secret in named.values() if not given.get(secret)})
    if missing:
        raise GeneratorError(
            f"{release.model.shown} names the secret{'s' * (len(missing) > 1)} {', '.join(missing)}, "
            "which the environment does not have: add it to the GitHub environment tagship-train, "
            "or here: export " + " ".join(f"{name}=…" for name in missing)
        )
    return {name: given[secret] for name, secret in named.items()}
