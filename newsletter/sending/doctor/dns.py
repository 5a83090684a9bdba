"""DNS for the doctor: answers as plain strings; silence is an error, absence is not."""

from collections.abc import Sequence
from typing import Any

import dns.exception
import dns.resolver
import dns.reversename

from newsletter.core.errors import NewsletterError
from newsletter.sending.doctor.spf import Lookups


class DnsError(NewsletterError):
    """No name server answered, so nothing is known about the record."""


class DnsResolver:
    """Asks one resolver."""

    def __init__(self, resolver: dns.resolver.Resolver) -> None:
        self._resolver = resolver

    def txt(self, name: str) -> list[str]:
        """TXT records, their strings joined (RFC 7208 §3.3)."""
        return [
            b"".join(answer.strings).decode("ascii", "replace") for answer in self._ask(name, "TXT")
        ]

    def addresses(self, name: str) -> list[str]:
        """IPv4 and IPv6 addresses."""
        return [answer.address for kind in ("A", "AAAA") for answer in self._ask(name, kind)]

    def mx(self, name: str) -> list[str]:
        """Hosts that take mail for ``name``, best first; a null MX (RFC 7505) gives none."""
        answers = sorted(self._ask(name, "MX"), key=lambda answer: answer.preference)
        hosts = [answer.exchange.to_text(omit_final_dot=True) for answer in answers]
        return [host for host in hosts if host not in {"", "."}]

    def pointers(self, address: str) -> list[str]:
        """The names an address points back to."""
        reverse = dns.reversename.from_address(address).to_text()
        return [answer.target.to_text(omit_final_dot=True) for answer in self._ask(reverse, "PTR")]

    def lookups(self) -> Lookups:
        """What SPF's evaluation asks."""
        return Lookups(txt=self.txt, addresses=self.addresses, mx=self.mx)

    def _ask(self, name: str, kind: str) -> Sequence[Any]:
        try:
            return list(self._resolver.resolve(name, kind, raise_on_no_answer=False))
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, ValueError) as error:
            said = " ".join(str(error).split())[:120]
            raise DnsError(f"no answer from DNS for {kind} {name}: {said}") from error
