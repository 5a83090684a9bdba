"""Sources that lead inside: names that change between look-up and connection, wrapped addresses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from newsletter.core.errors import FetchError
from newsletter.sources import http_client
from newsletter.sources.base import Request
from newsletter.sources.feeds import Feed
from newsletter.sources.http_client import Fetcher, _redirected
from newsletter.sources.internal_addresses import is_internal_address, is_internal_host
from tests.support.live_site import serving


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.0", "::1",
        "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1",
        "64:ff9b:1::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:a00:1::",
    ],
)  # fmt: skip
def test_wrapped_addresses_are_unwrapped(address: str) -> None:
    assert is_internal_address(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_public(address: str) -> None:
    assert not is_internal_address(address)


@pytest.mark.parametrize("host", ["localhost", "a.localhost.", "x.local", "127.1", "2130706433"])
def test_other_writings_of_this_machine(host: str) -> None:
    assert is_internal_host(host)


@pytest.mark.parametrize("port", [22, 25, 6379, 8080, 11211])
def test_a_redirect_to_another_port_is_refused(port: int) -> None:
    with pytest.raises(FetchError, match=f"redirected to port {port}"):
        _redirected(httpx.URL("https://93.184.215.14/x"), f"https://93.184.215.14:{port}/", "feed")


class FreeTurns:
    """No waiting."""

    @contextmanager
    def take(self, host: str) -> Iterator[Any]:
        yield self

    def ask_not_before(self, when: object) -> None: ...

    def keep(self) -> None: ...


def test_a_name_that_leads_inside_only_when_connected_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"secret"})

    # As if the name had been public when it was looked up.
    monkeypatch.setattr(http_client, "is_internal_host", lambda host: False)
    refused = pytest.raises(FetchError, match="leads into this network")
    with serving(app, lifespan="off") as url, Fetcher(FreeTurns()) as fetcher, refused:
        fetcher.page(Feed(url), Request(url))
