"""flufl.bounce, asked when a mail is a bounce and our own reading finds nobody in it."""

import email
from typing import Any

# It looks at every line some forty times, and the standard parser below it is slow on nested
# parts: only what a report may honestly be is handed over.
LONGEST = 64 * 1024
MOST_BOUNDARIES = 20


def flufl_recipients(data: bytes) -> list[str]:
    """Addresses that flufl.bounce's detectors find in the mail."""
    if len(data) > LONGEST or data.lower().count(b"boundary=") > MOST_BOUNDARIES:
        return []
    from flufl.bounce import all_failures  # noqa: PLC0415  (only few mails need it)

    message: Any = email.message_from_bytes(data)
    try:
        temporary, permanent = all_failures(message)
    except (LookupError, UnicodeError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        # Its detectors trust declared character sets and structures; hostile mails lie.
        return []
    return sorted(address.decode("ascii", "replace") for address in temporary | permanent)
