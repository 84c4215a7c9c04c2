"""The command line: what the user or the system mends is one sentence, our faults are not."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openscenes import __main__ as command_line
from openscenes.__main__ import main
from openscenes.paths import PROJECT


def raising(error):
    def run(_arguments):
        raise error

    return run


SYSTEM = {
    "disk full": OSError(errno.ENOSPC, "No space left on device", "a.csv"),
    "quota": OSError(errno.EDQUOT, "Disk quota exceeded"),
    "read only": OSError(errno.EROFS, "Read-only file system", "reports"),
    "forbidden": PermissionError(errno.EACCES, "Permission denied", b"/data"),
    "loop": OSError(errno.ELOOP, "Too many levels of symbolic links", "x"),
    "long name": OSError(errno.ENAMETOOLONG, "File name too long", "x" * 999),
    "too many open": OSError(errno.EMFILE, "Too many open files", "x"),
    "file for folder": NotADirectoryError(errno.ENOTDIR, "Not a directory", "a\nb"),
    "memory": MemoryError(),
}


@pytest.mark.parametrize("error", SYSTEM.values(), ids=SYSTEM.keys())
def test_what_the_system_refuses_is_one_sentence(error, monkeypatch, capsys):
    monkeypatch.setattr(command_line, "_run", raising(error))
    assert main([]) == 2
    said = capsys.readouterr().err
    assert said.startswith("openscenes: ") and said.count("\n") == 1 and ";" in said
    assert len(said) < 400


OURS = {
    "missing file": FileNotFoundError(errno.ENOENT, "No such file", "x"),
    "closed file": OSError(errno.EBADF, "Bad file descriptor"),
    "no number": OSError("something"),
    "key": KeyError("x"),
    "recursion": RecursionError(),
}


@pytest.mark.parametrize("error", OURS.values(), ids=OURS.keys())
def test_a_fault_of_ours_keeps_its_traceback(error, monkeypatch):
    monkeypatch.setattr(command_line, "_run", raising(error))
    with pytest.raises(type(error)):
        main([])


@pytest.mark.parametrize("words", [["--seeds", "3"], ["--ablations", "1"]], ids=" ".join)
def test_the_reports_that_the_repository_shows_have_every_row_or_are_not_made(words, capsys):
    assert main(["reports", *words]) == 2
    assert "give --seeds 3 --ablations 1" in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_error(monkeypatch, capsys):
    monkeypatch.setattr(command_line, "_run", raising(BrokenPipeError()))
    assert main([]) == 141
    assert capsys.readouterr().err == ""


def python(*words, **options):
    """Run the command line as a program, without torch, in a second."""
    environment = {"PYTHONPATH": str(PROJECT / "lib"), "PATH": os.environ["PATH"]}
    environment |= options.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "openscenes", *words], env=environment, stderr=subprocess.PIPE,
        **{"stdout": subprocess.PIPE} | options,
    )  # fmt: skip


def test_output_that_cannot_be_written_is_said_once():
    with Path("/dev/full").open("wb") as full:
        run = python("--help", stdout=full)
    assert run.returncode == 2
    assert run.stderr.decode().count("\n") == 1 and b"No space left" in run.stderr


def test_a_closed_pipe_ends_quietly():
    reader, writer = os.pipe()
    os.close(reader)
    run = python("--help", stdout=writer)
    os.close(writer)
    assert (run.returncode, run.stderr) == (141, b"")


@pytest.mark.parametrize("env", [{}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}],
                         ids=["plain", "ascii", "C"])  # fmt: skip
def test_bytes_that_are_no_text_are_printed(env, tmp_path):
    run = python("scenes", os.fsencode(tmp_path) + b"/\xff\n\xc3\xa9/x", "--seed", b"\xff", env=env)
    assert run.returncode == 2
    assert b"invalid int value" in run.stderr and b"Traceback" not in run.stderr


@pytest.mark.parametrize("key", ["4 plus", "", "4++", "x" * 300, "../4", "\udcff"],
                         ids=["blank", "empty", "twice", "long", "path", "bytes"])  # fmt: skip
def test_a_table_that_is_none_gets_the_words_of_the_help(key, capsys):
    assert main(["table", key]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "4+, 5, 6, 7, figures" in said and "_plus" not in said


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_command_that_is_told_to_end_tidies_up(sent):
    code = (
        "import time; from openscenes import __main__ as m\n"
        "m._site = lambda parsed: (print('on', flush=True), time.sleep(60))\n"
        "raise SystemExit(m.main(['site']))"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(sent, signal.SIG_DFL),
    ) as run:  # fmt: skip
        assert run.stdout.readline() == "on\n"
        run.send_signal(sent)
        assert run.communicate(timeout=30)[1].startswith("openscenes: stopped; the same command")
    assert run.returncode == 130
