"""Test hosts on this machine: a network name space each, joined by a bridge.

Each has an address and a name of its own, so that workers in them take each other for strangers,
as on machines. What the network does is done to its routes, as a broken network would.
"""

import ctypes
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from newsletter.sending.mailer import lease_owner

NEW_UTS = 0x04000000  # CLONE_NEWUTS, of linux/sched.h
_libc = ctypes.CDLL(None, use_errno=True)


def ip(*arguments: str) -> None:
    """Run iproute2's ``ip``."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@dataclass
class Host:
    """One name space; ``process`` is the worker in it."""

    name: str
    folder: Path
    process: BaseProcess | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Run ``work`` in a process of this host."""
        self.process = get_context("fork").Process(target=self._live, args=(work,), daemon=True)
        self.process.start()

    def _live(self, work: Callable[[], None]) -> None:
        _close_sockets()
        space = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        if _libc.setns(space, 0) or _libc.unshare(NEW_UTS):
            os._exit(99)
        socket.sethostname(self.name)
        lease_owner.machine.cache_clear()
        self.folder.mkdir(exist_ok=True)
        os.chdir(self.folder)
        work()

    def send_signal(self, number: int) -> None:
        """To the worker, if it lives."""
        if self.process is not None and self.process.pid and self.process.is_alive():
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        """As a power cut does."""
        self.send_signal(signal.SIGKILL)
        if self.process is not None:
            self.process.join(10)

    def cut_off_from(self, address: str) -> None:
        """Drop everything to an address; open connections hang."""
        ip("-n", self.name, "route", "add", "blackhole", f"{address}/32")

    def heal(self, address: str) -> None:
        """Let it through again."""
        ip("-n", self.name, "route", "del", "blackhole", f"{address}/32")


def _close_sockets() -> None:
    """Let go of connections that this process was born with: they are another host's."""
    for path in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(path.name)).st_mode):
                os.close(int(path.name))


@dataclass
class Network:
    """The hosts, and two addresses on the bridge for what they talk to."""

    database: str
    relay: str
    hosts: list[Host] = field(default_factory=list)


@contextmanager
def network(count: int, folder: Path) -> Iterator[Network]:
    """``count`` hosts; skips the test where name spaces cannot be made."""
    mark = f"{os.getpid() % 46_000:04x}"
    bridge, subnet = f"nlb{mark}", f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
    made = Network(f"{subnet}.1", f"{subnet}.2")
    try:
        try:
            ip("link", "add", bridge, "type", "bridge")
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"not run: network name spaces cannot be made here ({error})")
        for address in (made.database, made.relay):
            ip("addr", "add", f"{address}/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for number in range(count):
            host = Host(f"nlh{mark}-{number}", folder / f"host{number}")
            made.hosts.append(host)
            ip("netns", "add", host.name)
            here, there = f"nlv{mark}{number}", "eth0"
            ip("link", "add", here, "type", "veth", "peer", there, "netns", host.name)
            ip("link", "set", here, "master", bridge, "up")
            ip("-n", host.name, "addr", "add", f"{subnet}.{10 + number}/24", "dev", there)
            ip("-n", host.name, "link", "set", there, "up")
            ip("-n", host.name, "link", "set", "lo", "up")
        yield made
    finally:
        for host in made.hosts:
            host.send_signal(signal.SIGCONT)
            host.kill()
            subprocess.run(["ip", "netns", "del", host.name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", bridge], check=False, capture_output=True)


def wait_until(condition: Callable[[], bool], seconds: float = 60, what: str = "") -> None:
    """Wait; a test that waits longer fails."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"it never came: {what}"
        time.sleep(0.05)
