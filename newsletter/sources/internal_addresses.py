"""Whether an address leads into this machine or its network, whatever it is wrapped in."""

import ipaddress
import socket
from ipaddress import IPv4Address, IPv6Address

# IPv6 addresses with an IPv4 address in their last 32 bits (RFC 6052 §2.1 and RFC 8215).
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


def is_internal_host(host: str) -> bool:
    """Whether a host is this machine or in its network, in any notation."""
    if host.rstrip(".").endswith(("localhost", ".local", ".internal")):
        return True
    try:
        found = {str(address[4][0]) for address in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False  # it cannot be resolved; the request will fail and say so
    return any(is_internal_address(address) for address in found)


def is_internal_address(text: str) -> bool:
    """Whether an IP address is no public one, or holds one that is not.

    Raises:
        ValueError: it is no IP address.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    return not address.is_global or any(not each.is_global for each in _inside(address))


def _inside(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """IPv4 addresses that an IPv6 address leads on to: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _NAT64):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]
