"""A digest becomes a message that mailboxes accept and people can read."""

import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path

import dkim as dkimpy
from cryptography.hazmat.primitives.asymmetric import rsa

from newsletter import dkim
from newsletter.render import Renderer
from tests import mails

KEY = dkim.new_key(rsa.RSAPrivateKey)


def parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_html_and_text_hold_the_same_links_to_the_same_papers() -> None:
    html, text = Renderer(mails.settings(), mails.signer()).parts(mails.digest(15))
    in_html = {link.replace("&amp;", "&") for link in re.findall(r'href="([^"]*)"', html)}
    in_text = set(re.findall(r"https?://\S+", text))
    assert in_html == in_text
    assert len(in_html) > 15 * 4


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(dkim.pem(KEY))
    settings = mails.settings(dkim_key_file=tmp_path / "key.pem")
    first = Renderer(settings, mails.signer()).digest(mails.digest())
    assert Renderer(settings, mails.signer()).digest(mails.digest()) == first


def test_dkimpy_verifies_the_signature(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(dkim.pem(KEY))
    settings = mails.settings(dkim_key_file=tmp_path / "key.pem")
    data = Renderer(settings, mails.signer()).digest(mails.digest()).data
    record = dkim.dns_value(KEY).encode()
    assert dkimpy.verify(data, dnsfunc=lambda name, timeout=5: record)
    assert not dkimpy.verify(
        data.replace(b"Morning Papers", b"Evening Papers"), dnsfunc=lambda name, timeout=5: record
    )


def test_the_message_parses_back_to_what_was_meant() -> None:
    digest = mails.digest(to_name='Renée "R" 王, PhD', subject="Ünïcode: 证明 + 5 more papers")
    message = parsed(Renderer(mails.settings(), mails.signer()).digest(digest).data)
    assert message["Subject"] == "Ünïcode: 证明 + 5 more papers"
    assert message["To"].addresses[0].display_name == 'Renée "R" 王, PhD'
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
