"""The texts of a runtime lock."""

from __future__ import annotations

import pytest

from generator.errors import GeneratorError
from generator.image.runtime_lock import Sources, check_hashes, conflicts, constraints, locked, requirements

HASH = " \\\n    --hash=sha256:" + "a" * 64
MODEL = "mlflow==3.13.0\ncloudpickle==3.1.1\nscikit-learn==1.8.0\n"
TRAINING = (
    f"# made by uv\nmlflow==3.13.0{HASH} \\\n    --hash=sha256:{'b' * 64}\n    # via -r requirements.txt\n"
    f'colorama==0.4.6 ; sys_platform == "win32"{HASH}\nnumpy==2.4.0{HASH}\n'
)


def sources(model: str = MODEL, server: str = "starlette>=0.46\nnumpy>=1.24\n", lock: str = TRAINING) -> Sources:
    return Sources(model, server, lock, "3.13.0", "3.11")


def test_mlflow_becomes_its_skinny_half_at_the_same_version() -> None:
    assert requirements(sources()).splitlines() == [
        "cloudpickle==3.1.1",
        "scikit-learn==1.8.0",
        "mlflow-skinny==3.13.0",
        "numpy",
        "pandas",
        "starlette>=0.46",
        "numpy>=1.24",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mlflow[extras]==3.12.0", "mlflow-skinny==3.12.0"),
        ("MLflow == 3.12.0 ; python_version > '3'", "mlflow-skinny==3.12.0"),
        ("mlflow-skinny==3.12.0", "mlflow-skinny==3.12.0"),
        ("mlflow", "mlflow-skinny==3.13.0"),
        ("scikit-learn", "mlflow-skinny==3.13.0"),
    ],
)
def test_every_way_to_name_mlflow(line: str, expected: str) -> None:
    found = requirements(sources(model=line + "\n")).splitlines()
    assert expected in found
    assert not [item for item in found if item.lower().startswith("mlflow") and item != expected]


def test_other_lines_are_kept_as_they_are() -> None:
    model = (
        "--extra-index-url https://pkgs.example.com/simple\n./wheels/a-1.0-py3-none-any.whl\ntorch==2.9.0+cpu\n"
    )
    assert requirements(sources(model=model)).startswith(model)


def test_constraints_have_versions_and_markers_but_no_hashes() -> None:
    assert constraints(sources()).splitlines() == [
        "mlflow==3.13.0",
        'colorama==0.4.6 ; sys_platform == "win32"',
        "numpy==2.4.0",
        "mlflow-skinny==3.13.0",
    ]


def test_a_training_pin_below_the_servers_bound_names_both_sides() -> None:
    (clash,) = conflicts(sources(lock=f"starlette==0.20.0{HASH}\n"))
    assert "requirements.lock pins starlette==0.20.0" in clash
    assert "needs starlette>=0.46" in clash
    (clash,) = conflicts(sources(model="Starlette==0.20.0\n"))
    assert "the model's requirements.txt pins Starlette==0.20.0" in clash


def test_a_pin_for_another_system_or_python_is_no_conflict() -> None:
    assert conflicts(sources(lock=f"starlette==0.20.0 ; python_full_version >= '3.12'{HASH}\n")) == []
    assert conflicts(sources(lock=f"starlette==0.20.0 ; python_full_version < '3.12'{HASH}\n")) != []
    assert conflicts(sources(lock=f'starlette==0.20.0 ; sys_platform == "win32"{HASH}\n')) == []
    assert conflicts(sources(lock=f'starlette==0.20.0 ; sys_platform == "linux"{HASH}\n')) != []


def test_a_broken_mlflow_version_is_refused() -> None:
    with pytest.raises(GeneratorError, match="is no version"):
        requirements(Sources("scikit-learn\n", "", "", "3.13.0; rm -rf /", "3.11"))


def test_a_package_without_a_hash_is_refused() -> None:
    check_hashes(TRAINING)
    with pytest.raises(GeneratorError, match=r"'mine' has no hash"):
        check_hashes(TRAINING + "mine @ git+https://github.com/acme/mine@abc\n")


def test_the_packages_of_a_lock() -> None:
    assert set(locked(TRAINING)) == {"mlflow", "colorama", "numpy"}
