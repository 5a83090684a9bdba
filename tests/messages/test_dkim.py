"""Signatures verify elsewhere, and a key that cannot be used is refused in one clear line."""

import base64
import subprocess
from pathlib import Path
from typing import Any

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)
from typer.testing import CliRunner

from newsletter.cli import make_app
from newsletter.core.errors import SettingsError
from newsletter.core.models import DigestLength
from newsletter.messages import dkim
from newsletter.messages.renderer import Renderer
from tests.conftest import require_program
from tests.support import digests as mails
from tests.support import dns_server
from tests.support.dns_server import txt

SHAPES: dict[str, dict[str, Any]] = {
    "ordinary": {},
    "full": {"papers": 12, "length": DigestLength.FULL},
    "shortened": {"papers": 50, "length": DigestLength.FULL},
    "hard names": {
        "to_name": "王" * 80,
        "subject": "=?x?= é " * 40,
        "to_address": "a@bücher.example",
    },
    "dots": {"coverage": ". . .\n..", "preheader": "." * 90},
}


def verified_by_dkimpy(data: bytes) -> list[bool]:
    """For each signature, the first one on top, whether it holds."""
    records = {f"{name}.": text.encode() for name, text in mails.dns_records().items()}
    checker = dkimpy.DKIM(data)
    count = data.partition(b"\r\n\r\n")[0].count(b"DKIM-Signature:")

    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        return records.get(name.decode())

    def holds(index: int) -> bool:
        try:
            return bool(checker.verify(idx=index, dnsfunc=ask))
        except dkimpy.ValidationError:
            return False

    return [holds(index) for index in range(count)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_dkimpy_verifies_both_signatures(tmp_path: Path, shape: str) -> None:
    renderer = Renderer(mails.signing_settings(tmp_path), mails.signer())
    data = renderer.digest(mails.digest(**SHAPES[shape])).data
    assert verified_by_dkimpy(data) == [True, True]


def test_the_short_mails_are_signed_too(tmp_path: Path) -> None:
    renderer = Renderer(mails.signing_settings(tmp_path), mails.signer())
    for envelope in (
        renderer.confirmation(**mails.note_to()),
        renderer.account_link(**mails.note_to()),
    ):
        assert verified_by_dkimpy(envelope.data) == [True, True]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"From: Morning", b"From: Evening"),
        (b"\r\nFrom:", b"\r\nFrom: Other <x@evil.example>\r\nFrom:"),
        (b"/unsubscribe/0", b"/unsubscribe/1"),
        (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=One-Clock"),
        (b"Strong match", b"Weak match"),
        (b" t=1795", b" t=1695"),
    ],
)
def test_a_change_breaks_both_signatures(tmp_path: Path, before: bytes, after: bytes) -> None:
    renderer = Renderer(mails.signing_settings(tmp_path), mails.signer())
    data = renderer.digest(mails.digest()).data
    assert before in data
    assert verified_by_dkimpy(data.replace(before, after)) == [False, False]


def test_what_relays_may_change_breaks_nothing(tmp_path: Path) -> None:
    renderer = Renderer(mails.signing_settings(tmp_path), mails.signer())
    data = renderer.digest(mails.digest()).data
    received = b"Received: from a by b; Fri, 20 Nov 2026 06:31:00 +0000\r\n" + data
    folded = received.replace(b"List-Unsubscribe: <", b"List-Unsubscribe:\r\n\t <") + b"\r\n\r\n"
    assert verified_by_dkimpy(folded) == [True, True]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_mail_dkim_verifies_the_rsa_signature(tmp_path: Path, shape: str) -> None:
    perl = require_program("perl")
    if subprocess.run([perl, "-MMail::DKIM", "-e1"], capture_output=True, check=False).returncode:
        require_program("a Perl with Mail::DKIM (libmail-dkim-perl)")
    renderer = Renderer(mails.signing_settings(tmp_path), mails.signer())
    data = renderer.digest(mails.digest(**SHAPES[shape])).data
    zone = {(name, "TXT"): [txt(text)] for name, text in mails.dns_records().items()}
    with dns_server.serve(zone) as server:
        done = subprocess.run(
            [perl, Path(__file__).with_name("verify_dkim.pl"), str(server.port)],
            input=data,
            capture_output=True,
            check=True,
            timeout=60,
        )
    # The second signature's algorithm is newer than some versions of Mail::DKIM.
    assert "pass rsa-sha256 digest.example.org newsletter" in done.stdout.decode().splitlines()


BAD_KEYS: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "No such file"),
    "empty": (b"", "is not a private key in PEM form"),
    "text": (b"hello\n", "is not a private key in PEM form"),
    "public": (
        b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
        "is not a private key in PEM form",
    ),
    "wrong type": (
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        "is not an RSA key",
    ),
    "locked": (
        mails.RSA_KEY.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        ),
        "is protected by a password",
    ),
}


@pytest.mark.parametrize("case", BAD_KEYS, ids=str)
def test_a_key_file_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    content, said = BAD_KEYS[case]
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        Renderer(mails.settings(dkim_key_file=file), mails.signer())
    assert said in str(caught.value)
    assert str(file) in str(caught.value)
    assert "newsletter dkim keygen" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_and_a_short_key_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="Is a directory"):
        dkim.load_key(tmp_path, rsa.RSAPrivateKey)
    (tmp_path / "key.pem").write_bytes(dkim.pem(mails.RSA_KEY))
    monkeypatch.setattr(dkim, "SHORTEST_RSA", 4096)  # making a truly short key is refused already
    with pytest.raises(SettingsError, match="has 2048 bits, and receivers ignore"):
        dkim.load_key(tmp_path / "key.pem", rsa.RSAPrivateKey)


def test_ed25519_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="most receivers verify RSA only"):
        Renderer(mails.signing_settings(tmp_path, dkim_key_file=None), mails.signer())


@pytest.mark.parametrize("option", [[], ["--ed25519"]])
def test_keygen_writes_a_private_key_and_prints_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEWSLETTER_FROM", "papers@digest.example.org")
    done = CliRunner().invoke(make_app(), ["dkim", "keygen", "key.pem", *option])
    assert done.exit_code == 0, done.output
    file = tmp_path / "key.pem"
    assert file.stat().st_mode & 0o777 == 0o600
    kind: type[dkim.Key] = ed25519.Ed25519PrivateKey if option else rsa.RSAPrivateKey
    key = dkim.load_key(file, kind)
    place, _, strings = done.stdout.strip().partition(" IN TXT ")
    selector = "newsletter-ed25519" if option else "newsletter"
    assert place == f"{selector}._domainkey.digest.example.org."
    parts = strings.strip('"').split('" "')
    assert all(len(part) <= 255 for part in parts)
    assert "".join(parts) == dkim.dns_value(key)
    again = CliRunner().invoke(make_app(), ["dkim", "keygen", "key.pem"])
    assert again.exit_code != 0
    assert "already exists" in str(again.exception)
    assert dkim.dns_value(dkim.load_key(file, kind)) == dkim.dns_value(key)


def test_the_published_rsa_key_is_one_that_verifiers_can_load() -> None:
    value = dkim.dns_value(mails.RSA_KEY).partition("p=")[2]
    assert isinstance(load_der_public_key(base64.b64decode(value)), rsa.RSAPublicKey)


def test_record_prints_the_records_of_the_keys_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = mails.signing_settings(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEWSLETTER_FROM", "papers@digest.example.org")
    monkeypatch.setenv("NEWSLETTER_DKIM_KEY_FILE", str(settings.dkim_key_file))
    monkeypatch.setenv("NEWSLETTER_DKIM_ED25519_KEY_FILE", str(settings.dkim_ed25519_key_file))
    done = CliRunner().invoke(make_app(), ["dkim", "record"])
    first, second = done.stdout.strip().splitlines()
    assert first.startswith("newsletter._domainkey.digest.example.org. IN TXT")
    assert second.startswith("newsletter-ed25519._domainkey.digest.example.org. IN TXT")
