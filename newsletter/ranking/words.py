"""Words as readers mean them, and where a phrase stands in a paper's title or abstract. Pure.

Case, accents, hyphens and the plural make no difference: "LLM" is found in "LLMs", "naive" in
"naïve". Signs that belong to a word do: "C++" is not found in "vitamin C", ".NET" not in "net".
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import Stemmer
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

# ".NET" behind a space; "C++", "C#", "F#", "A*": the signs are part of the name.
_TOKEN = re.compile(r"(?<![\w.])\.[A-Za-z]\w*|[A-Za-z]+(?:\+\+|#)|\b[A-Za-z]\*|[^\W_]+")
# Scripts without spaces between words; a phrase of theirs is looked for as it stands.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)
_NOTHING = re.compile("(?!)")
_ACCENT = re.compile("[\u0300-\u036f]")
_PARTING = frozenset(":;!?([\u2026")
_STEMMER = Stemmer.Stemmer("english")
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", ""))
_SINGULAR = {
    "analyses": "analysis",
    "children": "child",
    "criteria": "criterion",
    "hypotheses": "hypothesis",
    "indices": "index",
    "matrices": "matrix",
    "mice": "mouse",
    "phenomena": "phenomenon",
    "syntheses": "synthesis",
    "vertices": "vertex",
}
# "TNF-\u03b1" is "TNF-alpha".
_LETTERS = {
    letter: unicodedata.name(letter).rsplit(" ", 1)[1].lower().replace("lamda", "lambda")
    for letter in map(chr, range(0x3B1, 0x3CA))
}
_NO_PLURAL = ("ss", "us", "is")
_BREAK = "\n"
LONGEST_LITTLE = 3  # letters: "fire" and "system" are usual words too, and somebody's interest
SHORTEST_PLURAL = 4  # letters: "gas" and "bus" are no plurals, "LLMs" is one


@lru_cache(maxsize=200_000)
def folded(word: str) -> str:
    """``word`` without case, accents and plural: equal for words that a reader takes for one."""
    plain = word.casefold()
    if not plain.isascii():
        plain = _ACCENT.sub("", unicodedata.normalize("NFKD", plain))
    plain = _SINGULAR.get(plain) or _LETTERS.get(plain) or plain
    if len(plain) >= SHORTEST_PLURAL and plain.isalpha() and not plain.endswith(_NO_PLURAL):
        for ending, singular in _ENDINGS:
            if plain.endswith(ending):
                return plain[: -len(ending)] + singular
    return plain


def _parts(text: str, end: int, start: int) -> bool:
    """Whether what stands between two words parts them: no phrase goes on over it.

    A full stop does after a word of four letters or more: "St. Louis" is one name.
    """
    between = text[end:start]
    if between in {" ", "-"}:
        return False
    stop = between.startswith(".") and between[1:2].isspace() and text[end - 4 : end].isalpha()
    return (stop and end >= 4) or not _PARTING.isdisjoint(between)


def tokens(text: str) -> list[tuple[str, int, int]]:
    """Folded words of ``text`` with the start and end of each."""
    return [(folded(found[0]), found.start(), found.end()) for found in _TOKEN.finditer(text)]


def _words(text: str) -> list[str]:
    """Folded words of ``text``, with a break wherever no phrase goes on."""
    found: list[str] = []
    last = 0
    for word, start, end in tokens(text):
        if found and _parts(text, last, start):
            found.append(_BREAK)
        found.append(word)
        last = end
    return found


@lru_cache(maxsize=20_000)
def phrase_of(value: str) -> tuple[str, ...]:
    """The folded words that a stated interest consists of."""
    return tuple(word for word, _, _ in tokens(value))


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """The stem of a folded word."""
    return str(_STEMMER.stemWord(word))


def stems_of(value: str) -> tuple[str, ...]:
    """Stems of the words that mean something, each once."""
    words = [word for word in phrase_of(value) if word not in ENGLISH_STOP_WORDS and len(word) > 1]
    return tuple(dict.fromkeys(stem(word) for word in words))


class TextIndex:
    """Which of some texts hold a phrase, and how often; built once for a set of papers."""

    def __init__(self, titles: Sequence[str], abstracts: Sequence[str]) -> None:
        self._raw = tuple(zip(titles, abstracts, strict=True))
        title_words = [_words(title) for title in titles]
        self._titles = [f" {' '.join(words)} " for words in title_words]
        self._texts: list[str] = []
        self.words: list[tuple[str, ...]] = []  # of each text, each once
        rows: dict[str, list[int]] = defaultdict(list)
        for row, (title, abstract) in enumerate(zip(title_words, abstracts, strict=True)):
            body = _words(abstract)
            # A phrase does not begin in the title and end in the abstract.
            self._texts.append(f" {' '.join(title)} \n {' '.join(body)} ")
            found = tuple(word for word in dict.fromkeys((*title, *body)) if word != _BREAK)
            self.words.append(found)
            for word in found:
                rows[word].append(row)
        self._rows = dict(rows)
        self._folded: list[str] | None = None

    def counts(self, value: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(n,) how often each text holds ``value`` as whole words, and whether its title does."""
        count = np.zeros(len(self._texts), np.float32)
        in_title = np.zeros(len(self._texts), bool)
        if _UNSPACED.search(value):
            wanted = " ".join(value.casefold().split())
            for row, (title, whole) in enumerate(self._unspaced()):
                count[row], in_title[row] = whole.count(wanted), wanted in title
            return count, in_title
        phrase = phrase_of(value)
        if not phrase:
            return count, in_title
        places = [self._rows.get(word, ()) for word in phrase]
        wanted = f" {' '.join(phrase)} "
        letter = _as_written(value) if len(phrase) == 1 else None
        for row in min(places, key=len):
            found = self._texts[row].count(wanted)
            titled = wanted in self._titles[row]
            if found and letter is not None:  # "R", not the r of a formula or of "R-CNN"; "WHO"
                title, abstract = self._raw[row]
                found = len(letter.findall(f"{title}\n{abstract}"))
                titled = letter.search(title) is not None
            count[row], in_title[row] = found, titled
        return count, in_title

    def _unspaced(self) -> list[tuple[str, str]]:
        return [
            (title.casefold(), f"{title}\n{abstract}".casefold()) for title, abstract in self._raw
        ]


# A vector (w, e) of length one for each of some words: near-synonyms are close.
WordVectors = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The stems of some texts, numbered; ``flat`` are those of each text, -1 after its last.

    ``starts`` says where each text's begin, ``counts`` in how many texts each stem is,
    ``vectors`` what a word of each means, where an encoder of words is at hand.
    """

    numbers: dict[str, int]
    flat: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    vectors: NDArray[np.float32] | None

    def count(self, key: str) -> int:
        """In how many texts the stem ``key`` is."""
        return int(self.counts[self.numbers[key]]) if key in self.numbers else 0


def vocabulary_of(index: TextIndex, encode: WordVectors | None) -> Vocabulary:
    """The stems of the texts in ``index``."""
    numbers: dict[str, int] = {}
    words: list[str] = []
    flat: list[int] = []
    starts: list[int] = []
    for text in index.words:
        starts.append(len(flat))
        own: dict[str, str] = {}
        for word in text:
            own.setdefault(stem(word), word)
        for key, word in own.items():
            if key not in numbers:
                numbers[key] = len(numbers)
                words.append(word)
            flat.append(numbers[key])
        flat.append(-1)  # no text is empty
    rows = np.array(flat, np.int64)
    counts = np.bincount(rows[rows >= 0], minlength=len(numbers))
    vectors = None if encode is None or not words else encode(words)
    return Vocabulary(numbers, rows, np.array(starts, np.int64), counts, vectors)


def _as_written(value: str) -> re.Pattern[str] | None:
    """What is looked for only as it was written: a single letter, and names like "Go" and "WHO".

    A letter has nothing joined to it. Written small, such a name is a word of every text. Signs
    around it that belong to no word, as in "R." and "(Go)", make no difference.
    """
    found = _TOKEN.findall(value)
    letter = found[0] if len(found) == 1 else ""
    if not letter.isalpha():
        return None
    is_usual = letter.lower() in ENGLISH_STOP_WORDS
    is_name = letter != letter.lower() and is_usual
    if is_usual and (len(letter) == 1 or (len(letter) <= LONGEST_LITTLE and not is_name)):
        return _NOTHING  # "the", "it", and "A", which begins a sentence of every abstract
    if len(letter) > 1:
        return re.compile(rf"(?<!\w){letter}(?!\w)") if is_name else None
    joined = r"\w\-–'’.*/^+=(){}\[\]<>|~≤≥∈"
    return re.compile(rf"(?<![{joined}]){re.escape(letter)}(?![{joined}#²³])")


def spelled(text: str, value: str) -> str:
    """The words of ``text`` where ``value`` stands first, as they are written there; or ""."""
    if _UNSPACED.search(value):
        wanted = " ".join(value.casefold().split())
        start = text.casefold().find(wanted)
        return text[start : start + len(wanted)] if start >= 0 else ""
    phrase = phrase_of(value)
    if not phrase:
        return ""
    if len(phrase) == 1 and (letter := _as_written(value)) is not None:
        found = letter.search(text)
        return found[0] if found else ""
    words = tokens(text)
    for place in range(len(words) - len(phrase) + 1):
        here = words[place : place + len(phrase)]
        if all(found[0] == word for found, word in zip(here, phrase, strict=True)) and not any(
            _parts(text, one[2], two[1]) for one, two in pairwise(here)
        ):
            return text[words[place][1] : words[place + len(phrase) - 1][2]]
    return ""
