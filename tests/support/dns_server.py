"""A name server on loopback that knows the records it is given, and nothing else."""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset

# (name without a final dot, type) to the records as a zone file has them.
Zone = Mapping[tuple[str, str], Sequence[str]]


@dataclass(frozen=True)
class DnsServer:
    """Where the server listens."""

    port: int

    def resolver(self) -> dns.resolver.Resolver:
        """A resolver that asks this server only."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        resolver.lifetime = 5
        return resolver


def txt(text: str) -> str:
    """A TXT record's data: strings of at most 255 octets in quotes."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return " ".join(f'"{quoted[at : at + 250]}"' for at in range(0, len(quoted), 250))


@contextmanager
def serve(zone: Zone) -> Iterator[DnsServer]:
    """The server, until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.1)
        ended = threading.Event()
        thread = threading.Thread(target=_loop, args=(listener, zone, ended))
        thread.start()
        try:
            yield DnsServer(listener.getsockname()[1])
        finally:
            ended.set()
            thread.join()


def _loop(listener: socket.socket, zone: Zone, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            data, client = listener.recvfrom(4096)
        except TimeoutError:
            continue
        listener.sendto(_answer(dns.message.from_wire(data), zone).to_wire(max_size=4096), client)


def _answer(query: dns.message.Message, zone: Zone) -> dns.message.Message:
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA | dns.flags.RA
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    kind = question.rdtype.name
    records = zone.get((name, kind), ())
    if records:
        answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records))
    elif not any(known == name for known, _ in zone):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer
