"""An exchange ends in time through a proxy too; the fetcher's tests have the other ways."""

import socket
import threading
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from newsletter.core.deadline import NO_KEEPING, Deadline
from newsletter.core.errors import FetchError
from tests.support import tls


def test_headers_that_drip_through_a_tunnel_are_given_up(tmp_path: Path) -> None:
    certificate = tls.make(tmp_path)
    enough = threading.Event()

    def serve(listening: socket.socket) -> None:
        """The proxy, and the host behind it."""
        line, _ = listening.accept()
        with line, suppress(OSError):
            line.recv(1000)
            line.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with certificate.server.wrap_socket(line, server_side=True) as inside:
                inside.recv(1000)
                inside.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not enough.wait(0.02):
                    inside.sendall(b"a")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        proxy = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # A test that fails must end too.
        last = threading.Timer(3, enough.set)
        last.start()
        with (
            httpx.Client(proxy=proxy, verify=certificate.client, limits=NO_KEEPING) as client,
            pytest.raises(FetchError, match="not complete after 0 s"),
            Deadline(0.2, where="host") as deadline,
            client.stream("GET", "https://127.0.0.1/", extensions=deadline.extensions),
        ):
            pass
        assert not enough.is_set()
        last.cancel()
        enough.set()
        thread.join()
