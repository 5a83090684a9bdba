"""Signed values: tokens in links, and the VERP addresses bounces come back to.

A token is ``value.mac``: the value readable, the mac an HMAC-SHA256 cut to 128 bits (RFC 2104
§5 allows half the hash) under a key derived for one purpose, so a token made for one purpose is
no token for another. Keys rotate: the newest signs, all verify.
"""

import base64
import binascii
import hmac
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha256

from newsletter.core.errors import TokenError
from newsletter.core.language import N_

MAC_BYTES = 16
# Local parts are compared in lower case because relays change it; 80 bits in base32.
VERP_MAC_BYTES = 10
_VERP = re.compile(
    r"^bounce\+(?P<delivery>\d{1,18})-(?P<mac>[a-z2-7]{16})@", re.IGNORECASE | re.ASCII
)
_VALUE = re.compile(r"^[A-Za-z0-9_~:-]{1,200}$")


class Purpose(StrEnum):
    """What a token lets its bearer do; nothing else."""

    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    FEEDBACK = "feedback"
    CONFIRM = "confirm"
    VIEW = "view"
    ERASE = "erase"
    FEED = "feed"
    CLICK = "click"
    RECEIPT = "receipt"
    BOUNCE = "bounce"


@dataclass(frozen=True)
class Signer:
    """Signs and verifies with ``keys``, newest first."""

    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise TokenError("no key to sign links with: set NEWSLETTER_SECRET_KEYS")

    @cached_property
    def _derived(self) -> dict[Purpose, Sequence["_Key"]]:
        return {
            purpose: [
                _Key(hmac.digest(key.encode(), f"newsletter/{purpose}".encode(), sha256))
                for key in self.keys
            ]
            for purpose in Purpose
        }

    def sign(
        self,
        purpose: Purpose,
        value: str,
        *,
        lifetime: int | None = None,
        since: datetime | None = None,
    ) -> str:
        """A token holding ``value`` (letters, digits, ``_ ~ : -``); ``lifetime`` in seconds.

        The lifetime counts from ``since``, or from now: a message rendered twice must hold the
        same link twice.
        """
        if lifetime is not None:
            value = f"{value}~{int(since.timestamp() if since else time.time()) + lifetime}"
        if not _VALUE.match(value):
            raise TokenError("a token may contain only letters, digits, _ ~ : and -")
        return f"{value}.{_mac(self._derived[purpose][0], value)}"

    def verify(self, purpose: Purpose, token: str, *, expires: bool = False) -> str:
        """The value in ``token``; with ``expires``, one that was signed with a lifetime.

        Raises:
            TokenError: the token is malformed, forged, expired or for another purpose.
        """
        value, _, mac = token.rpartition(".")
        if not _VALUE.match(value) or not any(
            hmac.compare_digest(_mac(key, value).encode(), mac.encode())
            for key in self._derived[purpose]
        ):
            raise TokenError(N_("this link is damaged or is not one of ours"))
        if not expires:
            return value
        value, _, until = value.rpartition("~")
        if not until.isdigit() or int(until) < time.time():
            raise TokenError(N_("this link has expired"))
        return value

    def verp_address(self, delivery_id: int, domain: str) -> str:
        """The envelope sender of one delivery (bulk-mail rule 16)."""
        mac = _verp_mac(self._derived[Purpose.BOUNCE][0], delivery_id)
        return f"bounce+{delivery_id}-{mac}@{domain}"

    def verp_delivery(self, address: str) -> int | None:
        """The delivery that ``address`` was made for, in any case; None when it is not ours."""
        found = _VERP.match(address.strip())
        if not found:
            return None
        delivery_id, mac = int(found["delivery"]), found["mac"].lower()
        for key in self._derived[Purpose.BOUNCE]:
            if hmac.compare_digest(_verp_mac(key, delivery_id).encode(), mac.encode()):
                return delivery_id
        return None

    def mailbox_token(self, purpose: Purpose, value: str) -> str:
        """A token for a local part, which relays and mail programs may write in lower case.

        ``value`` is told in lower case.
        """
        value = value.lower()
        return f"{value}-{_mailbox_mac(self._derived[purpose][0], value)}"

    def verify_mailbox(self, purpose: Purpose, token: str) -> str:
        """The value in a token of `mailbox_token`, in lower case; the token may be in any.

        Raises:
            TokenError: the token is malformed, forged or for another purpose.
        """
        value, _, mac = token.lower().rpartition("-")
        if not any(
            hmac.compare_digest(_mailbox_mac(key, value).encode(), mac.encode())
            for key in self._derived[purpose]
        ):
            raise TokenError("this address is damaged or was not made here")
        return value

    def hash_address(self, email: str) -> str:
        """Keyed hash of an address under the oldest key, which outlives rotation.

        Rotate by putting a new key in front; dropping the last one forgets suppressions.
        """
        return self.keyed_hash("address", email.lower())

    def keyed_hash(self, kind: str, value: str) -> str:
        """Keyed hash of something personal, of which only sameness matters."""
        message = f"newsletter/{kind}/{value}".encode()
        return hmac.new(self.keys[-1].encode(), message, sha256).hexdigest()


def of_generation(value: str, generation: int) -> str:
    """``value`` as links of a later generation write it; the first one has no number."""
    return f"{value}:{generation}" if generation else value


def generation_in(value: str) -> tuple[str, int]:
    """What `of_generation` put together: the value alone, and the generation.

    Raises:
        TokenError: the second part is no number.
    """
    alone, colon, number = value.partition(":")
    if colon and not re.fullmatch(r"[0-9]{1,9}", number):
        raise TokenError(N_("this link is damaged or was not made here"))
    return alone, int(number) if colon else 0


class _Key:
    """A key for HMAC-SHA256 with its two blocks hashed beforehand, as RFC 2104 §4 proposes.

    A message takes six MACs of a few letters each; this way one takes a third of the time.
    """

    def __init__(self, key: bytes) -> None:
        block = key.ljust(sha256().block_size, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def mac(self, value: str) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value.encode())
        outer.update(inner.digest())
        return outer.digest()


# The alphabet for URLs and file names (RFC 4648 §5).
_FOR_URLS = bytes.maketrans(b"+/", b"-_")


def _mac(key: _Key, value: str) -> str:
    text = binascii.b2a_base64(key.mac(value)[:MAC_BYTES], newline=False)
    return text.translate(_FOR_URLS, b"=").decode()


def _verp_mac(key: _Key, delivery_id: int) -> str:
    return _base32(key.mac(str(delivery_id)))


def _mailbox_mac(key: _Key, value: str) -> str:
    # Not that of a link: who has one must not be able to make up the other.
    return _base32(key.mac(f"mailbox {value}"))


def _base32(mac: bytes) -> str:
    return base64.b32encode(mac[:VERP_MAC_BYTES]).decode().lower()
