"""flufl.bounce, asked about mails that our own reading is not sure of."""

import email
import logging
import re
from collections.abc import Collection
from typing import Any

from newsletter.inbound.bounces.addresses import ADDRESS, is_role
from newsletter.inbound.bounces.mime import clean_lines
from newsletter.inbound.bounces.outcome import unique

# It looks at every line some forty times with patterns whose cost grows with the square of a
# line's length, and the standard parser below it is slow on nested parts: it gets the start of a
# mail, where reports stand, in short lines.
LONGEST = 16 * 1024
LONGEST_LINE = 200
MOST_BOUNDARIES = 20
# Each blank line of a report part starts a group of fields, which all detectors walk through.
MOST_BLANK_LINES = 300
# It trusts declared character sets, and mails lie; every octet is a character in this one.
_CHARSET = re.compile(rb"charset[ \t]*=[ \t]*[^\s;]*", re.IGNORECASE)


def second_opinion(
    data: bytes, *, own: Collection[str], returned_to: Collection[str], ids: Collection[str]
) -> tuple[str, ...]:
    """Addresses that flufl.bounce finds in the mail; the sender's own only for want of others.

    All of ``own`` (the sender's), ``returned_to`` and ``ids`` (Message-IDs, which look like
    addresses) are lower-case.
    """
    found = [
        address
        for address in _recipients(data)
        if ADDRESS.fullmatch(address) and address.lower() not in ids
    ]
    likely = [
        address
        for address in found
        if address.lower() in returned_to or not (address.lower() in own or is_role(address))
    ]
    return unique(likely or found)


def _recipients(data: bytes) -> list[str]:
    data = clean_lines(data[:LONGEST])
    if data.lower().count(b"boundary=") > MOST_BOUNDARIES or data.count(b"\n\n") > MOST_BLANK_LINES:
        return []
    from flufl.bounce import all_failures  # noqa: PLC0415  (only some mails need it)

    # It prints a traceback of its own before it raises.
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
    lines = (line[:LONGEST_LINE] for line in data.split(b"\n"))
    message: Any = email.message_from_bytes(_CHARSET.sub(b"charset=latin-1", b"\n".join(lines)))
    try:
        transient, permanent = all_failures(message)
    except (LookupError, UnicodeError, ValueError, TypeError, AttributeError):
        # Its detectors trust structures, too.
        return []
    return sorted(address.decode("ascii", "replace") for address in transient | permanent)
