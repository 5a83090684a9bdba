"""Runs `newsletter …` in processes that are forked from one that has imported everything.

A command started anew spends most of its time on imports: with these, its test takes a third.
Each command still is a process of its own, with its own environment, folder, input and output.
What a command imports, and how it starts, is tested with fresh interpreters (test_start.py).

Run as a program, this file is the process that forks: a line of JSON in, an exit code out.
"""

import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 120


def run(
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    folder: Path,
    stdin: bytes = b"",
    largest_file: int = -1,
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command to its end.

    ``environment`` is all there is of it. With ``largest_file`` (bytes) no file can grow beyond
    it, as on a full disk.
    """
    with tempfile.TemporaryDirectory(prefix="newsletter-command-") as name:
        files = [Path(name) / each for each in ("in", "out", "err")]
        files[0].write_bytes(stdin)
        words = [str(argument) for argument in arguments]
        request = {
            "arguments": words,
            "environment": {**environment, "PYTHONPATH": str(ROOT)},
            "folder": str(folder),
            "files": [str(file) for file in files],
            "largest_file": largest_file,
        }
        server = _server()
        assert server.stdin
        assert server.stdout
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(
            words, code, files[1].read_bytes(), files[2].read_bytes()
        )


@cache
def _server() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.preloaded"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _import_commands() -> None:
    from newsletter.cli import COMMANDS

    for entry in COMMANDS.values():
        import_module(f"newsletter.cli.{entry.module}")
    for name in ("sklearn.linear_model", "newsletter.editions.preparation", "httpx"):
        import_module(name)


def _child(request: dict[str, object]) -> None:
    from newsletter.cli import main

    arguments, files = request["arguments"], request["files"]
    environment, limit = request["environment"], request["largest_file"]
    assert isinstance(arguments, list)
    assert isinstance(files, list)
    assert isinstance(environment, dict)
    assert isinstance(limit, int)
    for number, (path, flags) in enumerate(
        zip(files, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)
    ):
        os.dup2(os.open(path, flags), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(request["folder"]))
    sys.argv = ["newsletter", *arguments]
    if limit >= 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    main()


def _run_and_exit(request: dict[str, object]) -> None:
    """As the interpreter does it, but without taking apart all that is loaded: that takes .3 s."""
    code = 0
    try:
        _child(request)
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:  # noqa: BLE001  (tests look for tracebacks)
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _serve() -> None:
    _import_commands()
    # What is loaded is never looked through again, so children do not copy it.
    gc.freeze()
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            os.setsid()
            _run_and_exit(json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
