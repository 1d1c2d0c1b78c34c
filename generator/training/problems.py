"""From a harness's problem, a kind and facts, to the message that says what to change. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from generator.training.diagnosis import package_of

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class About:
    """How messages call what they are about."""

    script: str
    requirements: str
    model_file: str  # model.yaml's path
    settings: tuple[str, ...]  # where the script sets its own tracking URI, such as train.py:7


def problem_message(problem: Facts, about: About) -> str:
    """What the user reads. A kind that is not known yet is shown with its facts."""
    answer = _ANSWERS.get(str(problem["kind"]))
    if answer is None:
        facts = ", ".join(f"{key}: {_short(value)}" for key, value in problem.items() if key != "kind")
        return f"MLflow could not answer ({problem['kind']}; {facts})"
    return answer(problem, about)


def _no_run(facts: Facts, about: About) -> str:
    searched = _items(facts, "searched")
    untagged = [run for look in searched for run in _items(look, "untagged")]
    looked = ", ".join(_short(look.get("uri")) for look in searched if look.get("exists"))
    where = f"looked in {looked}" if looked else "it wrote to no tracking store"
    message = f"{about.script} ended well, but no MLflow run of it is to be found ({where}). "
    if about.settings:
        message += (
            f"It sets its own tracking URI ({', '.join(about.settings)}), and what that leads to could not be "
            "searched. Remove the call: the pipeline sets MLFLOW_TRACKING_URI."
        )
        errors = [_short(look["error"]) for look in searched if look.get("error")]
        return message + (f" The store's error: {errors[0]}" if errors else "")
    if untagged:
        return message + (
            f"There is a run without our tags, {_run(untagged[0])}: it was started with MlflowClient, which does "
            "not read MLFLOW_RUN_CONTEXT. Start it with mlflow.start_run()."
        )
    return message + "Train and log inside `with mlflow.start_run():`, and log the model with log_model."


def _run_failed(facts: Facts, about: About) -> str:
    runs = ", ".join(_run(run) for run in _items(facts, "runs"))
    return (
        f"{about.script} ended well, but none of its runs did: {runs}. An exception inside `with "
        "mlflow.start_run():` makes a run FAILED, a missing mlflow.end_run() leaves it RUNNING; let the script "
        "end with the error, or end its run."
    )


def _no_model(facts: Facts, about: About) -> str:
    lines = []
    for run in _items(facts, "runs"):
        lines.append(f"  run {_run(run)}:")
        for what in ("metrics", "params", "artifacts"):
            names = [str(name) for name in run.get(what) or ()]
            lines.append(f"    {what}: {', '.join(names[:15]) or 'none'}{', …' if len(names) > 15 else ''}")
    return (
        f"{about.script} logged no model. Inside the run, add mlflow.sklearn.log_model(model, 'model'), or your "
        "framework's log_model. It logged:\n" + "\n".join(lines)
    )


def _several_models(facts: Facts, about: About) -> str:
    names = [str(name) for name in facts.get("names") or ()]
    return (
        f"{about.script} logged {len(names)} models in one run: {', '.join(names)}. Say which to release with "
        f"train.model: {names[0] if names else 'NAME'} in {about.model_file}, or log that one as `model`."
    )


def _model_not_found(facts: Facts, about: About) -> str:
    names = ", ".join(map(str, facts.get("names") or ())) or "none"
    return (
        f"{about.script} logged no model named {facts.get('model')!r}, as train.model in {about.model_file} asks "
        f"for. It logged: {names}."
    )


def _model_broken(facts: Facts, about: About) -> str:
    name, error = facts.get("name"), _short(facts.get("error"))
    if facts.get("stage") == "download":
        return f"the model {name!r} could not be downloaded from the artifact store: {error}"
    if facts.get("stage") == "files":
        return f"what was logged as {name!r} is no MLflow model: it has no file MLmodel. Use log_model to log it."
    if module := facts.get("module"):
        return (
            f"the model {name!r} cannot be loaded without the script's folder: it needs the module {module}. If "
            f"that is a file beside {about.script}, log it with the model: log_model(…, "
            f"code_paths=['{str(module).partition('.')[0]}.py']). If it is a package, add "
            f"`{package_of(str(module))}` to {about.requirements} and run `generator lock`."
        )
    hint = ""
    if "__main__" in error:
        hint = (
            " A class or function that stands in the training script itself cannot be loaded elsewhere: move it "
            "to a module beside it, import it from there, and pass code_paths=['that_module.py'] to log_model."
        )
    return f"the model {name!r} was logged, but cannot be loaded again: {error}.{hint}"


def _golden_invalid(facts: Facts, _: About) -> str:
    return (
        f"{facts.get('file')} cannot be read as a request: {_short(facts.get('error'))}. "
        'Write it as you would send it to /predict, for example {"instances": [[1.0, 2.0]]}.'
    )


def _golden_refused(facts: Facts, _: About) -> str:
    return f"the model refuses the rows in {facts.get('file')}: {_short(facts.get('error'))}"


def _golden_mismatch(facts: Facts, _: About) -> str:
    if facts.get("expected_rows") != facts.get("predicted_rows"):
        return (
            f"{facts.get('file')} expects {facts.get('expected_rows')} predictions, but the model gives "
            f"{facts.get('predicted_rows')} for its rows."
        )
    rows = "\n".join(
        f"  row {item.get('row')}: expected {_short(item.get('expected'))}, got {_short(item.get('predicted'))}"
        for item in _items(facts, "differences")
    )
    return (
        f"the model predicts otherwise than {facts.get('file')} expects, in {facts.get('differing')} of "
        f"{facts.get('expected_rows')} rows; correct the model, or the file:\n{rows}"
    )


def _store_failed(facts: Facts, _: About) -> str:
    return (
        f"the tracking store {_short(facts.get('uri'))} cannot be read: {_short(facts.get('error'))}. See that "
        "tracking.uri is right, that the server runs, and that tracking.secret names its token."
    )


def _registry_failed(facts: Facts, _: About) -> str:
    return f"{facts.get('name')} could not be registered: {_short(facts.get('error'))}; run the stage again"


def _harness_error(facts: Facts, _: About) -> str:
    lines = "\n".join(f"  {line}" for line in facts.get("traceback") or ())
    return f"MLflow failed when it was asked for the run: {_short(facts.get('error'))}\n{lines}"


def _harness_died(facts: Facts, about: About) -> str:
    lines = "\n".join(f"  {line}" for line in facts.get("tail") or ())
    return (
        f"loading the model that {about.script} logged and predicting with it failed: {facts.get('how')}. The "
        f"model must load in a fresh process of the training environment.\n{lines}"
    )


_ANSWERS: dict[str, Callable[[Facts, About], str]] = {
    "no-run": _no_run,
    "run-failed": _run_failed,
    "no-model": _no_model,
    "several-models": _several_models,
    "model-not-found": _model_not_found,
    "model-broken": _model_broken,
    "golden-invalid": _golden_invalid,
    "golden-refused": _golden_refused,
    "golden-mismatch": _golden_mismatch,
    "store-failed": _store_failed,
    "registry-failed": _registry_failed,
    "harness-error": _harness_error,
    "harness-died": _harness_died,
}


def _items(facts: Facts, key: str) -> list[Facts]:
    found = facts.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _run(run: Facts) -> str:
    return f"{_short(run.get('run_name'))} ({run.get('status')}, experiment {_short(run.get('experiment'))})"


def _short(value: object) -> str:
    return " ".join(str(value).split())[:600]
