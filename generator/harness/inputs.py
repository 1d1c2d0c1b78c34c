"""What a model takes: the columns or tensors of its signature, else the features it was fitted on."""

import re
from dataclasses import dataclass
from typing import Any

LIGHTGBM_NAMELESS = re.compile(r"Column_\d+")


@dataclass(frozen=True)
class Inputs:
    """The input side of a model."""

    schema: Any = None  # mlflow.types.Schema; None without a signature
    tensor: bool = False
    names: tuple[str, ...] | None = None  # column names, from the signature or the fitted model
    required: frozenset[str] = frozenset()
    width: int | None = None  # number of columns, where known

    @property
    def columns(self) -> list[Any]:
        """The signature's columns; empty for tensors and without one."""
        return [] if self.schema is None or self.tensor else list(self.schema.inputs)


def inputs_of(model: Any) -> Inputs:
    schema = model.metadata.get_input_schema()
    if schema is None or not schema.inputs:
        names, width = features_of(model)
        return Inputs(names=names, required=frozenset(names or ()), width=width)
    if schema.is_tensor_spec():
        return Inputs(schema=schema, tensor=True)
    columns = list(schema.inputs)
    if not schema.has_input_names():
        return Inputs(schema=schema, width=len(columns))
    required = frozenset(column.name for column in columns if getattr(column, "required", True))
    names = tuple(column.name for column in columns)
    return Inputs(schema=schema, names=names, required=required, width=len(columns))


def features_of(model: Any) -> tuple[tuple[str, ...] | None, int | None]:
    """Names and number of the features that the model inside was fitted on, where it says."""
    for inner in inside(model):
        names = _names(inner)
        if names:
            return names, len(names)
        width = _first(inner, "n_features_in_", "num_features", "num_feature")
        if width:
            return None, int(width)
    return None, None


def inside(model: Any) -> list[Any]:
    wrapper = getattr(model, "_model_impl", None)
    attributes = ("sklearn_model", "xgb_model", "lgb_model")
    return [getattr(wrapper, name) for name in attributes if hasattr(wrapper, name)] or [wrapper]


def _names(inner: Any) -> tuple[str, ...] | None:
    found = _first(inner, "feature_names_in_", "feature_names", "feature_name")
    if found is None or isinstance(found, str):
        return None
    names = tuple(str(name) for name in found)
    return None if all(LIGHTGBM_NAMELESS.fullmatch(name) for name in names) else names


def _first(inner: Any, *names: str) -> Any:
    """The first of these attributes, or results of these methods, that the model has."""
    for name in names:
        try:
            value = getattr(inner, name)
            value = value() if callable(value) else value
        except Exception:  # noqa: S112  (models raise what they like for what they have not)
            continue
        if value is not None:
            return value
    return None
