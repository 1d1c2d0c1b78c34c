"""Packaging with hooks: what goes into the image, and which hooks never leave it. The last tests run real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from generator.adapters.process_engine import ProcessEngine
from generator.image.archive import ARCHIVE, unpack_archive
from generator.image.context import Content, HookFiles, dockerfile, write_context
from generator.ports import Hooked
from generator.release import Release
from tests.generator.packaged import Report, ingredients, lay_out
from tests.generator.test_package import GOLDEN, Locks, OneLayer, refusal, run
from tests.generator.test_package_engines import RELEASE, REQUEST, TAG, ThisEnvironment
from tests.generator.workspaces import SMALLEST

CODE = "def preprocess(frame): return frame\n"


def released(root: Path, hooks: str = "{}", code: str = CODE, golden: object = None) -> Release:
    root.mkdir(parents=True, exist_ok=True)
    (root / "hooks.py").write_text(code)
    if golden is not None:
        (root / "hooked.json").write_text(json.dumps(golden))
    return lay_out(root, model_yaml=SMALLEST + f"serve: {{hooks: {hooks}}}\n")


def test_the_image_holds_the_hooks_and_their_schema(tmp_path: Path) -> None:
    release, engine, locks = (
        released(tmp_path, "{input: {age: 'long?'}, requirements: [nltk>=3]}"),
        OneLayer([0, 1, 1]),
        Locks(),
    )
    run(release, ingredients(release, GOLDEN), engine, locks)
    unpack_archive(release.store.folder / ARCHIVE, tmp_path / "unpacked")
    assert (tmp_path / "unpacked/hooks/hooks.py").read_text() == CODE
    assert json.loads((tmp_path / "unpacked/hooks/input.json").read_text()) == {"age": "long?"}
    assert "nltk>=3\n" in locks.asked[0]["requirements"]
    assert engine.hooked == ['{"request": null}']


def test_without_hooks_there_is_nothing_of_them(tmp_path: Path) -> None:
    release, engine = lay_out(tmp_path), OneLayer([0, 1, 1])
    run(release, ingredients(release, GOLDEN), engine)
    unpack_archive(release.store.folder / ARCHIVE, tmp_path / "unpacked")
    assert not (tmp_path / "unpacked/hooks").exists()
    assert engine.hooked == []
    content = Content(model=tmp_path, lock="", release={}, python="3.11")
    assert "hooks" not in dockerfile(content).lower()


def test_the_dockerfile_copies_them_and_says_where_they_are(tmp_path: Path) -> None:
    hooks = HookFiles(tmp_path / "hooks.py", {})
    text = dockerfile(Content(model=tmp_path, lock="", release={}, python="3.11", hooks=hooks))
    assert text.count("COPY hooks /opt/hooks\n") == 2
    assert text.count("ENV TAGSHIP_HOOKS=/opt/hooks\n") == 2


def test_the_golden_file_is_asked_and_compared(tmp_path: Path) -> None:
    golden = {"request": {"instances": [{"age": 1}]}, "predictions": ["no"]}
    release, engine = released(tmp_path / "same", "{golden: hooked.json}", golden=golden), OneLayer([0, 1, 1])
    run(release, ingredients(release, GOLDEN), engine)
    assert [json.loads(text) for text in engine.hooked] == [{"request": golden["request"]}]
    other = released(tmp_path / "other", "{golden: hooked.json}", golden=golden)
    message = refusal(other, ingredients(other, GOLDEN), OneLayer([0, 1, 1], hooks_found=Hooked(["yes"])))
    assert message.startswith("hooks and model do not answer what hooked.json says.")


def test_hooks_that_fail_in_the_image(tmp_path: Path) -> None:
    release = released(tmp_path)
    engine = OneLayer([0, 1, 1], hooks_found=Hooked(None, "on the request: KeyError: 'age'"))
    message = refusal(release, ingredients(release, GOLDEN), engine)
    assert message == "hooks.py does not work in the image, on the request: KeyError: 'age'"


def test_hooks_that_nobody_can_call_are_refused_before_anything_is_built(tmp_path: Path) -> None:
    release, engine = released(tmp_path, code="x = 1\n"), OneLayer([0, 1, 1])
    assert "defines neither preprocess(frame) nor postprocess" in refusal(
        release, ingredients(release, GOLDEN), engine
    )
    assert engine.built == []


@pytest.fixture
def hooked(tmp_path: Path, model: Path, engines: Path) -> Callable[..., ProcessEngine]:
    """A process engine with the image of a real model and these hooks."""

    def build(code: str, types: dict[str, str] | None = None) -> ProcessEngine:
        (tmp_path / "code.py").write_text(code)
        hooks = HookFiles(tmp_path / "code.py", types or {})
        content = Content(model, "numpy==2.4.0 --hash=sha256:00\n", RELEASE, "3.11", hooks=hooks)
        write_context(tmp_path / "image", content)
        engine = ProcessEngine(engines, ThisEnvironment(), "3.11")
        engine.build(tmp_path / "image", tag=TAG, platform="linux/amd64", labels={}, reporter=Report())
        return engine

    return build


SIZES = """
def preprocess(frame):
    return frame["size"].map({"small": 0.0, "large": 1.0}).to_frame("a").assign(b=frame["count"] * 1.0)

def postprocess(predictions):
    return [f"class {label}" for label in predictions]
"""

PICKY = """
def preprocess(frame):
    raise ValueError("there is no such size")
"""


def test_real_hooks_are_asked_in_the_process_and_golden_rows_go_past_them(
    hooked: Callable[..., ProcessEngine],
) -> None:
    engine = hooked(SIZES, {"size": "string", "count": "long"})
    request = {"request": {"instances": [{"size": "large", "count": 1}, {"size": "small", "count": 1}]}}
    assert engine.hooks(TAG, json.dumps(request)) == Hooked(["class 3", "class 1"])
    assert engine.replay(TAG, json.dumps(REQUEST), memory=2**30).predictions == [1, 3]
    with engine.serving(TAG, environment={}) as url:
        assert httpx.post(f"{url}/predict", json=request["request"]).json()["predictions"] == [
            "class 3",
            "class 1",
        ]


@pytest.mark.parametrize(
    ("code", "types", "expected"),
    [
        (SIZES, None, "KeyError"),
        (
            PICKY,
            {"size": "string"},
            "a row made from the schema of requests (serve.hooks.golden gives another) is refused",
        ),
        ("import no_such_module\ndef preprocess(frame): return frame\n", None, "no_such_module"),
        ("def preprocess(frame): return frame.head(0)\n", None, "was given 1 rows and returned 0"),
        (
            "def postprocess(predictions): raise ValueError('never')\n",
            None,
            "postprocess refuses this input: never",
        ),
    ],
)
def test_what_broken_hooks_say(
    hooked: Callable[..., ProcessEngine], code: str, types: dict[str, str] | None, expected: str
) -> None:
    answered = hooked(code, types).hooks(TAG, '{"request": null}')
    assert answered.error is not None
    assert expected in answered.error


READS = """
import os
STORE = os.environ["FEATURE_STORE"]
TOKEN = os.environ.get("FEATURE_STORE_TOKEN", "none yet")

def postprocess(predictions):
    return [f"{STORE} {TOKEN}" for label in predictions]
"""


def test_the_image_is_tried_with_the_variables_whose_values_model_yaml_has(tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text(CODE)
    env = "{STORE: 'a $(b)', TOKEN: {secret: feature-store, key: token}}"
    text = (
        f"serve: {{hooks: {{}}, env: {env}}}\ndeploy: {{environments: {{a: {{serve: {{env: {{STORE: c}}}}}}}}}}\n"
    )
    release, engine = lay_out(tmp_path, model_yaml=SMALLEST + text), OneLayer([0, 1, 1])
    run(release, ingredients(release, GOLDEN), engine)
    assert engine.variables == [{"STORE": "a $(b)"}] * 3, "replayed, compared, and asked through the hooks"


def test_a_hook_may_read_them_when_it_is_imported(hooked: Callable[..., ProcessEngine]) -> None:
    engine, request = hooked(READS), json.dumps(REQUEST)
    store = {"FEATURE_STORE": "a \"$(b)\" 'c'"}
    assert engine.hooks(TAG, request, environment=store).predictions == ["a \"$(b)\" 'c' none yet"] * 2
    assert "KeyError" in str(engine.hooks(TAG, request).error)
    assert engine.replay(TAG, request, memory=2**30, environment=store).predictions == [1, 3]
    with engine.serving(TAG, environment=store) as url:
        answer = httpx.post(f"{url}/predict", json=REQUEST["request"])
    assert answer.json()["predictions"] == ["a \"$(b)\" 'c' none yet"] * 2
