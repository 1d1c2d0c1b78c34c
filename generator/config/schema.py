"""model.yaml, key by key. Each description is shown in the reference and by editors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from generator.config import types as t
from generator.config.alerts import Alerts, AlertsOverride
from generator.config.automation import Notify, Retrain
from generator.config.callers import CallersGiven
from generator.config.exposure import Gateway, Ingress
from generator.config.following import Clusters, Emptyable, Notifications
from generator.config.observing import Observing
from generator.config.pull_secret import PullSecrets
from generator.config.rate_limit import RateLimited
from generator.config.resources import Resources, ResourcesOverride
from generator.config.scaling import Autoscaling
from generator.config.tracing import Tracing
from generator.config.types import Section
from generator.config.variables import Variables, VariablesOverride


class Repository(Section):
    """Where the model's Git repository is."""

    url: t.GitUrl | None = Field(None, description="Address of the repository; init fills it from origin.")
    branch: t.Branch = Field("main", description="The branch that releases are tagged on and deploys commit to.")
    id: int | None = Field(None, ge=1, description="GitHub's numeric id of the repository, for OIDC subjects.")
    owner_id: int | None = Field(None, ge=1, description="GitHub's numeric id of the owner, for OIDC subjects.")


class Index(Section):
    """A private package index, asked before the default one."""

    name: t.Name = Field(description="The index's name; `corp` may log in by `UV_INDEX_CORP_USERNAME`, too.")
    url: t.IndexUrl = Field(description="Address of its `simple` API; https, and no user or password in it.")
    secret: t.SecretName | None = Field(
        None, description="GitHub secret with its login: `user:password`, or a token alone."
    )


class Feast(Section):
    """A Feast feature store that the script reads."""

    repo: t.InnerPath = Field(description="Folder of the feature repository.")
    view: t.Text = Field(description="Name of the feature view.")


class Train(Section):
    """How the model is trained."""

    script: t.InnerPath = Field(description="The training script; run as `python <script>` in this folder.")
    python: Literal["3.10", "3.11", "3.12", "3.13"] = Field("3.11", description="Python of training and image.")
    requirements: t.InnerPath | Annotated[tuple[t.Requirement, ...], t.Listed, Field(min_length=1)] = Field(
        "requirements.txt", description="The training requirements: a file, or a list of requirements."
    )
    indexes: Annotated[tuple[Index, ...], t.Listed] = Field(
        (), description="Private package indexes, in the order in which they are asked."
    )
    timeout: int = Field(300, ge=60, le=19800, description="Time limit of the script in seconds.")
    experiment: t.Text | None = Field(None, description="MLflow experiment; default: the model's name.")
    model: t.Text | None = Field(None, description="Name of the logged model, where a run logs several.")
    env: dict[t.Variable, Annotated[str, Field(max_length=4000)]] = Field(
        {}, description="Environment variables of the script; values are strings."
    )
    secrets: Annotated[tuple[t.SecretName, ...], t.Listed] = Field(
        (), description="GitHub secrets that the script gets as environment variables."
    )
    role: t.Role | None = Field(None, description="IAM role for data; never the release role.")
    tags: dict[t.MetricName, t.Text] = Field({}, description="Tags on the MLflow run.")
    runs_on: t.RunnerLabel | Annotated[tuple[t.RunnerLabel, ...], t.Listed, Field(min_length=1)] = Field(
        "ubuntu-24.04", description="Runner label, or a list of labels, of the training job."
    )
    feast: Feast | None = Field(None, description="Feast feature store.")

    @property
    def index_secrets(self) -> tuple[str, ...]:
        """The secrets that hold logins of package indexes, each once."""
        return tuple(dict.fromkeys(index.secret for index in self.indexes if index.secret))


class Tracking(Section):
    """The MLflow tracking server; without it runs live and end with the release job."""

    uri: t.WebUrl | None = Field(None, description="Address of the tracking server.")
    secret: t.SecretName | None = Field(None, description="GitHub secret with its token.")


class Threshold(Section):
    """A bound on a metric."""

    min: t.Number | None = Field(None, description="The metric must be at least this.")
    max: t.Number | None = Field(None, description="The metric must be at most this.")

    @model_validator(mode="after")
    def _bounds(self) -> Threshold:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both, such as {min: 0.8}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is greater than max")
        return self


class Champion(Section):
    """The comparison with the version that now serves."""

    metric: t.MetricName | None = Field(None, description="Metric to compare; default: the first threshold's.")
    tolerance: t.Number = Field(0.0, ge=0, description="How much worse than the champion is still accepted.")


class Gate(Section):
    """What a trained model must reach before it is released."""

    metrics: dict[t.MetricName, Threshold] = Field({}, description="Thresholds by metric.")
    champion: Champion | None = Field(None, description="Comparison with the serving version's metrics.")
    golden_tolerance: t.Number = Field(
        1e-9, ge=0, lt=1, description="Relative difference allowed when golden rows are replayed."
    )


class Image(Section):
    """The inference image."""

    registry: t.Registry = Field(description="Registry host; of an ECR host, account and region are read.")
    repository: t.ImageRepository | None = Field(None, description="Repository; default: the model's name.")
    tag: t.ImageTag = Field("{version}", description="Image tag, from {version} and {name}.")
    role: t.Role | None = Field(None, description="IAM role that publishes, assumed by OIDC.")
    platform: Literal["linux/amd64", "linux/arm64"] = Field(
        "linux/amd64", description="Platform of the image; also a node selector."
    )
    max_size: t.Bytes = Field("2Gi", description="Largest image archive that may be published.")


class Hooks(Section):
    """The user's code before and after the model."""

    file: t.InnerPath = Field("hooks.py", description="The file with preprocess and postprocess.")
    requirements: Annotated[tuple[t.Requirement, ...], t.Listed] = Field((), description="Its requirements.")
    input: dict[t.Text, t.ColumnType] = Field(
        {},
        description="Schema of requests, where it differs from the model's: MLflow's type by column, such as "
        "`age: long`; with a question mark (`long?`) the column may be missing or null.",
    )
    golden: t.InnerPath | None = Field(
        None,
        description="A JSON file with `request` (a body for /predict) and the `predictions` that hooks and model "
        "must answer; asked of each image before it may be published.",
    )


class Serve(Section):
    """How the model is served."""

    replicas: int = Field(2, ge=1, le=10, description="Pods; left out when autoscaling is on.")
    resources: Resources = Field(default_factory=Resources.model_construct, description="Resources of one pod.")
    autoscaling: Autoscaling | None = Field(None, description="Let the load decide how many pods.")
    ingress: Ingress | None = Field(None, description="Expose the service by an Ingress.")
    gateway: Gateway | None = Field(None, description="Expose the service by a Gateway's HTTPRoute.")
    service: Literal["ClusterIP", "LoadBalancer"] = Field("ClusterIP", description="Type of the Service.")
    workers: int = Field(
        1, ge=1, le=16, description="Processes in one pod, each with its own copy of the model in memory."
    )
    monitoring: bool = Field(False, description="Add a ServiceMonitor, alerts and a Grafana dashboard.")
    alerts: Alerts = Field(default_factory=Alerts.model_construct, description="Thresholds of the alerts.")
    tracing: Tracing | None = Field(None, description="Send spans to an OpenTelemetry collector.")
    pull_secret: PullSecrets = Field(
        None, description="How pods outside EKS log in to ECR: none, external-secrets, cronjob, or a mapping."
    )
    strict: bool = Field(False, description="Answer 400 to a request with unknown columns.")
    batching: Literal["auto", "off"] = Field(
        "auto", description="Ask the model for several waiting requests at once; never delays a request."
    )
    runtime: Literal["auto", "pyfunc", "onnx"] = Field(
        "auto",
        description="What asks the model: its own library where that predicts what MLflow's pyfunc predicts, "
        "pyfunc in any case, or ONNX, to which the training job converts the model.",
    )
    api_keys: Annotated[t.KubernetesSecret | None, t.NotEmpty] = Field(
        None, description="Answer only to API keys; the Secret with their hashes, see `generator key`."
    )
    rate_limit: RateLimited = Field(
        None, description="Answer 429 to a client beyond this many requests: such as 100/s, or a mapping."
    )
    callers: CallersGiven = Field(
        None, description="Namespaces that may ask, or a mapping; everybody in the cluster by default."
    )
    priority_class: t.KubernetesName | None = Field(
        None, description="Name of a PriorityClass of the cluster, for the pods."
    )
    env: Variables = Field(
        {}, description="Environment variables of the server: text, or a key of a Secret or ConfigMap."
    )
    hooks: Hooks | None = Field(None, description="Code before and after the model.")


class ServeOverride(Section):
    """What an environment changes of `serve`; what is absent stays."""

    replicas: int | None = Field(None, ge=1, le=10, description="See serve.replicas.")
    resources: ResourcesOverride | None = Field(None, description="See serve.resources.")
    autoscaling: Autoscaling | None = Field(None, description="See serve.autoscaling.")
    ingress: Ingress | None = Field(None, description="See serve.ingress.")
    gateway: Gateway | None = Field(None, description="See serve.gateway.")
    service: Literal["ClusterIP", "LoadBalancer"] | None = Field(None, description="See serve.service.")
    workers: int | None = Field(None, ge=1, le=16, description="See serve.workers.")
    monitoring: bool | None = Field(None, description="See serve.monitoring.")
    alerts: AlertsOverride | None = Field(None, description="See serve.alerts.")
    tracing: Tracing | None = Field(None, description="See serve.tracing.")
    api_keys: Annotated[t.KubernetesSecret | None, t.NotEmpty] = Field(None, description="See serve.api_keys.")
    rate_limit: RateLimited = Field(None, description="See serve.rate_limit.")
    pull_secret: PullSecrets = Field(None, description="See serve.pull_secret; `none` on EKS.")
    callers: CallersGiven = Field(None, description="See serve.callers.")
    priority_class: t.KubernetesName | None = Field(None, description="See serve.priority_class; empty: none.")
    env: VariablesOverride = Field({}, description="See serve.env; by name, an empty one is not set here.")


class Push(Section):
    """How the deploy commit reaches the branch."""

    mode: Literal["token", "app", "deploy-key"] = Field("token", description="Credential of the push.")


class Environment(Section):
    """One environment: an overlay and a namespace."""

    namespace: t.Namespace | None = Field(None, description="Namespace; default: <name>, or <name>-<environment>.")
    via: Literal["pull-request", "commit"] = Field(
        "pull-request", description="How a promotion arrives; the first environment gets commits of tags."
    )
    approval: bool = Field(False, description="A person approves before a promotion.")
    rollback_on_failure: bool = Field(False, description="Roll back when the rollout fails; needs `observe`.")
    observe: Observing | None = Field(None, description="See deploy.observe.")
    clusters: Clusters = Field({}, description="Where it runs, by name; default: where the reconciler runs.")
    serve: ServeOverride = Field(
        default_factory=ServeOverride.model_construct, description="What differs here from `serve`."
    )


class Deploy(Section):
    """Where the model runs and who brings it there."""

    engine: Literal["argocd", "flux", "none"] = Field("none", description="The cluster's reconciler.")
    repository: Literal["same"] | t.GitUrl = Field(
        "same", description="Repository of the overlays: this one, or the address of another."
    )
    branch: t.Branch | None = Field(
        None, description="The branch there, where `repository` is another one; default: `repository.branch`."
    )
    push: Push = Field(default_factory=Push.model_construct, description="How commits are pushed.")
    observe: Observing = Field("none", description="How a workflow watches a rollout.")
    notifications: Notifications = Field(
        {}, description="Whom the reconciler tells: Argo CD's service and recipient, or Flux's Provider."
    )
    environments: dict[t.EnvironmentName, Annotated[Environment, Emptyable]] = Field(
        {}, max_length=10, description="In order: a tag deploys to the first one."
    )


class Pipeline(Section):
    """How workflows get this command."""

    install: t.Install | None = Field(None, description="Git URL with a full commit, or a relative path.")


class ModelFile(Section):
    """The whole of model.yaml."""

    version: Literal[1] = Field(description="Version of this format.")
    name: t.Name = Field(description="The model's name: images, objects, tags and aliases are named by it.")
    repository: Repository = Field(default_factory=Repository.model_construct, description=Repository.__doc__)
    train: Train = Field(description=Train.__doc__)
    tracking: Tracking = Field(default_factory=Tracking.model_construct, description=Tracking.__doc__)
    gate: Gate = Field(default_factory=Gate.model_construct, description=Gate.__doc__)
    image: Image = Field(description=Image.__doc__)
    serve: Serve = Field(default_factory=Serve.model_construct, description=Serve.__doc__)
    deploy: Deploy = Field(default_factory=Deploy.model_construct, description=Deploy.__doc__)
    retrain: Annotated[Retrain | None, t.NotEmpty] = Field(None, description=Retrain.__doc__)
    notify: Notify = Field(default_factory=Notify.model_construct, description=Notify.__doc__)
    pipeline: Pipeline = Field(default_factory=Pipeline.model_construct, description=Pipeline.__doc__)


class WorkspaceFile(Section):
    """tagship.yaml: which folders hold models, and what they share."""

    models: Annotated[tuple[t.Text, ...], t.Listed, Field(min_length=1)] = Field(
        description="Folders of models; * matches any one name."
    )
    repository: Repository | None = Field(None, description="Shared default; a model may not contradict it.")
    tracking: Tracking | None = Field(None, description="Shared default; a model may not contradict it.")
    deploy: Deploy | None = Field(None, description="Shared default; a model may not contradict it.")
    pipeline: Pipeline | None = Field(None, description="Shared default; a model may not contradict it.")
