"""Mail addresses that are recognised at a glance, and what is wrong with those that are none."""

import re

# Words of ASCII letters and digits: most addresses, which need no further check.
_PLAIN_ADDRESS = re.compile(
    r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+(?P<top>[a-z]{2,24})"
)
# Top-level domains that no mail goes to (RFC 6761, RFC 7686): the library refuses them.
_RESERVED = frozenset({"arpa", "invalid", "local", "localhost", "onion"})
_LONGEST_LABEL = 63  # RFC 1035 §2.3.4; a local part has at most 64 characters


def is_plain_address(value: str) -> bool:
    """Whether this is a mail address for certain, in the one form that it has here.

    Saves importing the library that checks all others: a twentieth of what `newsletter status`
    takes to start.
    """
    found = _PLAIN_ADDRESS.fullmatch(value) if len(value) <= _LONGEST_LABEL else None
    return found is not None and found["top"] not in _RESERVED


def what_is_wrong(address: str) -> str:
    """Why something is no mail address, in words that follow the address or its place."""
    address = address.strip()
    local, at, domain = address.rpartition("@")
    top = domain.rpartition(".")[2].lower()
    faults = {
        "has no @-sign": not at,
        "has more than one @-sign": "@" in local and not local.startswith('"'),
        "has nothing before the @-sign": not local,
        "has nothing after the @-sign": not domain,
        "contains a space": any(map(str.isspace, address)),
        "has a dot too many": ".." in address or "." in (*local[:1], *local[-1:], *domain[:1]),
        "has no dot after the @-sign, unlike name@example.org": "." not in domain.strip("."),
        f"ends in .{top}, where no mail can go": top in _RESERVED,
    }
    return next(
        (words for words, is_so in faults.items() if is_so),
        "is not a mail address like name@example.org",
    )
