"""What DNS says about the sender: DKIM, SPF, DMARC, MX, PTR (bulk-mail rule 10)."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from newsletter.core.config import Settings
from newsletter.messages import dkim
from newsletter.sending.doctor import spf
from newsletter.sending.doctor.dns import DnsResolver
from newsletter.sending.doctor.findings import Finding, note, ok, problem, warning
from newsletter.sending.doctor.preflight import aligned
from newsletter.sending.doctor.spf import Verdict

# RFC 6376 §3.3.3 and RFC 8301: verifiers may take 1024 bits for weak.
GOOD_RSA = 2048


def tags(record: str) -> dict[str, str]:
    """A ``tag=value; …`` list (RFC 6376 §3.2), white space inside values removed."""
    pairs = (item.partition("=") for item in record.split(";") if "=" in item)
    return {name.strip(): "".join(value.split()) for name, _, value in pairs}


def dkim_records(settings: Settings, names: DnsResolver) -> Iterator[Finding]:
    """Whether the published key is the one that signs."""
    sender = (settings.from_address or "").rpartition("@")[2]
    signatures = dkim.signatures(settings, sender)
    if not signatures:
        yield problem(
            "DKIM",
            "mails are not signed",
            "run `newsletter dkim keygen dkim.pem` and set NEWSLETTER_DKIM_KEY_FILE; ignore this "
            "if your relay signs for this domain",
        )
    for signature in signatures:
        yield _dkim_record(signature, names)
        if not aligned(signature.domain, sender):
            yield problem(
                "DKIM",
                f"the DKIM domain {signature.domain} is not aligned with mail from {sender}",
                f"set NEWSLETTER_DKIM_DOMAIN={sender}",
            )


def _dkim_record(signature: dkim.Signature, names: DnsResolver) -> Finding:
    place = f"{signature.selector}._domainkey.{signature.domain}"
    ours = dkim.dns_value(signature.key)
    wrong = _wrong_with(names.txt(place), ours)
    if wrong:
        return problem("DKIM", f"{place} {wrong}", f"publish TXT {place} with: {ours}")
    if "y" in tags(names.txt(place)[0]).get("t", "").split(":"):
        return warning(
            "DKIM", f"{place} is marked as a test (t=y)", "remove t=y once signed mails arrive"
        )
    size = getattr(signature.key, "key_size", GOOD_RSA)
    if size < GOOD_RSA:
        return warning(
            "DKIM",
            f"the key of {place} has only {size} bits",
            f"make one of {GOOD_RSA} bits, with a new selector: newsletter dkim keygen",
        )
    return ok("DKIM", f"{place} publishes the {tags(ours)['k']} key that signs")


def _wrong_with(found: Sequence[str], ours: str) -> str:
    """Why receivers could not verify with these records; empty when they can."""
    if not found:
        return "does not exist"
    if len(found) > 1:
        return f"has {len(found)} TXT records; only one is allowed"
    published = tags(found[0])
    if published.get("p") == "":
        return "revokes its key (p= is empty)"
    return (
        ""
        if _same_key(published, tags(ours))
        else "publishes a different key from the one that signs"
    )


def _same_key(published: dict[str, str], ours: dict[str, str]) -> bool:
    try:
        key = base64.b64decode(published.get("p", ""), validate=True)
    except binascii.Error:
        return False
    same_kind = published.get("k", "rsa") == ours["k"] and published.get("v", "DKIM1") == "DKIM1"
    return same_kind and key == base64.b64decode(ours["p"])


def spf_record(
    domain: str, relay_addresses: Sequence[str], names: DnsResolver
) -> Iterator[Finding]:
    """Whether the envelope sender's domain lets the relay send."""
    found = spf.records(names.txt(domain))
    if len(found) != 1:
        what = "no SPF record" if not found else f"{len(found)} SPF records; only one is allowed"
        hosts = " ".join(
            f"ip{ip_address(address).version}:{address}"
            for address in relay_addresses
            if ip_address(address).is_global
        )
        # Without a host the record would forbid all mail of the domain.
        hosts = hosts or "ip4:ADDRESS-THAT-YOUR-RELAY-SENDS-FROM"
        yield problem(
            "SPF", f"{domain} has {what}", f"publish TXT {domain} with: v=spf1 {hosts} -all"
        )
        return
    public = [address for address in relay_addresses if ip_address(address).is_global]
    if not public:
        yield note(
            "SPF",
            f"{domain} has a record, but the public address of your relay is unknown",
            "check that the record includes the address your relay sends from",
        )
    for address in public:
        yield _spf_verdict(domain, address, spf.evaluate(domain, address, names.lookups()))


def _spf_verdict(domain: str, address: str, verdict: Verdict) -> Finding:
    version = ip_address(address).version
    if verdict is Verdict.PASS:
        return ok("SPF", f"{domain} allows the relay {address} to send")
    if verdict is Verdict.UNKNOWN:
        return note(
            "SPF", f"{domain} uses macros, exists or ptr, which are not evaluated for {address}"
        )
    if verdict is Verdict.PERMERROR:
        return problem(
            "SPF",
            f"the SPF record of {domain} is invalid, so receivers ignore it",
            "fix its syntax or includes, or reduce the number of lookups (at most 10)",
        )
    return problem(
        "SPF",
        f"{domain} does not allow the relay {address} to send ({verdict})",
        f"add ip{version}:{address}, or your provider's include, to the record; ignore this if "
        "your relay sends from another address that is listed",
    )


def dmarc_record(settings: Settings, names: DnsResolver) -> Iterator[Finding]:
    """Whether the From domain has a policy, and whether our mail meets it."""
    sender = (settings.from_address or "").rpartition("@")[2]
    place, record = _find_dmarc(sender, names)
    if record is None:
        yield problem(
            "DMARC",
            f"there is no record _dmarc.{sender}",
            f"publish TXT _dmarc.{sender} with: v=DMARC1; p=none; rua=mailto:postmaster@{sender}",
        )
        return
    policy = tags(record)
    if policy.get("p", "").lower() not in {"none", "quarantine", "reject"}:
        yield problem("DMARC", f"{place} has no valid p=", "set p=none, p=quarantine or p=reject")
        return
    domain = settings.dkim_domain or sender
    if policy.get("adkim", "r").lower() == "s" and domain.lower() != sender.lower():
        yield problem(
            "DMARC",
            f"{place} requires strict alignment, but the DKIM domain is {domain}",
            f"set NEWSLETTER_DKIM_DOMAIN={sender}, or adkim=r in the record",
        )
        return
    yield ok("DMARC", f"{place} has p={policy['p'].lower()}, and the DKIM domain is aligned")


def _find_dmarc(sender: str, names: DnsResolver) -> tuple[str, str | None]:
    """The policy of the domain, or of the nearest parent that has one."""
    labels = sender.split(".")
    for start in range(max(1, len(labels) - 1)):
        place = f"_dmarc.{'.'.join(labels[start:])}"
        found = [text for text in names.txt(place) if text.startswith("v=DMARC1")]
        if len(found) == 1:
            return place, found[0]
    return "", None


def bounce_host(domain: str, names: DnsResolver) -> Finding:
    """Whether bounces can come back to the envelope sender's domain."""
    hosts = names.mx(domain)
    if hosts:
        return ok("bounces", f"mail to {domain} goes to {hosts[0]}")
    if names.addresses(domain):
        return note("bounces", f"{domain} has no MX; bounces go to its address")
    return problem(
        "bounces",
        f"{domain} has neither MX nor address: bounces are lost, and some receivers refuse mail "
        "from a domain that cannot receive any",
        f"publish MX {domain}, or set NEWSLETTER_BOUNCE_DOMAIN",
    )


def pointer(address: str, names: DnsResolver) -> Finding:
    """Whether an address points to a name that points back (RFC 8601 §2.7.3 calls it iprev)."""
    hosts = names.pointers(address)
    if not hosts:
        return problem(
            "PTR",
            f"{address} has no PTR record",
            "ask your hosting provider to set it to the relay's host name",
        )
    if any(address in names.addresses(host) for host in hosts):
        return ok("PTR", f"{address} resolves to {hosts[0]} and back")
    return problem(
        "PTR",
        f"{address} resolves to {hosts[0]}, which does not resolve back",
        f"publish an address record for {hosts[0]} with {address}",
    )
