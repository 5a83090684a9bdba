"""What the preview says of a finished message."""

import shutil

import pytest

from newsletter.core.config import load_settings
from newsletter.core.tokens import Signer
from newsletter.messages.lint import Check, check_message
from newsletter.messages.renderer import Renderer
from tests.support import digests as mails


def verdicts(data: bytes) -> dict[str, bool | None]:
    return {check.name: check.passed for check in check_message(data)}


@pytest.fixture(scope="module")
def message() -> bytes:
    settings = load_settings(
        from_address="papers@papers.example",
        base_url="https://papers.example",
        secret_keys="a key for tests that is long enough",
        postal_address="1 Example Street",
    )
    return Renderer(settings, Signer(settings.keys)).digest(mails.digest()).data


def test_a_digest_passes_all_but_the_signature_it_has_no_key_for(message: bytes) -> None:
    found = verdicts(message)
    assert not found.pop("DKIM")
    assert all(found.values()), found


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=Click", "one-click unsubscribe"),
        (b"<https://", b"<http://", "one-click unsubscribe"),
        (b"\r\nSubject:", b"\r\nSubject: twice\r\nSubject:", "headers"),
        (b"\r\n\r\n--", b"\r\n\n--", "line ends"),
        (b"\r\nList-Post: NO", b"\r\nX-Long: " + b"x" * 1000, "lines"),
    ],
)
def test_what_would_hurt_is_found(message: bytes, old: bytes, new: bytes, name: str) -> None:
    assert old in message
    assert verdicts(message.replace(old, new, 1))[name] is False


def test_without_spamassassin_the_check_says_so(
    message: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    last = check_message(message, spam=True)[-1]
    assert last == Check("SpamAssassin", None, "not looked at: the program is not installed")
