"""The kinds of value in model.yaml: each a narrow pattern, so that none can change what is generated."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, core_schema


class Section(BaseModel):
    """A part of model.yaml: frozen, strict, unknown keys refused."""

    # Built when it is first used, so that only the whole file is, once.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


@dataclass(frozen=True)
class Matching:
    """Text that matches `pattern` as a whole; `meaning` completes the sentence "it must be …"."""

    pattern: str
    meaning: str
    longest: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "maxLength": self.longest}

    def _check(self, text: str) -> str:
        if len(text) > self.longest or not re.fullmatch(self.pattern, text, re.ASCII):
            raise ValueError(f"must be {self.meaning}")
        return text


def _plain(text: str) -> str:
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp", "Cf") for c in text):
        raise ValueError("must be one line of text without control characters")
    return text


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not re.fullmatch(r"[\w.@ /-]+", text) or text.startswith("-"):
        raise ValueError("must be a path inside the model's folder, of letters, digits and . _ @ - /")
    return str(path)


def named(value: Any) -> Any:
    """Left empty, a key that protects must not pass for one that is absent."""
    if value is None:
        raise ValueError("is empty: give it a value, or leave the key out")
    return value


def _listed(value: Any) -> Any:
    """Lists become tuples before strict checking: a frozen model holds no list."""
    return tuple(value) if isinstance(value, list) else value


def _whole_as_number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_plain)]
Line = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_plain)]
InnerPath = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_inside)]
Number = Annotated[float, BeforeValidator(_whole_as_number), Field(allow_inf_nan=False)]

Name = Annotated[
    str, Matching(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", "lower-case words joined by -, at most 40 characters", 40)
]
EnvironmentName = Annotated[
    str, Matching(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", "lower-case words joined by -, at most 30 characters", 30)
]
Namespace = Annotated[
    str,
    Matching(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", "a Kubernetes namespace: lower-case letters, digits and -", 63),
]
Variable = Annotated[str, Matching(r"[A-Za-z_][A-Za-z0-9_]*", "a name of letters, digits and _", 100)]
SecretName = Annotated[
    str,
    Matching(
        r"(?!GITHUB_)[A-Z_][A-Z0-9_]*",
        "the name of a GitHub secret: capitals, digits and _, not GITHUB_…",
        100,
    ),
]
MetricName = Annotated[
    str, Matching(r"[A-Za-z0-9_./-][A-Za-z0-9_./ -]*", "letters, digits and _ . / - or spaces", 250)
]
GitUrl = Annotated[
    str,
    Matching(
        r"(https://|ssh://git@)[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~-]+)+",
        "an https:// or ssh://git@ address",
        300,
    ),
]
Branch = Annotated[
    str,
    Matching(
        r"(?!.*\.\.)(?!.*//)(?!.*/\.)(?!.*\.lock(/|$))[A-Za-z0-9_][A-Za-z0-9._/-]*[A-Za-z0-9_]|[A-Za-z0-9_]",
        "a branch name",
        200,
    ),
]
WebUrl = Annotated[
    str,
    Matching(
        r"https?://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~%-]*)*",
        "an http(s):// address without user, password or query",
        300,
    ),
]
# A password in it would be in Git; one that travels without TLS, in everybody's log.
IndexUrl = Annotated[
    str,
    Matching(
        r"(https://[A-Za-z0-9.-]+|http://(localhost|127\.\d+\.\d+\.\d+|\[::1\]))(:\d+)?(/[A-Za-z0-9._~%-]*)*",
        "an https:// address without user, password or query, whose login is in a secret (http:// only of this "
        "machine)",
        300,
    ),
]
Role = Annotated[str, Matching(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", "the ARN of an IAM role", 300)]
Registry = Annotated[
    str,
    Matching(
        r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?", "a registry's host name, without https:// and path", 200
    ),
]
ImageRepository = Annotated[
    str,
    Matching(
        r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*",
        "lower-case words joined by / . _ -",
        200,
    ),
]
ImageTag = Annotated[
    str,
    Matching(
        r"([A-Za-z0-9_][A-Za-z0-9_.-]*)?(\{name\}[A-Za-z0-9_.-]*)?\{version\}[A-Za-z0-9_.-]*",
        'an image tag that holds "{version}", such as "{version}" or "{name}-v{version}"',
        39,  # with the longest name and version the 128 characters that a tag may have
    ),
]
PinnedImage = Annotated[
    str,
    Matching(
        r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?"
        r"@sha256:[0-9a-f]{64}",
        "an image by its digest, such as registry.example.com/python@sha256:<64 hex>",
        400,
    ),
]
Quantity = Annotated[
    str,
    Matching(r"\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?", "a Kubernetes quantity such as 250m, 512Mi or 2", 20),
]
Bytes = Annotated[str, Matching(r"\d+(Ki|Mi|Gi)", "a size such as 900Mi or 2Gi", 20)]
# What Kubernetes takes as the name of most objects: a DNS subdomain.
SUBDOMAIN = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
KubernetesSecret = Annotated[
    str, Matching(SUBDOMAIN, "the name of a Kubernetes Secret: lower-case letters, digits, - and .", 253)
]
KubernetesName = Annotated[
    str, Matching(SUBDOMAIN, "the name of a Kubernetes object: lower-case letters, digits, - and .", 253)
]
DataKey = Annotated[
    str,
    Matching(r"(?!\.\.?$)[A-Za-z0-9._-]+", "a key of a Secret or ConfigMap: letters, digits and . _ -", 253),
]
Rate = Annotated[
    str,
    Matching(r"[1-9]\d{0,6}/[smh]", "requests a second, minute or hour, such as 100/s, 6000/m or 10000/h", 9),
]
ColumnType = Annotated[
    str,
    Matching(
        r"(boolean|integer|long|float|double|string|binary|datetime)\??",
        "boolean, integer, long, float, double, string, binary or datetime, with ? where it may be missing",
        10,
    ),
]
_IN_HOST = r"([a-z0-9]|\{name\}|\{environment\})"
_LABEL = rf"{_IN_HOST}(({_IN_HOST}|-)*{_IN_HOST})?"
Host = Annotated[
    str,
    Matching(
        rf"({_LABEL}\.)+{_LABEL}",
        "a lower-case host name with a dot; {name} and {environment} may be in it",
        253,
    ),
]
RunnerLabel = Annotated[str, Matching(r"[A-Za-z0-9][A-Za-z0-9._-]*", "a runner label", 100)]
Requirement = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_plain)]
Install = Annotated[
    str,
    Matching(
        r"git\+https://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~-]+)+@[0-9a-f]{40}|\.{1,2}(/[A-Za-z0-9._-]+)*/?",
        'the command\'s source with a full commit, "git+https://…@<40 hex>", or a relative path such as "."',
        300,
    ),
]

# May be absent and not empty.
NotEmpty = BeforeValidator(named)
# A list in the file; a tuple in the frozen model.
Listed = BeforeValidator(_listed)
