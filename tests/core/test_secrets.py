"""Keys that can be guessed are refused; what a generator makes passes."""

import secrets
import string

import pytest

from newsletter.core.config import load_settings
from newsletter.core.errors import SettingsError
from newsletter.core.secrets import check_secret
from tests.support.visits import KEY

WEAK = [
    "",
    "short",
    "passwordpassword",
    "passwordpasswordpasswordpassword",
    "PasswordPasswordPasswordPassword1",
    "a" * 64,
    "ab" * 32,
    "0" * 32,
    "0123456789" * 4,
    "supercalifragilisticexpialidocious",
    "newsletter-secret-key-change-me-1",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "correct horse correct horse corr",
    "changeme" * 5,
    " " * 40,
]


@pytest.mark.parametrize("secret", WEAK)
def test_a_weak_key_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(ValueError, match=r"secrets\.token_hex\(32\)") as refused:
        check_secret(secret)
    assert not secret.strip() or secret not in str(refused.value)


def test_generated_keys_pass() -> None:
    letters = string.ascii_letters + string.digits
    for _ in range(300):
        check_secret(secrets.token_hex(16))
        check_secret(secrets.token_hex(32))
        check_secret(secrets.token_urlsafe(32))
        check_secret("".join(secrets.choice(letters) for _ in range(32)))
    check_secret(KEY)


def test_the_setting_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", f"{secrets.token_hex(32)},passwordpassword")
    with pytest.raises(SettingsError, match=r"^NEWSLETTER_SECRET_KEYS: each key needs 32"):
        load_settings()
