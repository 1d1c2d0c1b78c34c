"""The supervisor with real processes: nothing that a program starts is left when `run` returns."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from generator.adapters.output import LONGEST_LINE, BoundedLog, Lines, Masking
from generator.adapters.supervisor import ProcessSupervisor
from generator.ports import Ended

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's subreaper")


@dataclass
class Heard:
    """A reporter that remembers."""

    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def output(self, line: str) -> None:
        self.lines.append(line)


@dataclass
class Ran:
    ended: Ended
    lines: list[str]
    log: str


@dataclass
class Echoing(Heard):
    """Makes a file named like each line of output in `folder`, so that the program knows that it was heard."""

    folder: Path = Path()

    def output(self, line: str) -> None:
        super().output(line)
        (self.folder / line.strip()).touch()


UNTIL_HEARD = """
import os, time
def until_heard(line):
    end = time.monotonic() + 60
    while not os.path.exists(line):
        assert time.monotonic() < end, "nobody heard it"
        time.sleep(0.01)
"""


def run(
    folder: Path,
    program: str,
    *,
    timeout: float = 300,
    grace: float = 1,
    secrets: tuple[str, ...] = (),
    heard: Heard | None = None,
) -> Ran:
    heard, log = heard or Heard(), folder / "out" / "train.log"
    argv = [sys.executable, "-u", "-c", textwrap.dedent(program)]
    env = {"PATH": os.environ["PATH"]}
    ended = ProcessSupervisor(grace).run(
        argv, cwd=folder, env=env, timeout=timeout, log=log, secrets=secrets, reporter=heard
    )
    return Ran(ended, heard.lines, log.read_text(encoding="utf-8"))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def pid_in(path: Path) -> int:
    """The process id that a program writes to `path`, once it has."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if path.is_file() and (text := path.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.02)
    raise AssertionError(f"nothing wrote {path.name}")


def gone(pid: int, seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(pid)


def test_output_code_and_log(tmp_path: Path) -> None:
    ran = run(tmp_path, "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)")
    assert ran.lines == ["one", "two"]
    assert ran.log == "one\ntwo\n"
    assert (ran.ended.code, ran.ended.signal, ran.ended.timed_out) == (3, None, False)
    assert ran.ended.survivors == ()
    assert ran.ended.tail == ("one", "two")


def test_environment_is_exactly_what_is_given(tmp_path: Path) -> None:
    os.environ["TAGSHIP_STRANGER"] = "here"
    try:
        ran = run(tmp_path, "import os; print(sorted(k for k in os.environ if k != 'LC_CTYPE'))")
    finally:
        del os.environ["TAGSHIP_STRANGER"]
    assert ran.lines == ["['PATH']"]


def test_standard_input_is_empty(tmp_path: Path) -> None:
    assert run(tmp_path, "import sys; print(repr(sys.stdin.read()))").lines == ["''"]


def test_signal(tmp_path: Path) -> None:
    ran = run(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert (ran.ended.code, ran.ended.signal) == (None, "SIGSEGV")


def test_missing_program(tmp_path: Path) -> None:
    ended = ProcessSupervisor().run(
        [str(tmp_path / "nothing")],
        cwd=tmp_path,
        env={},
        timeout=5,
        log=tmp_path / "log",
        secrets=(),
        reporter=Heard(),
    )
    assert ended.code == 127
    assert "No such file" in ended.tail[0]


def overdue(folder: Path, program: str, *, grace: float) -> tuple[Ran, float]:
    """A program that runs out of time, and the time: as much as it takes to come as far as the file `pid`."""
    for timeout in (1.5, 5, 15, 45):
        ran = run(folder, program, timeout=timeout, grace=grace)
        if (folder / "pid").exists():
            break
    return ran, timeout


def test_timeout_ends_the_program_and_its_children(tmp_path: Path) -> None:
    ran, timeout = overdue(
        tmp_path,
        """
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"])
        open("pid", "w").write(f"{child.pid}\\n")
        time.sleep(600)
        """,
        grace=0.3,
    )
    assert ran.ended.timed_out
    assert ran.ended.code is None
    assert ran.ended.signal == "SIGKILL", "it ignored SIGTERM"
    assert ran.ended.seconds < timeout + 60
    assert not alive(pid_in(tmp_path / "pid"))


def test_timeout_lets_a_program_clean_up(tmp_path: Path) -> None:
    ran, timeout = overdue(
        tmp_path,
        """
        import os, signal, sys, time
        def stop(*_):
            print("saving a checkpoint")
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        open("pid", "w").write(f"{os.getpid()}\\n")
        time.sleep(600)
        """,
        grace=60,
    )
    assert ran.ended.timed_out
    assert ran.lines == ["saving a checkpoint"]
    assert ran.ended.seconds < timeout + 60, "it was waited for although it had ended"


def test_a_child_that_holds_the_output_open_is_ended_and_named(tmp_path: Path) -> None:
    ran = run(tmp_path, "import subprocess; subprocess.Popen(['sleep', '600']); print('done')")
    assert ran.ended.code == 0
    assert ran.ended.survivors == ("sleep 600",)
    assert ran.lines == ["done"]
    assert ran.ended.seconds < 60


@LINUX
def test_a_daemon_is_ended_too(tmp_path: Path) -> None:
    """Forked twice, in a session of its own, its parents gone, its output closed."""
    ran = run(
        tmp_path,
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for descriptor in range(3):
                    os.close(descriptor)
                open("pid", "w").write(f"{os.getpid()}\\n")
                time.sleep(600)
            os._exit(0)
        os.wait()
        while not os.path.exists("pid"):
            time.sleep(0.01)
        """,
    )
    assert ran.ended.code == 0
    assert len(ran.ended.survivors) == 1
    assert not alive(pid_in(tmp_path / "pid"))


def test_a_helper_that_ends_by_itself_is_no_survivor(tmp_path: Path) -> None:
    ran = run(tmp_path, "import subprocess; subprocess.Popen(['sleep', '0.3'])")
    assert ran.ended.survivors == ()


def test_children_that_are_not_waited_for_are_no_survivors(tmp_path: Path) -> None:
    ran = run(tmp_path, "import os\nfor _ in range(20):\n    if os.fork() == 0: os._exit(0)")
    assert ran.ended.survivors == ()


@LINUX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_outlives_the_command(tmp_path: Path, number: signal.Signals) -> None:
    """However the command itself ends, its program and even a daemon of it end with it."""
    program = """
        import os, time
        if os.fork() == 0:
            os.setsid()
            open("daemon", "w").write(f"{os.getpid()}\\n")
            time.sleep(600)
        open("script", "w").write(f"{os.getpid()}\\n")
        time.sleep(600)
    """
    command = f"""
        import signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
        from pathlib import Path
        from generator.adapters.supervisor import ProcessSupervisor
        from tests.generator.test_supervisor import Heard
        ProcessSupervisor(0.3).run(
            [sys.executable, "-c", {textwrap.dedent(program)!r}], cwd=Path({str(tmp_path)!r}), env={{}},
            timeout=60, log=Path({str(tmp_path / "log")!r}), secrets=(), reporter=Heard(),
        )
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(command)], stderr=subprocess.DEVNULL)
    script, daemon = pid_in(tmp_path / "script"), pid_in(tmp_path / "daemon")
    assert alive(script)
    assert alive(daemon)
    process.send_signal(number)
    process.wait(60)
    assert gone(script), "the script goes on"
    assert gone(daemon), "the script's daemon goes on"


@LINUX
def test_the_script_ends_with_its_reaper(tmp_path: Path) -> None:
    ran = run(tmp_path, "import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)")
    assert ran.ended.signal == "SIGKILL"
    assert ran.ended.seconds < 60


def test_output_is_live(tmp_path: Path) -> None:
    program = f"{UNTIL_HEARD}print('first', flush=True); until_heard('first'); print('second')"
    ran = run(tmp_path, program, heard=Echoing(folder=tmp_path))
    assert ran.lines == ["first", "second"]


def test_a_line_without_an_end_is_shown_while_the_program_thinks(tmp_path: Path) -> None:
    program = f"{UNTIL_HEARD}print('fitting…', end=''); until_heard('fitting…'); print(' done')"
    ran = run(tmp_path, program, heard=Echoing(folder=tmp_path))
    assert ran.lines == ["fitting…", " done"]


def test_secrets_are_masked_everywhere(tmp_path: Path) -> None:
    secret = 'p@ss/w"rd+1'
    program = f"""
        import base64, sys, time, urllib.parse
        secret = {secret!r}
        print("plain", secret)
        print("url", urllib.parse.quote(secret, safe=""))
        print("basic", base64.b64encode(b"ada:" + secret.encode()).decode())
        sys.stdout.write("split " + secret[:5]); sys.stdout.flush()
        time.sleep(2.6)
        print(secret[5:])
    """
    ran = run(tmp_path, program, secrets=(secret,))
    shown = "\n".join([*ran.lines, ran.log, *ran.ended.tail])
    assert "plain ***" in shown
    assert "split" in shown
    for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode())[1:-3].decode(), secret[5:]):
        assert form not in shown


def test_every_line_of_a_secret_is_masked() -> None:
    mask = Masking(["-----BEGIN KEY-----\nMIIEabcd\nsecondline\n-----END KEY-----\n", "abc", ""])
    assert mask("MIIEabcd and secondline") == "*** and ***"
    assert mask("abc stays: masking three letters would hide half the log") == (
        "abc stays: masking three letters would hide half the log"
    )


def lines_of(*chunks: bytes, secrets: tuple[str, ...] = ()) -> list[str]:
    lines = Lines(Masking(secrets))
    found = [line for now, chunk in enumerate(chunks) for line in lines.feed(chunk, now / 100)]
    return [*found, *lines.flush(ended=True)]


def test_a_progress_bar_does_not_flood() -> None:
    chunks = [f"\r{percent}%".encode() for percent in range(101)]
    found = lines_of(*chunks, b"\n")
    assert found[-1] == "100%"
    assert len(found) < 5


def test_windows_line_ends_and_colours() -> None:
    assert lines_of(b"a\r\nb\r", b"\n\x1b[31mred\x1b[0m \x07bell\tand tab\n") == ["a", "b", "red bell\tand tab"]


def test_bytes_that_are_no_utf8() -> None:
    assert lines_of("é".encode()[:1], "é".encode()[1:], b" \xff\n") == ["é \ufffd"]


def test_a_very_long_line_comes_in_pieces_and_hides_its_secret() -> None:
    secret = "s3cret-token"
    text = "x" * (LONGEST_LINE - 4) + secret + "y" * LONGEST_LINE
    found = lines_of(text.encode(), secrets=(secret,))
    assert len(found) > 1
    assert "".join(found) == text.replace(secret, "***")


def test_the_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    with BoundedLog(path, first=1000, last=2000) as log:
        for number in range(10_000):
            log.write(f"line {number}")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("line 0\n")
    assert text.endswith("line 9999\n")
    assert "bytes of output are left out here" in text
    assert len(text) < 3200
    assert [path.name for path in tmp_path.iterdir()] == ["train.log"]


def test_little_of_a_log_is_lost_when_we_are_killed(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    with BoundedLog(path, first=10, last=200) as log:
        for number in range(100):
            log.write(f"line {number}")
            kept = [file.read_text() for file in sorted(tmp_path.iterdir())]
            assert kept[-1].endswith(f"line {number}\n")


def test_a_short_log_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    with BoundedLog(path, first=10, last=2000) as log:
        for number in range(20):
            log.write(f"line {number}")
    assert path.read_text() == "".join(f"line {number}\n" for number in range(20))
