"""Starts senders in no time: imports everything once, then forks one for each line it reads.

A line is a JSON list of arguments for `newsletter`. Answers are lines, ``started NUMBER`` and
``ended NUMBER CODE`` (negative for a signal). Each sender is a process of its own to be killed.
"""

import json
import os
import signal
import sys
import traceback
from types import FrameType

from newsletter.cli import main


def reap(number: int, frame: FrameType | None) -> None:
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if child == 0:
            return
        os.write(1, f"ended {child} {os.waitstatus_to_exitcode(status)}\n".encode())


def sender(arguments: list[str]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.argv = ["newsletter", *arguments]
    log = os.open(os.environ["SENDER_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.setsid()
    code = 0
    try:
        main()
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:  # noqa: BLE001  (the log is searched for tracebacks)
        traceback.print_exc()
        code = 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, reap)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            sender(json.loads(line))
        os.write(1, f"started {child}\n".encode())
