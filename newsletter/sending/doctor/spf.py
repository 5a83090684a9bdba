"""SPF: may this IP address send for this domain? (RFC 7208, as far as an operator's check needs.)

Macros, ``exists`` and ``ptr`` are not evaluated: a record that needs them gives UNKNOWN, never a
wrong pass.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network

# RFC 7208 §4.6.4: more terms that ask DNS make the record a permanent error everywhere.
MOST_LOOKUPS = 10
_TERM = re.compile(
    r"(?P<qualifier>[+?~-]?)(?P<kind>[a-z0-9]+)(:(?P<target>[^/]+))?(/(?P<four>\d+))?(//(?P<six>\d+))?",
    re.IGNORECASE,
)
_NETWORK = re.compile(r"(?P<qualifier>[+?~-]?)ip[46]:(?P<network>[0-9a-f:./]+)", re.IGNORECASE)


class Verdict(StrEnum):
    """RFC 7208 §2.6, plus UNKNOWN for terms we do not evaluate."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    NONE = "none"
    PERMERROR = "permerror"
    UNKNOWN = "unknown"


QUALIFIERS = {
    "": Verdict.PASS,
    "+": Verdict.PASS,
    "-": Verdict.FAIL,
    "~": Verdict.SOFTFAIL,
    "?": Verdict.NEUTRAL,
}


@dataclass(frozen=True)
class Lookups:
    """The DNS questions SPF asks; each gives an empty sequence when there is no answer."""

    txt: Callable[[str], Sequence[str]]
    addresses: Callable[[str], Sequence[str]]
    mx: Callable[[str], Sequence[str]]


class _Ended(Exception):  # noqa: N818  (a way out of nested records, not an error)
    """Evaluation ends here with a verdict, however deep the record."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.verdict = verdict


def records(texts: Iterable[str]) -> list[str]:
    """The SPF records among TXT records; there must be exactly one (RFC 7208 §4.5)."""
    return [text for text in texts if text.lower().partition(" ")[0] == "v=spf1"]


def evaluate(domain: str, sender: str, lookups: Lookups) -> Verdict:
    """What receivers conclude when ``sender``, an IP address, sends for ``domain``."""
    try:
        return _Evaluation(sender, lookups).of(domain)
    except _Ended as end:
        return end.verdict


class _Evaluation:
    def __init__(self, sender: str, lookups: Lookups) -> None:
        self._sender = ip_address(sender)
        self._lookups = lookups
        self._left = MOST_LOOKUPS

    def of(self, domain: str) -> Verdict:
        found = records(self._lookups.txt(domain))
        if len(found) != 1:
            return Verdict.PERMERROR if found else Verdict.NONE
        redirect = ""
        for term in found[0].split()[1:]:
            if term.lower().startswith("redirect="):
                redirect = term.partition("=")[2]
            elif "=" not in term.partition(":")[0]:  # exp= and other modifiers do not matter here
                qualifier, matched = self._term(term, domain)
                if matched:
                    return QUALIFIERS[qualifier]
        if not redirect:
            return Verdict.NEUTRAL
        self._spend(redirect)
        verdict = self.of(redirect)
        return Verdict.PERMERROR if verdict is Verdict.NONE else verdict

    def _term(self, term: str, domain: str) -> tuple[str, bool]:
        network = _NETWORK.fullmatch(term)
        if network:
            return network["qualifier"], self._in(network["network"])
        found = _TERM.fullmatch(term)
        if not found:
            raise _Ended(Verdict.UNKNOWN if "%" in term else Verdict.PERMERROR)
        kind, target = found["kind"].lower(), found["target"] or domain
        if kind == "all":
            return found["qualifier"], True
        self._spend(target)
        if kind == "include":
            return found["qualifier"], self._include(target)
        if kind not in {"a", "mx"}:
            raise _Ended(Verdict.UNKNOWN if kind in {"exists", "ptr"} else Verdict.PERMERROR)
        hosts = [target] if kind == "a" else self._lookups.mx(target)
        lengths = {4: found["four"], 6: found["six"]}
        for address in (address for host in hosts for address in self._lookups.addresses(host)):
            length = lengths[ip_address(address).version]
            if self._in(f"{address}/{length}" if length else address):
                return found["qualifier"], True
        return found["qualifier"], False

    def _include(self, target: str) -> bool:
        verdict = self.of(target)
        if verdict in {Verdict.NONE, Verdict.PERMERROR}:
            raise _Ended(Verdict.PERMERROR)
        return verdict is Verdict.PASS

    def _in(self, network: str) -> bool:
        try:
            return self._sender in ip_network(network, strict=False)
        except ValueError:
            raise _Ended(Verdict.PERMERROR) from None

    def _spend(self, target: str) -> None:
        if "%" in target:
            raise _Ended(Verdict.UNKNOWN)
        self._left -= 1
        if self._left < 0:
            raise _Ended(Verdict.PERMERROR)
