"""Runs generator/harness with the Python of a training environment; see ports.Harness."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator.adapters.output import Silent
from generator.adapters.supervisor import ProcessSupervisor
from generator.ports import Ended, Supervisor

HARNESS = Path(__file__).parents[1] / "harness"  # run as a program, never imported here
LARGEST = 32 * 2**20  # bytes of a response
SECONDS = 1800.0  # of one command, in which a large model may have to be downloaded


@dataclass(frozen=True)
class MlflowHarness:
    """The harness as a supervised process: a model that is unpickled may do anything, even never end."""

    supervisor: Supervisor = field(default_factory=ProcessSupervisor)
    seconds: float = SECONDS

    def call(
        self,
        python: Path,
        command: str,
        request: Mapping[str, Any],
        *,
        env: Mapping[str, str],
        secrets: Sequence[str] = (),
    ) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="tagship-harness-") as temporary:
            folder = Path(temporary)
            asked, answered = folder / "request.json", folder / "response.json"
            asked.write_text(json.dumps(request), encoding="utf-8")
            ended = self.supervisor.run(
                [str(python), str(HARNESS), command, str(asked), str(answered)],
                cwd=folder,
                env=env,
                timeout=self.seconds,
                log=folder / "log",
                secrets=secrets,
                reporter=Silent(),  # its chatter is kept for the message when it fails, not shown
            )
            return _response(answered) or _died(ended, self.seconds)


def _response(path: Path) -> dict[str, Any] | None:
    """The answer, of which nothing but its shape is believed; None where there is none."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
        found = json.loads(raw) if len(raw) <= LARGEST else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("ok"), bool):
        return None
    problem = found.get("problem")
    if not found["ok"] and not (isinstance(problem, dict) and isinstance(problem.get("kind"), str)):
        return None
    return found


def _died(ended: Ended, seconds: float) -> dict[str, Any]:
    how = f"took more than {seconds:.0f} s" if ended.timed_out else ended.signal or f"exit code {ended.code}"
    return {"ok": False, "problem": {"kind": "harness-died", "how": how, "tail": list(ended.tail[-20:])}}
