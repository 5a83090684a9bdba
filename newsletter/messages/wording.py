"""How a digest says things: clean text, authors, dates, the score in words, passages. Pure."""

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from urllib.parse import quote, urlsplit

from newsletter.core import language
from newsletter.core.language import N_, _, gettext, ngettext
from newsletter.core.models import DigestLength, Label
from newsletter.core.one_line import shortened
from newsletter.core.sentences import spans_of

# What XML 1.0 §2.2 forbids, and what HTML calls a parse error: C0 without tab and line ends,
# DEL, C1, surrogates, non-characters.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
# Five names fit one line at 640 pixels; a reader who wants all forty opens the paper.
MOST_AUTHORS = 5
# A row of the digest has one line for names, source and date.
FEW_AUTHORS = 3
WORDS_A_MINUTE = 238
# A collaboration's name is long, a hostile one longer.
LONGEST_NAME = 100
# Longer ones exist to track, or to break something.
LONGEST_URL = 1500
# Three to four lines at normal length: enough to decide, short enough to go on.
NORMAL_CHARACTERS = 420

Passage = tuple[str, bool]


def one_line(text: str) -> str:
    """``text`` without forbidden characters, white space collapsed to single spaces."""
    if text.isprintable() and "  " not in text:  # nearly all texts, at a tenth of the price
        return text.strip(" ")
    return " ".join(_FORBIDDEN.sub(" ", text).split())


def safe_url(url: str) -> str | None:
    """``url`` with all but URI characters percent-encoded; None unless it is plain http(s).

    ``javascript:``, ``data:`` and addresses with user names are refused: the first two run or
    hold code, the last show one host and lead to another.
    """
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").encode("idna").decode()
        port = f":{parts.port}" if parts.port else ""
    except (ValueError, UnicodeError):
        return None
    bad_host = not host or not re.fullmatch(r"[a-z0-9.-]+|[0-9a-f:.]*:[0-9a-f:.]+", host)
    if parts.scheme not in {"http", "https"} or bad_host or "@" in parts.netloc:
        return None
    if ":" in host:
        host = f"[{host}]"
    rest = quote(
        _FORBIDDEN.sub("", parts._replace(scheme="", netloc="").geturl()),
        safe="%/:?#[]@!$&'()*+,;=~-._",
    )
    whole = f"{parts.scheme}://{host}{port}{rest}"
    return whole if len(whole) <= LONGEST_URL else None


def authors_in_words(authors: Sequence[str]) -> str:
    """Up to five names, then how many more."""
    names = [shortened(name, LONGEST_NAME) for name in map(one_line, authors) if name]
    if len(names) <= MOST_AUTHORS + 1:
        return ", ".join(names)
    return _and_more(names, MOST_AUTHORS)


def first_authors(authors: Sequence[str]) -> str:
    """Up to three names, then how many more: for a line that says other things too."""
    names = [shortened(name, LONGEST_NAME) for name in map(one_line, authors) if name]
    if len(names) <= FEW_AUTHORS + 1:
        return ", ".join(names)
    return _and_more(names, FEW_AUTHORS)


def _and_more(names: Sequence[str], most: int) -> str:
    return _("{names} and {count} more", names=", ".join(names[:most]), count=len(names) - most)


def days_in_words(first: date, last: date) -> str:
    """``14 to 20 November 2026``; month and year of the first where they differ."""
    return language.days(first, last)


def reading_time(words: int) -> str:
    """``2 minutes to read``, at the pace at which people read to decide (238 words a minute).

    Brysbaert, How many words do we read per minute?, Journal of Memory and Language 109 (2019).
    """
    minutes = max(1, round(words / WORDS_A_MINUTE))
    return ngettext("{count} minute to read", "{count} minutes to read", minutes)


def day_in_words(day: date) -> str:
    """``Sunday, 22 November 2026``."""
    return language.full_day(day)


def count_in_words(number: int, thing: str) -> str:
    """``1 paper``, ``12 papers``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


# What a reader sees of a label.
LABELS = {
    Label.STRONG: N_("Strong match"),
    Label.GOOD: N_("Good match"),
    Label.WORTH: N_("Worth a look"),
    Label.NONE: "",
}


def label(of: Label) -> str:
    """What a reader sees of a label, in the language that is on."""
    return gettext(LABELS[of]) if LABELS[of] else ""


def passages(
    abstract: str,
    highlights: Sequence[tuple[int, int]],
    length: DigestLength,
    said: Sequence[tuple[int, int]] = (),
) -> tuple[Passage, ...]:
    """The part of ``abstract`` to show, as pieces of text with whether each is bold.

    ``highlights`` are (start, end) offsets in characters; those out of range or overlapping are
    cut to what makes sense. Normal length keeps whole sentences up to 420 characters, and adds
    a highlighted sentence that comes later, but not what was ``said`` above it; compact shows
    nothing.
    """
    if length is DigestLength.COMPACT or not abstract:
        return ()
    spans = _tidy(highlights, len(abstract))
    if length is DigestLength.FULL:
        return _cut(abstract, [(0, len(abstract))], spans)
    kept = _excerpt(abstract, spans, said)
    return _cut(abstract, kept, spans) if kept else ()


def _tidy(highlights: Sequence[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for start, end in sorted(highlights):
        begin = max(start, spans[-1][1] if spans else 0)
        if begin < min(end, size):
            spans.append((begin, min(end, size)))
    return spans


# One abstract is shown at several lengths, with and without marks, and its words are counted.
_spans_of = lru_cache(maxsize=2000)(spans_of)


def _excerpt(
    text: str, spans: Sequence[tuple[int, int]], said: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Ranges to keep: leading sentences, then sentences that hold a highlight; none ``said``."""
    kept: list[tuple[int, int]] = []
    used = 0
    leading = True
    for start, end in _spans_of(text):
        if any(a < end and start < b for a, b in said):
            used += end - start
            continue
        leading = leading and used + end - start <= NORMAL_CHARACTERS
        lit = any(a < end and start < b for a, b in spans)
        if not kept and not leading:  # one very long first sentence
            some = shortened(text[start:end], NORMAL_CHARACTERS)
            kept.append((start, min(end, start + len(some.removesuffix("…")))))
            break
        if leading or (lit and used < 2 * NORMAL_CHARACTERS):
            kept.append((start, end))
            used += end - start
    return kept


def _cut(
    text: str, ranges: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]
) -> tuple[Passage, ...]:
    pieces: list[Passage] = []
    reached = 0
    for start, end in ranges:
        if start > reached:
            pieces.append((" … ", False))
        at = start
        for a, b in spans:
            if b <= start or a >= end:
                continue
            pieces += [(text[at : max(a, at)], False), (text[max(a, start) : min(b, end)], True)]
            at = min(b, end)
        pieces.append((text[at:end], False))
        reached = end
    if reached < len(text):
        pieces.append((" …", False))
    return _joined(pieces)


def _joined(pieces: Sequence[Passage]) -> tuple[Passage, ...]:
    """Clean pieces without empty ones; white space collapsed across their borders."""
    result: list[Passage] = []
    for text, strong in pieces:
        clean = re.sub(r"\s+", " ", _FORBIDDEN.sub(" ", text))
        if not result or result[-1][0].endswith(" "):
            clean = clean.lstrip()
        if clean and result and result[-1][1] == strong:
            result[-1] = (result[-1][0] + clean, strong)
        elif clean:
            result.append((clean, strong))
    if result:
        result[-1] = (result[-1][0].rstrip(), result[-1][1])
    return tuple(piece for piece in result if piece[0])
