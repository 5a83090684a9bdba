"""The labelled mails: how many are read right, and none mistaken."""

from functools import cache
from pathlib import Path

import pytest

from newsletter.inbound.bounces import Kind
from tests.support.inbound_corpus import (
    READERS,
    Labelled,
    Score,
    confusion,
    labelled_mails,
    score,
)


@cache
def scores(corpus: Path) -> dict[str, Score]:
    mails = labelled_mails(corpus)
    return {name: score(mails, reader) for name, reader in READERS.items()}


@pytest.fixture
def ours(corpus: Path) -> Score:
    return scores(corpus)["newsletter"]


def test_nearly_every_labelled_recipient_is_found(ours: Score) -> None:
    assert ours.recipient_share >= 0.95, ours.missed


def test_permanence_is_nearly_always_right(ours: Score) -> None:
    assert ours.permanence_share >= 0.92, ours.missed


def test_mail_that_is_not_a_bounce_changes_nothing(ours: Score) -> None:
    assert ours.false_bounces == 0, ours.missed


def test_addresses_that_did_not_fail_are_hardly_ever_named(ours: Score) -> None:
    assert ours.surplus <= 3


def test_the_libraries_alone_find_fewer(corpus: Path, ours: Score) -> None:
    for name, other in scores(corpus).items():
        if name != "newsletter":
            assert ours.found > other.found
            assert ours.right > other.right
            assert ours.false_bounces <= other.false_bounces


def mails_of(corpus: Path, kind: Kind) -> list[Labelled]:
    return [mail for mail in labelled_mails(corpus) if mail.kind is kind]


@pytest.mark.parametrize("kind", list(Kind))
def test_every_mail_is_recognised(corpus: Path, kind: Kind) -> None:
    assert confusion(mails_of(corpus, kind)) == {(kind, kind): len(mails_of(corpus, kind))}
