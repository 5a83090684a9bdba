"""DKIM: keys, and signatures over headers and a body already in relaxed form (RFC 6376, 8463)."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from newsletter.core.config import Settings
from newsletter.core.errors import SettingsError
from newsletter.messages.mime import Header

# RFC 8301 §3.2: signers use at least 1024 bits, and should use 2048.
SHORTEST_RSA = 1024
RSA_BITS = 2048
# All that a reader or a mailbox provider acts on; both unsubscribe headers must be in (RFC 8058
# §4). From, To and Subject stand once more than they occur, so none can be added (RFC 6376 §8.15).
SIGNED = (
    "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
    "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Help", "List-Owner",
    "List-Post", "Auto-Submitted",
)  # fmt: skip
OVERSIGNED = ("From", "To", "Subject")

Key = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Signature:
    """Who signs: a domain, a selector and the key whose public half stands in DNS there."""

    domain: str
    selector: str
    key: Key

    @property
    def algorithm(self) -> str:
        """The value of ``a=``."""
        return "rsa-sha256" if isinstance(self.key, rsa.RSAPrivateKey) else "ed25519-sha256"

    def header(self, canonical: "SignedHeaders", body_hash: str, timestamp: int) -> str:
        """A DKIM-Signature header line, folded, with its line end.

        ``body_hash`` is the base64 SHA-256 of the relaxed body; ``timestamp`` goes into t=, so
        the same message gives the same signature.
        """
        unsigned = (
            f"v=1; a={self.algorithm}; c=relaxed/relaxed; d={self.domain}; s={self.selector};\r\n"
            f" t={timestamp}; bh={body_hash};\r\n"
            f" {canonical.names}\r\n b="
        )
        flat = unsigned.replace("\r\n", "")
        data = canonical.lines + b"dkim-signature:" + flat.encode()
        if isinstance(self.key, rsa.RSAPrivateKey):
            raw = self.key.sign(data, padding.PKCS1v15(), SHA256())
        else:
            raw = self.key.sign(sha256(data).digest())  # RFC 8463 §3: signs the hash
        value = base64.b64encode(raw).decode()
        folded = "\r\n ".join(value[at : at + 72] for at in range(0, len(value), 72))
        return f"DKIM-Signature: {unsigned}{folded}\r\n"


@dataclass(frozen=True)
class SignedHeaders:
    """What a signature covers: the ``h=`` tag, folded, and the header lines in relaxed form."""

    names: str
    lines: bytes


def relaxed_headers(headers: Sequence[Header]) -> SignedHeaders:
    """The part of ``headers`` that gets signed, each occurring once (RFC 6376 §3.4.2)."""
    values = dict(headers)
    names = [name for name in SIGNED if name in values]
    lines = "".join([_relaxed(name, values[name]) for name in names])
    return SignedHeaders(_folded_tag(tuple(names)), lines.encode())


# Headers that all messages share come from this cache.
@lru_cache(maxsize=128)
def _relaxed(name: str, value: str) -> str:
    return f"{name.lower()}:{' '.join(value.split())}\r\n"


@lru_cache
def _folded_tag(names: tuple[str, ...]) -> str:
    tag = "h=" + " :".join([*names, *OVERSIGNED]).lower() + ";"
    lines = [""]
    for word in tag.split(" "):
        if len(lines[-1]) + len(word) > 70:
            lines.append("")
        lines[-1] += word
    return "\r\n ".join(lines)


def body_hash(body: Sequence[bytes]) -> str:
    """``bh=`` of a body in relaxed form, which comes in pieces."""
    digest = sha256()
    for piece in body:
        digest.update(piece)
    return base64.b64encode(digest.digest()).decode()


def signatures(settings: Settings, from_domain: str) -> tuple[Signature, ...]:
    """The signatures that the settings ask for: none, RSA, or RSA and Ed25519.

    Raises:
        SettingsError: a key cannot be used, or Ed25519 stands alone (most receivers know RSA only).
    """
    domain = settings.dkim_domain or from_domain
    made = []
    if settings.dkim_key_file is not None:
        key = load_key(settings.dkim_key_file, rsa.RSAPrivateKey)
        made.append(Signature(domain, settings.dkim_selector, key))
    if settings.dkim_ed25519_key_file is not None:
        if not made:
            raise SettingsError(
                "NEWSLETTER_DKIM_ED25519_KEY_FILE is set without NEWSLETTER_DKIM_KEY_FILE: most "
                "receivers verify RSA only; set both"
            )
        key = load_key(settings.dkim_ed25519_key_file, ed25519.Ed25519PrivateKey)
        made.append(Signature(domain, settings.dkim_ed25519_selector, key))
    return tuple(made)


def load_key(path: Path, kind: type[Key]) -> Key:
    """The private key in a PEM file.

    Raises:
        SettingsError: missing, unreadable, not such a key, locked by a password, or too short.
    """
    wanted = "RSA" if kind is rsa.RSAPrivateKey else "Ed25519"
    fix = "make one with: newsletter dkim keygen"
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise SettingsError(f"DKIM key {path}: {error.strerror or error}; {fix}") from error
    except TypeError as error:
        raise SettingsError(f"DKIM key {path} is protected by a password; {fix}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"DKIM key {path} is not a private key in PEM form; {fix}") from error
    if not isinstance(key, kind):
        raise SettingsError(f"DKIM key {path} is not an {wanted} key; {fix}")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < SHORTEST_RSA:
        raise SettingsError(
            f"DKIM key {path} has {key.key_size} bits, and receivers ignore keys shorter than "
            f"{SHORTEST_RSA}; {fix}"
        )
    return key


def new_key(kind: type[Key]) -> Key:
    """A fresh key: RSA of 2048 bits, or Ed25519."""
    if kind is rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    return ed25519.Ed25519PrivateKey.generate()


def pem(key: Key) -> bytes:
    """The private key as PKCS #8 PEM without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def dns_value(key: Key) -> str:
    """The TXT record's text for the public half (RFC 6376 §3.6.1, RFC 8463 §4)."""
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
    raw = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(raw).decode()}"
