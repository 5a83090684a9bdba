"""Whether a sentence that a machine wrote says no more than an abstract does. Pure.

Cautious, not clever: what cannot be seen to be supported is refused. Numbers and names must stand
in the abstract, most words too, denials must match, and one of its sentences, or two that follow
each other, must be close in meaning. Meaning in other languages than English cannot be compared,
so of a translation numbers, names and length are checked, against the English sentence.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from newsletter.core.sentences import sentences
from newsletter.ranking.words import stem, tokens

Encode = Callable[[Sequence[str]], NDArray[np.float32]]

SHORTEST, LONGEST = 30, 320  # characters of a sentence
LONGEST_TITLE = 400
# Of 32,841 pairs of a sentence and another paper's abstract in the sample, 99.9 % are below .48.
CLOSE = 0.5
# Of the words that say something, so many must stand in the title or abstract: a paraphrase has
# words of its own, an invention mostly such.
FOUND = 0.6
# A translation has between half as many characters and twice as many as what it translates.
RATIO = (0.5, 2.0)

_NUMBER = re.compile(r"\d+(?:[.,\u202f\u00a0]\d+)*")
# Markup, addresses (mail programs make links of bare host names too), line separators.
_FOREIGN = re.compile(
    r"\w+:/\S*|www\.\S*|\S*@\S*|[^\W_][\w-]*\.[^\W\d_]{2,}\S*|[<>{}\[\]|`*#\\^~\u2028\u2029]",
    re.IGNORECASE,
)
# Categories of Unicode: control, format (marks of direction, hidden letters), surrogate, private
# and unassigned characters. No plain sentence has them; some no database takes.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Words to the reader or about the machine, which no abstract says of a paper.
_TO_READER = re.compile(
    r"\b(?:you|your|yours|click|subscribe|ignore|instructions?|prompt|as an ai|i|my)\b",
    re.IGNORECASE,
)
_DENIALS = re.compile(
    r"\b(?:no|not|never|none|nor|neither|cannot|without|fails?|failed|unable|lacks?)\b|n't\b",
    re.IGNORECASE,
)
_UPPER = re.compile(r"[A-ZÀ-ÖØ-Þ]")


def refusal(sentence: str, title: str, abstract: str, encode: Encode) -> str:
    """Why the sentence must not stand for the abstract; "" where it may."""
    found = (
        _form(sentence)
        or _strange_number(sentence, f"{title} {abstract}")
        or _strange_name(sentence, f"{title} {abstract}", is_english=True)
        or _strange_words(sentence, f"{title} {abstract}")
    )
    return found or _unsupported(sentence, abstract, encode)


def refusal_of_translation(translation: str, sentence: str) -> str:
    """Why the translation must not stand for an English sentence or title; "" where it may."""
    least, most = (round(share * len(sentence)) for share in RATIO)
    if not least <= len(translation) <= max(most, 20):
        return "its length does not fit"
    if _foreign(translation) - _foreign(sentence):
        return "it has markup, an address or hidden characters"
    if sorted(_numbers(translation)) != sorted(_numbers(sentence)):
        return "its numbers differ"
    return _strange_name(translation, sentence, is_english=False)


def _form(sentence: str) -> str:
    if not SHORTEST <= len(sentence) <= LONGEST:
        return "it is too short or too long"
    if _foreign(sentence):
        return "it has markup, an address or hidden characters"
    if _TO_READER.search(sentence):
        return "it speaks to the reader or of itself"
    if len(sentences(sentence)) != 1 or sentence[-1] not in ".!?":
        return "it is not one sentence"
    return ""


def _foreign(text: str) -> set[str]:
    """Markup, addresses and hidden characters in ``text``."""
    hidden = {letter for letter in text if unicodedata.category(letter) in _HIDDEN}
    return hidden | {found[0].casefold() for found in _FOREIGN.finditer(text)}


def _numbers(text: str) -> list[str]:
    """The numbers, however thousands are separated and decimals written."""
    return [re.sub(r"\D", "", found) for found in _NUMBER.findall(text)]


def _strange_number(sentence: str, source: str) -> str:
    known = set(_numbers(source))
    strange = [number for number in _numbers(sentence) if number not in known]
    return f"the number {strange[0][:20]} is not in the abstract" if strange else ""


def _strange_name(sentence: str, source: str, *, is_english: bool) -> str:
    """Names are words with a capital; in other languages those with two, or with a digit."""
    there = source.casefold()
    for place, word in enumerate(re.findall(r"[^\W_][\w-]*", sentence)):
        capitals = len(_UPPER.findall(word))
        has_digit = any(letter.isdigit() for letter in word) and not word.isdigit()
        is_name = capitals > 1 or (has_digit and capitals > 0)
        is_name = is_name or (is_english and place > 0 and capitals > 0)
        if is_name and word.casefold().removesuffix("s") not in there:
            return f"the name {word[:30]!r} is not in the abstract"
    return ""


def _strange_words(sentence: str, source: str) -> str:
    known = {stem(word) for word, _, _ in tokens(source)}
    said = {
        stem(word)
        for word, _, _ in tokens(sentence)
        if len(word) > 2 and word not in ENGLISH_STOP_WORDS and not word.isdigit()
    }
    if not said or len(said & known) < FOUND * len(said):
        return "most of its words are not in the abstract"
    return ""


def _unsupported(sentence: str, abstract: str, encode: Encode) -> str:
    texts = sentences(abstract)
    if not texts:
        return "there is no abstract"
    pairs = [f"{first} {second}" for first, second in pairwise(texts)]
    supports = [*texts, *pairs]
    vectors = encode([sentence, *supports])
    close = vectors[1:] @ vectors[0]
    if float(close.max()) < CLOSE:
        return "no sentence of the abstract says the same"
    # The closest sentence decides: a denial beside it must not be lost, nor one come in.
    closest = texts[int(close[: len(texts)].argmax())]
    if bool(_DENIALS.search(closest)) != bool(_DENIALS.search(sentence)):
        return "it denies what the abstract says, or the other way round"
    return ""
