"""flufl.bounce, asked when a mail is a bounce and our own reading finds nobody in it."""

import email
import logging
import re
from typing import Any

from newsletter.bounces.mime import clean_lines

# It looks at every line some forty times with patterns whose cost grows with the square of a
# line's length, and the standard parser below it is slow on nested parts: only what a report may
# honestly be is handed over.
LONGEST = 16 * 1024
LONGEST_LINE = 200
MOST_BOUNDARIES = 20
# It trusts declared character sets, and mails lie; every octet is a character in this one.
_CHARSET = re.compile(rb"charset[ \t]*=[ \t]*[^\s;]*", re.IGNORECASE)


def flufl_recipients(data: bytes) -> list[str]:
    """Addresses that flufl.bounce's detectors find in the mail."""
    if len(data) > LONGEST or data.lower().count(b"boundary=") > MOST_BOUNDARIES:
        return []
    from flufl.bounce import all_failures  # noqa: PLC0415  (only few mails need it)

    # It prints a traceback of its own before it raises.
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
    lines = (line[:LONGEST_LINE] for line in clean_lines(data).split(b"\n"))
    message: Any = email.message_from_bytes(_CHARSET.sub(b"charset=latin-1", b"\n".join(lines)))
    try:
        transient, permanent = all_failures(message)
    except (LookupError, UnicodeError, ValueError, TypeError, AttributeError):
        # Its detectors trust structures, too.
        return []
    return sorted(address.decode("ascii", "replace") for address in transient | permanent)
