"""Find mail addresses in reports, free text and headers."""

import re

# A local part has at most 64 octets, a domain 255 (RFC 5321 §4.5.3.1); the bounds, and starting
# only where a run of such characters starts, keep hostile text linear.
_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]"
ADDRESS = re.compile(
    rf"(?<!{_LOCAL})(?:\"[^\"\s@<>]{{1,64}}\"|{_LOCAL}{{1,64}})@"
    r"[^\W_](?:[\w-]{0,62})(?:\.[\w-]{1,63}){1,10}"
)
# Addresses of a mail system or its keepers; hardly ever whom a report is about.
_ROLE = re.compile(
    r"^(?:mailer-?daemon|postmaster|post_master|mail-?daemon|abuse|hostmaster|support|help|"
    r"helpdesk|service|admin|administrator|no-?reply|noc|contact|webmaster|mdaemon|root|bounces?)@",
    re.IGNORECASE,
)


def addresses_in(text: str) -> list[str]:
    """Every address in ``text``, in order, as written."""
    return [tidy(found[0]) for found in ADDRESS.finditer(text)] if "@" in text else []


def address_in(text: str) -> str:
    """The first address in ``text``, or nothing."""
    found = ADDRESS.search(text) if "@" in text else None
    return tidy(found[0]) if found else ""


def tidy(address: str) -> str:
    """Without what sentences and X.400 names leave at an address's ends."""
    local, _, domain = address.rpartition("@")
    local = local.rpartition("=")[2] if local.upper().startswith("SMTP=") else local
    return f"{local.lstrip(chr(39) + '*.')}@{domain.rstrip('.-_')}"


def is_role(address: str) -> bool:
    """Whether an address belongs to a mail system rather than a person."""
    return bool(_ROLE.match(address))
