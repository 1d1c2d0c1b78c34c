"""Writing about 40 files: `generator generate` against cookiecutter with as many files of the same texts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import in_turns, process, table

ENVIRONMENTS = ("dev", "staging", "production")
MODEL = """\
version: 1
name: churn
repository: {url: https://github.com/acme/churn}
train: {script: train.py}
image: {registry: 123456789012.dkr.ecr.eu-north-1.amazonaws.com}
serve: {autoscaling: {}, ingress: {host: churn.example.com}, monitoring: true}
deploy: {engine: argocd, environments: {dev: {}, staging: {}, production: {}}}
pipeline: {install: .}
"""
SCRIPT = "import mlflow\nmlflow.autolog()\nmlflow.sklearn.log_model(None, 'model')\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "repo").mkdir()
        (folder / "repo" / "model.yaml").write_text(MODEL)
        (folder / "repo" / "train.py").write_text(SCRIPT)
        generate = [shutil.which("generator") or "generator", "generate"]
        subprocess.run(generate, cwd=folder / "repo", check=True, capture_output=True)
        made = [
            p for p in (folder / "repo").rglob("*") if p.is_file() and p.name not in ("model.yaml", "train.py")
        ]
        template(folder / "template", folder / "repo", made)
        generated = [path.relative_to(folder / "repo") for path in made]

        def ours() -> None:
            for path in generated:
                (folder / "repo" / path).unlink()
            process(generate, folder / "repo")()

        def theirs() -> None:
            shutil.rmtree(folder / "out", ignore_errors=True)
            cutter = [sys.executable, "-m", "cookiecutter", "--no-input", "-o", str(folder / "out")]
            process([*cutter, str(folder / "template")])()

        seconds = in_turns({"generator generate": ours, "cookiecutter": theirs}, 7)
    rows = [(name, f"{s * 1000:.0f} ms", f"{s / seconds['cookiecutter']:.2f}x") for name, s in seconds.items()]
    table(f"Generating {len(made)} files (median of 7)", ("command", "time", "of cookiecutter's"), rows)


def template(folder: Path, source: Path, files: list[Path]) -> None:
    """A cookiecutter template that writes the same texts, each with the model's name as a variable."""
    folder.mkdir()
    (folder / "cookiecutter.json").write_text(json.dumps({"name": "churn"}))
    for path in files:
        target = folder / "{{cookiecutter.name}}" / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text().replace("{{", "{{ '{{' }}").replace("{%", "{{ '{%' }}").replace("{#", "{{ '{#' }}")
        target.write_text(text.replace("churn", "{{cookiecutter.name}}"))


if __name__ == "__main__":
    main()
