"""Run a reader of strangers' files in a child process with limits on time and memory.

A parser that loops, or that asks for gigabytes, then costs a child process and one clear line,
never the server. Files are read one at a time in each process; a few more may wait.
"""

import json
import os
import resource
import subprocess
import sys
from importlib import import_module
from threading import BoundedSemaphore, Lock
from typing import Any

from newsletter.core.errors import InputError, LimitError

# Address space, in bytes. An empty interpreter takes some 30 MB, 5,000 entries another 60.
MOST_MEMORY = 256 * 1024 * 1024
# Processor time, in seconds. 5,000 entries take one.
MOST_SECONDS = 8
# On a busy machine, processor time comes slowly.
MOST_WAITING_SECONDS = 30
# Who comes when this many wait already is told to come back; each waits in a thread.
MOST_IN_LINE = 3
# Other work goes first.
NICENESS = 10

_one_at_a_time = Lock()
_line = BoundedSemaphore(MOST_IN_LINE + 1)


def run_limited(
    function: str,
    data: bytes,
    *,
    where: str,
    seconds: int = MOST_SECONDS,
    memory: int = MOST_MEMORY,
    **arguments: Any,
) -> Any:
    """What ``function`` ("package.module:name") returns for ``data``, computed in a child process.

    ``arguments`` and what is returned must be JSON. ``seconds`` of processor time, ``memory`` in
    bytes. The child knows none of our settings, and writes no file.

    Raises:
        InputError: the function raised it; ``where`` names the file.
        LimitError: the function raised it, it took too long or too much memory, or too many
            files wait already.
    """
    if not _line.acquire(blocking=False):
        raise LimitError("was not read: too many files are being read; try again", where=where)
    try:
        with _one_at_a_time:
            task = json.dumps([function, arguments, seconds, memory])
            return _run(task, data, where)
    finally:
        _line.release()


def _run(task: str, data: bytes, where: str) -> Any:
    # No setting of ours: signing keys are nothing for a process that reads strangers' bytes.
    kept = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "SYSTEMROOT")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-m", __name__, task],
            input=data,
            capture_output=True,
            timeout=MOST_WAITING_SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LimitError("takes too long to read", where=where) from error
    if done.returncode == 0:
        answer = json.loads(done.stdout)
        if "refused" in answer:
            raise (LimitError if answer["over_limit"] else InputError)(
                answer["refused"], where=where
            )
        return answer["value"]
    took_long = -done.returncode in {9, 24}  # SIGKILL and SIGXCPU
    what = "takes too long to read" if took_long else "cannot be read within our limits"
    raise LimitError(what, where=where)


def _be_limited(seconds: int, memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.nice(NICENESS)


def main() -> None:
    """The child: read standard input under limits, write the answer as JSON."""
    function, arguments, seconds, memory = json.loads(sys.argv[1])
    _be_limited(seconds, memory)
    sys.dont_write_bytecode = True
    module, _, name = function.partition(":")
    try:
        read = getattr(import_module(module), name)
        answer = {"value": read(sys.stdin.buffer.read(), **arguments)}
    except InputError as error:
        answer = {"refused": error.what, "over_limit": isinstance(error, LimitError)}
    # A parser's own recursion or memory error ends the child with status 1 and no answer.
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
