"""Every error this package raises on purpose, as one tree.

::

    NewsletterError                 one line for a person: what, where, what to do
    ├── SettingsError               a setting is missing or bad
    ├── UsageError                  a command was asked for something that cannot be
    ├── DatabaseError               the database cannot be opened, or is not migrated
    ├── InputError                  a file, row or value from outside cannot be read
    │   └── LimitError              it is larger, or takes longer, than we allow
    ├── SourceError                 a source of papers did not give them
    │   ├── FetchError              no usable answer came (transient or permanent)
    │   └── ParseError              an answer came that is not what it should be
    ├── TokenError                  a link token or address token is not ours
    ├── RenderError                 a digest could not be turned into a message
    ├── StoppedError                a send run could not go on; running it again carries on
    └── TransportError              the relay did not take a message
        ├── TransientTransportError   4xx, time-out, connection lost before the data: try later
        │   ├── RelayError              no relay could be used at all: not this message's fault
        │   └── SlowDownError           it wants fewer messages at a time
        ├── PermanentTransportError   5xx: do not try again
        └── UncertainTransportError   lost after the final dot: the relay may have accepted it

Whoever catches decides by type. ``exit_code`` is what the command line exits with when the
error reaches it: 2 for wrong use or settings, 1 for work that was tried and failed, 3 for work
that was stopped and goes on when run again, 4 when no relay could be used.
"""

from typing import ClassVar


class NewsletterError(Exception):
    """Base of the tree; ``str(error)`` is one line a tired operator understands."""

    exit_code: ClassVar[int] = 1


class SettingsError(NewsletterError):
    """A setting is missing or has a value that cannot be used."""

    exit_code = 2


class UsageError(NewsletterError):
    """A command was asked for something that cannot be done."""

    exit_code = 2


class DatabaseError(NewsletterError):
    """The database cannot be opened, or its tables are not those of this version."""

    exit_code = 2


class InputError(NewsletterError):
    """Something from outside cannot be read; ``where`` names the file and the place in it."""

    exit_code = 2

    def __init__(self, what: str, *, where: str) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what
        self.where = where


class LimitError(InputError):
    """Something from outside is larger, or takes longer to read, than we allow."""


class SourceError(NewsletterError):
    """A source of papers did not give them; ``where`` names source and place."""

    def __init__(self, what: str, *, where: str) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what
        self.where = where


class FetchError(SourceError):
    """No usable answer; ``transient`` says whether asking again later makes sense."""

    def __init__(self, what: str, *, where: str, transient: bool) -> None:
        super().__init__(what, where=where)
        self.transient = transient


class ParseError(SourceError):
    """An answer came, but not in the form the source documents."""


class TokenError(NewsletterError):
    """A token is malformed, forged, expired or meant for another purpose."""


class RenderError(NewsletterError):
    """A digest could not be turned into a message."""


class StoppedError(NewsletterError):
    """A send run could not go on (relay or database gone, disk full); the next one carries on."""

    exit_code = 3


class TransportError(NewsletterError):
    """The relay did not take a message; ``code`` is its SMTP reply, 0 when there was none."""

    def __init__(self, response: str, *, code: int = 0) -> None:
        super().__init__(f"{code} {response}" if code else response)
        self.code = code
        self.response = response
        self.relay = ""  # which one it was, where there are several


class TransientTransportError(TransportError):
    """4xx, a time-out, or a connection lost before the data was complete."""


class RelayError(TransientTransportError):
    """No relay could be reached, greeted or logged in to: no message is to blame for that."""

    exit_code = 4


class SlowDownError(TransientTransportError):
    """The relay wants fewer messages at a time (454, 421 4.7.x, "rate exceeded")."""


class PermanentTransportError(TransportError):
    """5xx: the same message will not be taken later either."""


class UncertainTransportError(TransportError):
    """The connection was lost after the final dot and before its answer (RFC 5321 §4.5.3.2.6)."""
