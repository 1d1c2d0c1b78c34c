"""What stages hand each other: frozen, one JSON file each, read back through a strict schema.

Later stages run elsewhere, with more rights than the ones that ran the user's code. So an artifact is data from a
stranger: it must belong to exactly this release, and carries only hashes, metrics and ids of bounded form.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from generator.version import PATTERN as VERSION_PATTERN

Digest = Annotated[str, StringConstraints(pattern=r"\Asha256:[0-9a-f]{64}\z")]
Hash = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]
Commit = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{40}\z")]
VersionText = Annotated[str, StringConstraints(pattern=rf"\A{VERSION_PATTERN}\z", max_length=64)]
NameText = Annotated[str, StringConstraints(pattern=r"\A[a-z][a-z0-9]*(-[a-z0-9]+)*\z", max_length=40)]
RunId = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9_-]{1,64}\z")]
MetricText = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9_./: -]{1,250}\z")]
Line = Annotated[str, StringConstraints(pattern=r"\A[^\x00-\x1f\x7f\u2028\u2029]*\z", max_length=1000)]
Time = Annotated[str, StringConstraints(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z")]
# A metric that is no finite number travels by its name and never passes a gate.
MetricValue = Annotated[float, Field(allow_inf_nan=False)] | Literal["NaN", "Infinity", "-Infinity"]
RolloutState = Literal["serving", "unobserved", "failed", "late", "superseded"]
RuntimeName = Literal["pyfunc", "sklearn", "xgboost", "lightgbm", "onnx"]
Metrics = Annotated[dict[MetricText, MetricValue], Field(max_length=1000)]


def as_tuple(value: object) -> object:
    """A list of a file as the tuple that a frozen part holds."""
    return tuple(value) if isinstance(value, list) else value


Lines = Annotated[tuple[Line, ...], BeforeValidator(as_tuple), Field(max_length=2000)]


class Part(BaseModel):
    """A piece of an artifact."""

    # Built when it is first used: most commands use few of them.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Artifact(Part):
    """What every artifact says: which release it belongs to, and the hash of the one it was made from."""

    schema_version: Literal[1] = 1
    name: NameText
    version: VersionText
    commit: Commit
    previous: Hash | None = None

    @property
    def summary(self) -> str:
        """What a person wants to know of it, in one line."""
        return f"{self.name} {self.version}"

    @property
    def failure(self) -> str | None:
        """Why the stage counts as failed, although it has something to hand on."""
        return None


class Golden(Part):
    """Rows whose predictions were recorded in the training environment."""

    source: Literal["file", "input-example", "signature", "features", "none"]
    rows: int = Field(ge=0, le=20)
    deterministic: bool = True
    sha256: Hash | None = None  # of golden.json


class Conversion(Part):
    """What became of `serve.runtime: onnx`: the folder `onnx/` beside the model, or why there is none."""

    sha256: Hash | None = None  # of the folder
    reason: Line | None = None
    rows: int = Field(0, ge=0)  # of which the converted model's answers were compared with the model's own
    refuses_gaps: bool = False  # missing values, which the model itself answers
    largest_difference: float = Field(0, ge=0)  # of numbers, relative to them or to 1, whichever is larger


class TrainedModel(Artifact):
    """A model on disk in `model/`, and the run that logged it."""

    run_id: RunId
    attempt: Line
    tracking_uri: Line
    experiment: Line
    model_name: Line
    model_uri: Line
    flavors: Lines
    metrics: Metrics
    params: dict[Line, Line]
    mlflow_version: Line
    python: Line
    model_sha256: Hash  # of the folder: names and contents
    lock_sha256: Hash
    data_sha256: Hash | None = None
    golden: Golden
    converted: Conversion | None = None  # None: nobody asked for it
    trained_at: Time
    seconds: float = Field(ge=0)

    @property
    def summary(self) -> str:
        shown = ", ".join(f"{name} {_number(value)}" for name, value in list(self.metrics.items())[:4])
        return f"run {self.run_id[:12]}, {shown or 'no metrics'}"


class Check(Part):
    """One comparison of the gate."""

    metric: MetricText
    value: float
    bound: float
    kind: Literal["min", "max", "champion-min", "champion-max"]


class GateReport(Artifact):
    """A gate that was passed, and by how much."""

    environment: NameText
    run_id: RunId
    model_sha256: Hash
    checks: Annotated[tuple[Check, ...], BeforeValidator(as_tuple), Field(max_length=1000)]
    champion: VersionText | None = None

    @property
    def summary(self) -> str:
        names = ", ".join(check.metric for check in self.checks)
        return f"passed: {names}" if names else "nothing to check"


class RegisteredModel(Artifact):
    """The registered model's version; None without a tracking server that outlives the run."""

    run_id: RunId
    registered: Line | None = None
    registered_version: Annotated[int, Field(ge=1)] | None = None

    @property
    def summary(self) -> str:
        if self.registered is None:
            return "not registered: the run is in no registry of this release"
        return f"{self.registered} version {self.registered_version}"


class Served(Part):
    """What asks the model in an image, and how far its answers are from what it stands in for."""

    runtime: RuntimeName
    reason: Line | None = None  # why it is not another
    converted: bool = False  # to ONNX, in the training job
    rows: int = Field(0, ge=0)  # compared, besides the golden rows
    largest_difference: float = Field(0, ge=0)

    @property
    def summary(self) -> str:
        compared = f"{self.rows} rows compared, largest difference {self.largest_difference:.2g}"
        why = "; ".join(filter(None, (self.reason, compared if self.rows else None)))
        return f"served by {self.runtime}{f' ({why})' if why else ''}"


class Record(Part):
    """What a published image says of itself in its labels, and the ledger says of it."""

    run_id: RunId
    registered_version: Annotated[int, Field(ge=1)] | None = None
    data_sha256: Hash | None = None
    golden_rows: Annotated[int, Field(ge=0, le=20)] = 0
    runtime: RuntimeName | None = None
    metrics: Metrics


class BuiltImage(Artifact):
    """An image that is on disk only, as the OCI archive `image.tar` (or, in a rehearsal, as a folder)."""

    engine: Literal["docker", "process"]
    digest: Digest  # of the manifest; of the context's hash where there is no engine
    archive_sha256: Hash | None = None
    size: int = Field(ge=0)  # bytes of the archive
    platform: Literal["linux/amd64", "linux/arm64"]
    runtime_lock_sha256: Hash
    golden_rows: int = Field(ge=0, le=20)
    largest_difference: float = Field(ge=0)
    load_seconds: float = Field(ge=0)
    served: Served
    record: Record

    @property
    def summary(self) -> str:
        golden = f"{self.golden_rows} golden rows agree"
        return f"{self.digest[:19]}, {self.size / 2**20:.0f} MiB, {golden}, {self.served.summary}"


class PublishedImage(Artifact):
    """An image that a registry holds; what `deploy` writes into an overlay."""

    repository: Line  # without a tag, e.g. 123456789012.dkr.ecr.eu-north-1.amazonaws.com/churn
    tag: Line
    digest: Digest
    size: Annotated[int, Field(ge=0)] | None = None  # as BuiltImage's; None: of an image published before
    load_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None  # when it was tried
    rehearsal: bool = False  # nothing outside the rehearsal may deploy it
    pushed: bool  # False where the registry had this release already
    record: Record  # the published image's own, which wins over the artifacts'

    @property
    def summary(self) -> str:
        return f"{self.repository}:{self.tag} {'pushed' if self.pushed else 'was there'}, {self.digest[:19]}"


class OverlayCommit(Artifact):
    """The commit that put a digest into an overlay."""

    environment: NameText
    overlay: Line
    branch: Line
    overlay_commit: Commit
    repository: Line
    digest: Digest
    changed: bool  # False where the branch said so already
    ledger: Annotated[str, Field(max_length=2**21)] | None = None  # what it says, from another repository

    @property
    def summary(self) -> str:
        verb = "commit" if self.changed else "there already, by"
        return f"{verb} {self.overlay_commit[:12]} on {self.branch}, {self.overlay}"


class Rollout(Artifact):
    """What was seen of the running release."""

    environment: NameText
    digest: Digest
    state: RolloutState
    detail: Line
    kind: NameText | None = None  # the way to fail, as docs/runbook.md calls it
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None  # that it took
    serving: Digest | None = None  # what served in its place when it failed

    @property
    def summary(self) -> str:
        took = f" after {self.seconds:.0f} s" if self.seconds is not None else ""
        return f"{self.state}{took}: {self.detail}"

    @property
    def failure(self) -> str | None:
        if self.state not in ("failed", "late"):
            return None
        return f"{self.name} {self.version} in {self.environment}: {self.state}, {self.detail}"


def _number(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else value
