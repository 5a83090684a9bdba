"""What each sentence of an abstract is for: background, aim, contribution, method, result, … Pure.

A logistic regression on cue words, numbers and the sentence's place. `scripts/fit-sentence-roles`
fits it with scikit-learn; here it is a sum of the shipped weights of the features that are there.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from newsletter.ranking.encoders import Vectors

ROLES = ("background", "aim", "contribution", "method", "result", "conclusion", "other")
WEIGHTS = Path(__file__).parent / "sentence_roles.json"
# Of a longer sentence the first words say what it is for, and the sentence is no headline anyway.
MOST_WORDS = 60
# Known words that a sentence needs, to be judged at all.
FEWEST_WORDS = 4
# Past this many sentences a text is no abstract.
MOST_SENTENCES = 60
# Characters. A shorter one says too little, a longer one is no headline.
LONGEST_HEADLINE = 320
SHORTEST_HEADLINE = 40
# A finding says more than that something was made; a conclusion often only praises.
_WORTH = np.array([0.0, 0.1, 0.9, 0.05, 1.0, 0.35, 0.0], np.float32)

# "Experiments show that our method outperforms the state of the art" says less than a figure does,
# and less than what the method is.
_PRAISE = re.compile(
    r"\b(?:outperform|surpass|superior|effective|state[- ]of[- ]the[- ]art|promising|competitive)",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"\d\s?[%×x]|\d\.\d|\bby \d|\bfrom \d")
PRAISE_COSTS = 0.25
BACKGROUND_BELOW = 0.25  # of the best sentence's worth
_TOKEN = re.compile(r"https?://\S+|\d[\d.,]*\s?[%×x]?|[^\W\d_]+(?:['’-][^\W\d_]+)*")
_HEADING = re.compile(
    r"\W{0,3}(?P<name>backgrounds?|introductions?|motivations?|contexts?|importance|objectives?|"
    r"aims?|purposes?|goals?|methods?|methodology|materials? and methods?|approach|study design|"
    r"design|setting|participants|results?|main results?|findings?|conclusions?|"
    r"conclusions? and relevance|significance|interpretation|discussion|funding|availability|"
    r"data availability|trial registration|registration)\s?[:.—–]\s",
    re.IGNORECASE,
)
_UNDER = {
    "background": "background introduction motivation context importance",
    "aim": "objective aim purpose goal",
    "method": "method methodology material approach study design setting participants",
    "result": "result main finding",
    "conclusion": "conclusion significance interpretation discussion",
    "other": "funding availability data trial registration",
}
_ROLE_OF_HEADING = {word: role for role, words in _UNDER.items() for word in words.split()}
_WORKS = {"paper", "work", "study", "article", "report", "research", "letter", "survey", "thesis"}


def heading_of(sentence: str) -> str:
    """The role that a sentence's own heading names ("Results: …"), or ""."""
    found = _HEADING.match(sentence)
    return _ROLE_OF_HEADING[found["name"].casefold().split()[0].rstrip("s")] if found else ""


def features(sentences: Sequence[str]) -> Iterator[set[str]]:
    """What the classifier sees of each sentence."""
    spoken = False  # whether the authors have spoken of themselves yet
    heading = ""
    last = len(sentences) - 1
    for place, sentence in enumerate(sentences):
        words = [_shape(word) for word in _TOKEN.findall(sentence)[:MOST_WORDS]]
        own = any(word in {"we", "our"} for word in words) or any(
            first == "this" and second in _WORKS for first, second in pairwise(words)
        )
        heading = heading_of(sentence) or heading
        found = {f"w {word}" for word in words}
        found |= {f"b {first} {second}" for first, second in pairwise(words)}
        found |= {f"start {' '.join(words[:length])}" for length in (1, 2, 3)}
        found |= {f"place {min(4, 5 * place // (last + 1))}", f"own {own} {spoken}"}
        found |= {f"from the end {min(3, last - place)}", f"from the start {min(3, place)}"}
        if heading:
            found.add(f"heading {heading}")
        yield found
        spoken = spoken or own


def _shape(word: str) -> str:
    """A word as a feature: numbers and links are one each."""
    if word[:4] == "http":
        return "<link>"
    if word[0].isdigit():
        return "<percent>" if word[-1] in "%×x" else "<number>"
    return word.casefold()


@lru_cache(maxsize=1)
def _weights() -> tuple[Vectors, dict[str, Vectors]]:
    stored = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    if tuple(stored["roles"]) != ROLES:
        raise ValueError(f"{WEIGHTS.name} was fitted for other roles: run its script again")
    weights = {name: np.array(row, np.float32) for name, row in stored["weights"].items()}
    return np.array(stored["intercepts"], np.float32), weights


def roles(sentences: Sequence[str]) -> Vectors:
    """(s, 7) the probability of each role, in the order of `ROLES`; later ones are "other"."""
    intercepts, weights = _weights()
    found = np.zeros((len(sentences), len(ROLES)), np.float32)
    found[MOST_SENTENCES:, ROLES.index("other")] = 1
    for row, seen in zip(found, features(sentences[:MOST_SENTENCES]), strict=False):
        known = [name for name in seen if name in weights]
        if sum(name.startswith("w ") for name in known) < FEWEST_WORDS:
            row[ROLES.index("other")] = 1  # another language, or no sentence
            continue
        raw = intercepts + sum(weights[name] for name in known)
        raised = np.exp(raw - raw.max())
        row[:] = raised / raised.sum()
    return found


def worth(sentences: Sequence[str]) -> Vectors:
    """(s,) how well each sentence says, alone, what was found or contributed: 0 to 1."""
    return _worth_of(sentences, roles(sentences))


def worth_and_background(sentences: Sequence[str]) -> tuple[Vectors, NDArray[np.bool_]]:
    """(s,) each: the same, and which sentences tell what was known before."""
    found = roles(sentences)
    said = _worth_of(sentences, found)
    # Where authors never say "we", all looks a little like background: what says more of the
    # findings than the rest does is none.
    likely = found.argmax(axis=1) == ROLES.index("background") if len(found) else found[:, 0] > 0
    return said, likely & (said < BACKGROUND_BELOW * said.max(initial=0))


def _worth_of(sentences: Sequence[str], found: Vectors) -> Vectors:
    factors = [_headline(sentence) for sentence in sentences]
    return np.asarray((found @ _WORTH) * np.array(factors, np.float32), np.float32)


def _headline(sentence: str) -> float:
    """How well a sentence can stand alone by its length, and by whether it only praises."""
    if not SHORTEST_HEADLINE <= len(sentence) <= LONGEST_HEADLINE:
        return 0.5
    praises = _PRAISE.search(sentence) and not _FIGURE.search(sentence)
    return 1 - PRAISE_COSTS if praises else 1.0
