"""Tokens: unforgeable, for one purpose each, alive after a key rotation."""

from datetime import UTC, datetime

import pytest

from newsletter.core.errors import TokenError
from newsletter.core.tokens import Purpose, Signer

OLD, NEW = "an old key that is long enough", "a new key that is long enough!"


def test_a_token_gives_its_value_back_for_its_purpose_only() -> None:
    signer = Signer((NEW,))
    token = signer.sign(Purpose.UNSUBSCRIBE, "abc_123-x")
    assert signer.verify(Purpose.UNSUBSCRIBE, token) == "abc_123-x"
    for purpose in set(Purpose) - {Purpose.UNSUBSCRIBE}:
        with pytest.raises(TokenError):
            signer.verify(purpose, token)


def test_no_changed_character_is_accepted() -> None:
    signer = Signer((NEW,))
    token = signer.sign(Purpose.PREFERENCES, "abc123")
    for place in range(len(token)):
        for other in "aZ9_.":
            changed = token[:place] + other + token[place + 1 :]
            if changed != token:
                with pytest.raises(TokenError):
                    signer.verify(Purpose.PREFERENCES, changed)


@pytest.mark.parametrize("damaged", ["", ".", "a.", ".b", "a.b.c", "é.é", "a\0.b", "x" * 10_000])
def test_a_damaged_token_is_refused(damaged: str) -> None:
    with pytest.raises(TokenError):
        Signer((NEW,)).verify(Purpose.VIEW, damaged)


def test_old_links_live_on_after_a_rotation_and_new_ones_use_the_new_key() -> None:
    before, after = Signer((OLD,)), Signer((NEW, OLD))
    token = before.sign(Purpose.UNSUBSCRIBE, "abc")
    assert after.verify(Purpose.UNSUBSCRIBE, token) == "abc"
    assert Signer((NEW,)).verify(Purpose.UNSUBSCRIBE, after.sign(Purpose.UNSUBSCRIBE, "abc"))
    with pytest.raises(TokenError):
        Signer((NEW,)).verify(Purpose.UNSUBSCRIBE, token)


def test_an_expired_token_is_refused_and_a_lifetime_cannot_be_edited() -> None:
    signer = Signer((NEW,))
    fresh = signer.sign(Purpose.CONFIRM, "abc", lifetime=60)
    assert signer.verify(Purpose.CONFIRM, fresh, expires=True) == "abc"
    stale = signer.sign(Purpose.CONFIRM, "abc", lifetime=-1)
    with pytest.raises(TokenError, match="expired"):
        signer.verify(Purpose.CONFIRM, stale, expires=True)
    endless = signer.sign(Purpose.CONFIRM, "abc")
    with pytest.raises(TokenError):
        signer.verify(Purpose.CONFIRM, endless, expires=True)


def test_a_verp_address_is_found_again_in_any_case_and_never_when_forged() -> None:
    signer = Signer((NEW, OLD))
    address = signer.verp_address(4711, "papers.example")
    assert len(address.partition("@")[0]) <= 64  # RFC 5321 §4.5.3.1.1
    assert signer.verp_delivery(address.upper()) == 4711
    assert signer.verp_delivery(address.replace("4711", "4712")) is None
    assert signer.verp_delivery("bounce@papers.example") is None
    assert Signer((OLD,)).verp_delivery(address) is None
    assert signer.verp_delivery(Signer((OLD,)).verp_address(1, "papers.example")) == 1


def test_the_hash_of_an_address_outlives_a_rotation() -> None:
    assert Signer((OLD,)).hash_address("Ada@x.example") == Signer((NEW, OLD)).hash_address(
        "ada@x.example"
    )


def test_a_value_that_would_not_fit_a_link_is_refused() -> None:
    for value in ("", "a b", "a/b", "a.b", "x" * 300):
        with pytest.raises(TokenError):
            Signer((NEW,)).sign(Purpose.VIEW, value)


def test_signing_without_a_key_says_which_setting_is_missing() -> None:
    with pytest.raises(TokenError, match="NEWSLETTER_SECRET_KEYS"):
        Signer(())


def test_links_and_hashes_that_went_out_long_ago_stay_good_in_every_later_version() -> None:
    """Made once and written down: mail cannot be called back to be signed another way."""
    signer = Signer((NEW, OLD))
    link = "abc_123-x.QIlM8XjUbelvh56QSWQ_dw"
    assert signer.verify(Purpose.UNSUBSCRIBE, link) == "abc_123-x"
    mailbox = "abc_123-x-ugc6fn5x4m4x3eno"
    assert signer.verify_mailbox(Purpose.UNSUBSCRIBE, mailbox) == "abc_123-x"
    assert signer.verp_delivery("bounce+4711-hr2mqln6kwggrhww@papers.example") == 4711
    assert signer.hash_address("Ada@reader.example") == (
        "0ebcc8d0d0463fda2600b9fa4875ffc3f7f58c8aadce8d07b8c0cd50aa7d0943"
    )


# The second part of the link that holds "abc", by what it lets its bearer do.
LONG_AGO = {
    Purpose.UNSUBSCRIBE: "rXYT6YJGi41ue3AjhLUDlA",
    Purpose.PREFERENCES: "5Op_ta-fZlLvGS1CTMlFZw",
    Purpose.FEEDBACK: "OrrTWc7UNUSx3z4TQfbd1A",
    Purpose.CONFIRM: "B_14VwZmJ0dpJ31aCcywIQ",
    Purpose.VIEW: "wZVxxrr6oOKvFZk1_quB7A",
    Purpose.ERASE: "4Y-lp_v5ypWXBdkRv5TMaA",
    Purpose.FEED: "xomJzvIA56m0D-xuP4SU4A",
    Purpose.CLICK: "aTIbfwCyv1kM0VLeClaC2w",
    Purpose.RECEIPT: "iVLqY57WmAdtkS1CERJm8w",
    Purpose.BOUNCE: "ASrUcITwAsnmeyy29FlWpA",
}


def test_a_link_of_every_purpose_stays_good_in_every_later_version() -> None:
    signer = Signer((NEW, OLD))
    assert {purpose: signer.verify(purpose, f"abc.{mac}") for purpose, mac in LONG_AGO.items()} == (
        dict.fromkeys(Purpose, "abc")
    )


def test_a_lifetime_counts_from_the_moment_that_is_given() -> None:
    signer = Signer((NEW,))
    made = datetime(2026, 11, 20, 7, tzinfo=UTC)
    token = signer.sign(Purpose.CONFIRM, "abc", lifetime=60, since=made)
    assert token.partition(".")[0] == f"abc~{int(made.timestamp()) + 60}"
    with pytest.raises(TokenError, match="expired"):
        signer.verify(Purpose.CONFIRM, token, expires=True)


@pytest.mark.parametrize("length", [200, 201])
def test_a_token_holds_two_hundred_characters_at_most(length: int) -> None:
    signer = Signer((NEW,))
    if length > 200:
        with pytest.raises(TokenError, match="may contain only"):
            signer.sign(Purpose.VIEW, "x" * length)
    else:
        assert signer.verify(Purpose.VIEW, signer.sign(Purpose.VIEW, "x" * length))


def test_an_address_in_any_case_proves_a_mailbox_token_and_no_other_purpose_does() -> None:
    signer = Signer((NEW, OLD))
    token = Signer((OLD,)).mailbox_token(Purpose.UNSUBSCRIBE, "AbC")
    assert signer.verify_mailbox(Purpose.UNSUBSCRIBE, token.upper()) == "abc"
    for purpose in set(Purpose) - {Purpose.UNSUBSCRIBE}:
        with pytest.raises(TokenError, match="was not made here"):
            signer.verify_mailbox(purpose, token)
    for forged in ("", "abc", "abc-", token[:-1], token.replace("abc", "abd")):
        with pytest.raises(TokenError):
            signer.verify_mailbox(Purpose.UNSUBSCRIBE, forged)
