"""The catalogues agree with the texts in code and templates, and with each other."""

import re
import runpy
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from newsletter.core import language
from newsletter.core.language import _, ngettext

ROOT = Path(__file__).parents[2]
TOOL: dict[str, Any] = runpy.run_path(str(ROOT / "scripts/translations"))
OTHERS = [name.replace("-", "_") for name in language.languages()[1:]]
HOW = (
    "run `make translations`, translate what it lists in newsletter/core/locale, and run it again "
    "(docs/how-to/add-a-language.md)"
)


def placeholders(text: str) -> list[str]:
    braces = [name for _text, name, *_spec in Formatter().parse(text) if name is not None]
    return sorted({*braces, *re.findall(r"%\(\w+\)s", text)})


def markup(text: str) -> list[str]:
    return sorted(re.findall(r"</?\w+[^>]*>|&\w+;", text))


@pytest.mark.parametrize("name", OTHERS)
def test_every_text_is_translated(name: str) -> None:
    left = TOOL["missing"](TOOL["updated"](name))
    assert not left, f"{name} lacks {len(left)} texts, the first of them {left[:3]}: {HOW}"


@pytest.mark.parametrize("name", OTHERS)
def test_a_catalogue_has_nothing_old_and_is_in_order(name: str) -> None:
    there = (language.FOLDER / name / "LC_MESSAGES/newsletter.po").read_bytes()
    assert there == TOOL["written"](TOOL["updated"](name)), f"{name} is out of date: {HOW}"


@pytest.mark.parametrize("name", OTHERS)
def test_translations_keep_names_and_markup(name: str) -> None:
    for message in TOOL["catalogue"](name):
        if not message.id:
            continue
        texts = (message.id,) if isinstance(message.id, str) else message.id
        said = (message.string,) if isinstance(message.string, str) else message.string
        wanted, tags = placeholders(texts[-1]), markup(texts[-1])
        for number, each in enumerate(said):
            allowed = [wanted]
            if len(texts) > 1 and number == 0:  # "a paper" needs no number
                allowed += [[name for name in wanted if name not in {"count", "%(num)s"}]]
            assert placeholders(each) in allowed, f"{each!r} for {texts[-1]!r}"
            assert markup(each) == tags, f"{each!r} for {texts[-1]!r}"


def test_english_needs_no_catalogue_and_an_unknown_language_is_english() -> None:
    assert _("Welcome! {title}", title="It") == "Welcome! It"
    with language.speaking("tlh"):
        assert language.current() == "en"
        assert ngettext("{count} upvote", "{count} upvotes", 1) == "1 upvote"
    assert ngettext("{count} upvote", "{count} upvotes", 1200) == "1,200 upvotes"


def test_german_counts_and_writes_numbers_its_own_way() -> None:
    with language.speaking("de"):
        assert ngettext("{count} upvote", "{count} upvotes", 1) == "1 Stimme"
        assert ngettext("{count} upvote", "{count} upvotes", 1200) == "1.200 Stimmen"
        assert language.listed([language.quoted("a"), language.quoted("b")]) == "„a“ und „b“"
    assert language.current() == "en"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr,de;q=0.5,en;q=0.4", "de"),
        ("en;q=0.4, de;q=0.5", "de"),
        ("en-GB,de", "en"),
        ("de;q=0,en;q=0.1", "en"),
        ("fr", None),
        ("", None),
        ("*", None),
        ("de;q=high", None),
        (";;;,,,\x00" * 100, None),
    ],
)
def test_the_best_language_that_a_browser_accepts_is_found(header: str, wanted: str | None) -> None:
    assert language.accepted(header) == wanted
