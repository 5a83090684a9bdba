"""Addresses in settings: most need no library, and are judged as it would judge them."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from newsletter.core.addresses import is_plain_address
from newsletter.core.config import load_settings
from newsletter.core.errors import SettingsError

WORD = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)


@given(
    st.lists(WORD, min_size=1, max_size=3),
    st.sampled_from(".+_-"),
    st.lists(WORD, min_size=1, max_size=3),
    st.sampled_from(["org", "de", "test", "example", "local", "invalid", "arpa", "onion"]),
)
def test_an_address_that_is_taken_as_it_is_is_one_to_the_library_too(
    words: list[str], mark: str, labels: list[str], top: str
) -> None:
    address = f"{mark.join(words)}@{'.'.join(labels)}.{top}"
    if is_plain_address(address):
        checked = validate_email(address, check_deliverability=False, test_environment=True)
        assert checked.ascii_email == address
    else:
        with pytest.raises(EmailNotValidError):
            validate_email(address, check_deliverability=False, test_environment=True)


@pytest.mark.parametrize(
    "address",
    [
        "news@example.local",
        "news@localhost",
        "News@Example.org",
        "news@exämple.org",
        "a..b@example.org",
        "news@-example.org",
        "news@example.org.",
        "news@example.org\n",
        f"{'a' * 65}@example.org",
        f"news@{'a' * 64}.org",
        "Ada <ada@example.org>",
    ],
)
def test_anything_else_is_left_to_the_library(address: str) -> None:
    assert not is_plain_address(address)


def test_other_addresses_get_their_one_form_or_are_refused_in_a_line() -> None:
    assert load_settings(from_address="Ada@EXÄMPLE.org").from_address == "Ada@xn--exmple-cua.org"
    with pytest.raises(
        SettingsError, match=r"NEWSLETTER_FROM: .* ends in \.local, where no mail can go"
    ):
        load_settings(from_address="news@example.local")
