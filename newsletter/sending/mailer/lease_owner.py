"""Lease owners: their names, and whether such a process is known to be dead.

An owner is named ``machine/boot/space:process:started:token``: this boot of the kernel and the
process name space, so that cloned machines and containers are not taken for each other; and the
moment of start, which tells a process from a later one with its number.
"""

import os
import secrets
import socket
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

UNKNOWN = "?"
# Owners in this process whose run has not ended.
_alive: set[str] = set()


@cache
def boot() -> str:
    """Names this boot of this machine; "" where Linux is not."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:13]
    except OSError:
        return ""


@cache
def machine() -> str:
    """This machine's part of an owner's name, the same for all processes that see each other."""
    try:
        space = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        space = ""
    name = socket.gethostname()[:32].replace(":", ".").replace("/", ".")
    return f"{name}/{boot()}/{space}"


def new_owner() -> str:
    """A name for this run's leases; `forget` it when the run has ended."""
    process = os.getpid()
    owner = f"{machine()}:{process}:{_started(process)}:{secrets.token_hex(4)}"
    _alive.add(owner)
    return owner


def forget(owner: str) -> None:
    """Forget an owner whose run has ended; its leases are free."""
    _alive.discard(owner)


def dead(engine: Engine, owners: Sequence[str]) -> list[str]:
    """Those of ``owners`` known to be gone; for the others only the lease can tell."""
    is_local = engine.dialect.name == "sqlite"
    return [owner for owner in owners if owner not in _alive and _is_dead(owner, is_local)]


def _is_dead(owner: str, is_local: bool) -> bool:
    where, process, started, *_ = [*owner.split(":"), "", ""]
    if where != machine():
        # The file of an SQLite database is on this machine: when the kernel has started anew
        # since, nobody from before is left. In another container somebody may be.
        name, kernel, *_ = [*where.split("/"), ""]
        return is_local and name == machine().split("/")[0] and kernel != boot()
    if not process.isdigit():
        return True
    if int(process) == os.getpid():
        return True  # an earlier run of this process, or of one with its number
    found = _started(int(process))
    return not found or (UNKNOWN not in {found, started} and found != started)


def _started(process: int) -> str:
    """When a process started, in clock ticks since boot; "" if it does not exist."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return _signalled(process)
    # The name in parentheses may hold spaces; of what follows, the state is first (a zombie is
    # dead), the start the 20th.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]


def _signalled(process: int) -> str:
    """The same without /proc: whether the process number is in use."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return UNKNOWN
