"""Text to sentences, cut at full stops that end one and not after "et al.", "Fig. 3" or "J. Smith".

Most full stops are clear: a plain word before, a capital after. Only doubtful ones are asked of
pysbd, which takes 12 ms for a whole abstract, with the few words around them.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any

# Longer texts are no abstracts: what comes after this many characters is not divided.
LONGEST = 20_000
# pysbd looks at this many characters before and after a doubtful full stop, at most so often.
AROUND = 120
MOST_DOUBTS = 40

_STOP = re.compile(r"[.!?]{1,3}[\"”’')\]]{0,3}\s+(?=\S)|[。！？]\s*(?=\S)")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Nothing ends after these, whatever follows.
_NEVER = _words(
    """
    al e.g eg i.e ie vs v.s cf viz fig figs eq eqs eqn eqns sec secs sect tab ref refs chap thm
    lem prop cor def alg app suppl approx ca resp no nos vol pp ed eds dr prof mr mrs ms st sp spp
    subsp var w.r.t wrt s.t a.k.a aka incl excl min max avg dept univ
    """
)
# These end a sentence only where a usual opening word follows.
_MAYBE = _words("etc inc ltd co corp u.s u.k e.u a.m p.m ph.d jr sr i.i.d")
_OPENERS = _words(
    """
    A After All Although An And Another As At Based Both But By Code Data Despite Each Experiments
    Extensive Finally First For From Further Furthermore Given Here Hence How However If Importantly
    In Instead Interestingly It Its Many Moreover Most Motivated Notably On Our Overall Recent
    Recently Results Second Several Since Some Specifically Such That The Their Then There These
    They This Those Through Thus To Together Unlike Using We What When Where Whereas Which While
    With Without Yet
    """
)
_WORD_BEFORE = re.compile(r"[^\s(\[“\"]*$")
_WORD_AFTER = re.compile(r"[A-Za-z]+")
# The dots inside "w.r.t." and "U.S." make a word doubtful, and so does a lone letter.
_PLAIN = re.compile(
    r"[A-Za-zÀ-öø-ÿ'’-]*[a-zß-öø-ÿ]{4,}|.*[)\]”\"%\d]|.*[A-Z]{2,}s?|.*[a-zA-Z]-[a-zA-Z0-9]+"
)


def starts_of(text: str) -> list[int]:
    """Where the sentences of ``text`` begin: 0 first, then each place after a full stop."""
    starts = [0] if text.strip() else []
    doubts = 0
    for stop in _STOP.finditer(text, 0, min(len(text), LONGEST)):
        ends = _ends(text, stop)
        if ends is None and doubts < MOST_DOUBTS:
            doubts += 1
            ends = _asked(
                text[max(0, stop.start() - AROUND) : stop.end()].rstrip(),
                text[stop.end() : stop.end() + AROUND],
            )
        if ends:
            starts.append(stop.end())
    return starts


def spans_of(text: str) -> list[tuple[int, int]]:
    """The (start, end) of each sentence, in characters; together they are the whole text."""
    return list(pairwise([*starts_of(text), len(text)]))


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of ``text``, verbatim, without the white space around them."""
    return tuple(part for start, end in spans_of(text) if (part := text[start:end].strip()))


def _ends(text: str, stop: re.Match[str]) -> bool | None:
    """Whether a sentence ends at ``stop``; None where the words beside it do not tell."""
    mark, after = stop[0], text[stop.end() : stop.end() + 40].lstrip("\"“‘'([")
    if mark[0] != ".":
        return mark[0] in "。！？" or not after[:1].islower()
    found = _WORD_BEFORE.search(text, max(0, stop.start() - 60), stop.start())
    opener = _WORD_AFTER.match(after)
    return _full_stop(found[0] if found else "", after, opener[0] if opener else "")


def _full_stop(before: str, after: str, opener: str) -> bool | None:
    """Whether a sentence ends before ``after``, whose first word is ``opener``."""
    opens = opener in _OPENERS
    if before.casefold() in _NEVER:
        return False
    if before.casefold() in _MAYBE or (len(before) == 1 and before.isalpha()):
        # An initial, a species; "vitamin C" may end a sentence.
        return opens and (len(before) > 1 or before.isupper())
    if after[:1].islower():
        # "iPhone" and "mRNA" open sentences; "approx. five" does not.
        return any(c.isupper() for c in opener) and before.isalpha()
    plain = _PLAIN.fullmatch(before) or (opens and before[-1:].islower())
    return True if plain else None


@lru_cache(maxsize=20_000)
def _asked(before: str, after: str) -> bool:
    """Whether pysbd ends a sentence between these few words."""
    reached = 0
    for piece in _segmenter().segment(f"{before} {after}"):
        reached += len(piece)
        if reached >= len(before):
            return reached <= len(before) + 1
    return False


@lru_cache(maxsize=1)
def _segmenter() -> Any:
    # Imported when first asked: most commands divide no text.
    import pysbd  # noqa: PLC0415

    return pysbd.Segmenter(language="en", clean=False)
