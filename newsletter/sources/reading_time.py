"""A limit on the processor time that one answer may cost: its bytes are a stranger's."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from newsletter.core.errors import FetchError


class _OutOfTime(BaseException):
    """No `Exception`: a parser that goes on after a bad record must not go on after this."""


@contextmanager
def limited_reading(seconds: float, where: str) -> Iterator[None]:
    """Break off what runs inside after ``seconds`` of this process's processor time.

    A signal does it, which also ends a regular expression that goes back for ever. Signals reach
    the main thread only, where all fetching happens; in another thread there is no limit.

    Raises:
        FetchError: the time was up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGPROF, stop)
    try:
        try:
            # Again each second: the first may fall where Python drops what is raised.
            signal.setitimer(signal.ITIMER_PROF, seconds, 1)
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except _OutOfTime as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        what = f"refused: the answer takes more than {seconds:g} s of processor time to read"
        raise FetchError(what, where=where, transient=False) from error
    finally:
        signal.signal(signal.SIGPROF, before)
