"""Papers to vectors: one feature space, fitted on the papers at hand, pure.

Two views of a text stand side by side: a ready-made encoder's (what it means) and TF-IDF over
stemmed word 1–2-grams, the same unstemmed, and the title's character 3–5-grams, reduced by latent
semantic analysis (Deerwester et al. 1990; what it says). The whole is turned so that the
coordinates are the papers' principal axes: there a ridge regression is a multiplication by one
row of numbers (`spectrum`), and a like is added in microseconds.
"""

import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
import Stemmer
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from newsletter.ranking.encoders import Encoder, Vectors, encoder, unit
from newsletter.ranking.feature_weights import FeatureWeights, shipped

# Of the words' view, and of both together, turned so that what is left out says least. Recall@100
# on 8,700 titles: .5965 with 768 and all kept, .5989 so, .5979 with 896 kept; nDCG@20 of the four
# reviews of over 1,000 papers: .428, .438, .436, and .436 with all 1,280 kept.
LEXICAL_DIMENSIONS = 1_024
DIMENSIONS = 1_024
# Stems, plain words, characters. On titles 15,000 each lose nothing measurable against 42,000 stems
# and characters together (recall@100 .6565 → .6577).
VOCABULARY = (15_000, 10_000, 15_000)
# Of a title alone: plain words (beside stems they add nothing there), and characters.
TITLE_WEIGHTS = (0.0, 0.7)
PAIRS_OF_TITLES = 1.0  # where most papers have no abstract: a pair of neighbours beside one word
# A space is fitted again when papers have grown by half: words and their rarity change slowly,
# and every stored vector has to be computed again.
GROWTH = 1.5
BACKGROUND = 500  # papers whose scores say what an ordinary paper scores
ITERATIONS = 4  # of the randomised SVD (Halko, Martinsson & Tropp 2011)
_WORD = re.compile(r"\w+")
_STEMMER = Stemmer.Stemmer("english")


@dataclass(frozen=True, slots=True)
class PaperText:
    """The text of a paper that becomes features."""

    title: str
    abstract: str = ""
    categories: tuple[str, ...] = ()

    def prose(self) -> str:
        """Title and abstract as one text."""
        return f"{self.title}. {self.abstract}" if self.abstract else self.title


@dataclass(frozen=True)
class FeatureSpace:
    """A fitted space; vectors of different spaces must never meet.

    ``turn`` has orthonormal columns; ``spectrum`` is the sum over the papers of each squared
    coordinate (the eigenvalues of their Gram matrix); ``background`` are some of the papers'
    vectors.
    """

    id: str
    model: str
    papers: int
    weights: FeatureWeights
    vocabularies: tuple[tuple[str, ...], ...]  # stems, plain words, characters
    idf: Vectors  # of the vocabularies, one behind the other
    components: Vectors  # (lexical dimensions, all features)
    mean: Vectors  # of the encoder's vectors
    turn: Vectors  # (both views' dimensions, d)
    spectrum: Vectors  # (d,)
    background: Vectors  # (k, d)

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""
        return len(self.spectrum)

    @cached_property
    def _encoder(self) -> Encoder:
        return encoder(self.model)

    @cached_property
    def _vectorizers(self) -> list[Any]:
        found = _vectorizers(self.vocabularies)
        idf = np.split(self.idf.astype(np.float64), self._starts[1:])
        for one, its in zip(found, idf, strict=True):
            one.idf_ = its
        return found

    @property
    def _starts(self) -> list[int]:
        """The column that each vocabulary begins at."""
        return [0, *accumulate(map(len, self.vocabularies[:-1]))]

    def transform(self, texts: Sequence[PaperText]) -> Vectors:
        """(n, d) float32, rows of length one; a text that says nothing is a zero row."""
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        return unit(self._untidied(texts) @ self.turn)

    def word_vectors(self, words: Sequence[str]) -> Vectors:
        """(w, e) float32: what the encoder takes single words to mean, rows of length one."""
        return self._encoder.encode(words)

    def _untidied(self, texts: Sequence[PaperText]) -> Vectors:
        meaning = _centred(self._encoder.encode([text.prose() for text in texts]), self.mean)
        counts = _counts(self._vectorizers, texts, self.weights)
        lexical = unit(np.asarray(counts @ self.components.T, np.float32))
        return np.hstack([meaning, _beside(self._encoder, texts, self.weights) * lexical])

    def split(self, text: PaperText) -> tuple[list[str], Vectors]:
        """Words of ``text`` and rows (words, d) that add up to its vector.

        A word's row holds its own part of every feature it takes part in. The last row, with
        an empty word, is what belongs to no word: the mean, and a sentence encoder's view.
        """
        turned = self._untidied([text])[0] @ self.turn
        length = float(np.linalg.norm(turned)) or 1.0
        parts: Counter[str] = Counter()
        rows: dict[str, Vectors] = {}
        size = self.mean.size
        counts = _counts(self._vectorizers, [text], self.weights)
        lexical = np.asarray(counts @ self.components.T, np.float32)[0]
        meaning = self._encoder.encode([text.prose()])[0]
        lengths = (
            float(np.linalg.norm(meaning - self.mean)) if meaning.any() else 0.0,
            float(np.linalg.norm(lexical)),
        )
        beside = float(_beside(self._encoder, [text], self.weights)[0, 0])
        present = [float(length > 0) for length in lengths]
        whole = float(np.hypot(present[0], beside * present[1])) or 1.0

        def add(word: str, start: int, row: Vectors) -> None:
            key = word.casefold().strip("-–—,.;:()[]{}\"'“”‘’?!")
            rows.setdefault(key, np.zeros(len(self.turn), np.float32))
            rows[key][start : start + len(row)] += row
            parts[key] += 1

        pieces = self._encoder.words(text.prose())
        if pieces and lengths[0]:
            for word, row in zip(*pieces, strict=True):
                add(word, 0, row / (lengths[0] * whole))
        if lengths[1]:
            for word, row in self._lexical_parts(text, counts):
                add(word, size, row * np.float32(beside / (lengths[1] * whole)))
        names = [name for name in parts if name]
        own = np.array([rows[name] for name in names], np.float32).reshape(-1, len(self.turn))
        own = own @ self.turn * np.float32(whole / length)
        return [*names, ""], np.vstack([own, turned / length - own.sum(axis=0)])

    def _lexical_parts(self, text: PaperText, counts: Any) -> list[tuple[str, Vectors]]:
        """Each feature of ``text``, shared out equally to the words it was found in."""
        places: dict[int, list[str]] = {}
        for one, start, features in zip(self._vectorizers, self._starts, FEATURES, strict=True):
            for word, feature in features(text):
                if feature in one.vocabulary_:
                    places.setdefault(start + one.vocabulary_[feature], []).append(word)
        return [
            (word, np.float32(value / len(places[column])) * self.components[:, column])
            for column, value in zip(counts.indices, counts.data, strict=True)
            for word in places.get(column, ())
        ]

    def dump(self) -> bytes:
        """The space as npz bytes without pickle; `load` reads them."""
        buffer = io.BytesIO()
        head = {
            "model": self.model,
            "papers": self.papers,
            "weights": self.weights.as_json(),
            "vocabularies": self.vocabularies,
        }
        np.savez(
            buffer,
            head=np.frombuffer(json.dumps(head).encode(), np.uint8),
            idf=self.idf,
            components=self.components.astype(np.float16),
            mean=self.mean,
            turn=self.turn.astype(np.float16),
            spectrum=self.spectrum,
            background=self.background.astype(np.float16),
        )
        return buffer.getvalue()


def load(space_id: str, data: bytes) -> FeatureSpace:
    """The space that `FeatureSpace.dump` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        head = json.loads(stored["head"].tobytes().decode())
        return FeatureSpace(
            space_id,
            head["model"],
            head["papers"],
            FeatureWeights(**head["weights"]),
            tuple(map(tuple, head["vocabularies"])),
            *(
                stored[name].astype(np.float32)
                for name in ("idf", "components", "mean", "turn", "spectrum", "background")
            ),
        )


def fit(
    papers: Sequence[PaperText], model: str, weights: FeatureWeights | None = None
) -> FeatureSpace:
    """A space from ``papers`` with the encoder ``model`` and, unless given, the shipped weights.

    With no papers, or none that say anything, the encoder's view stands alone.

    Raises:
        SettingsError: the encoder cannot be loaded.
    """
    weights = weights or shipped()
    vectorizers = _vectorizers((None,) * len(FEATURES))
    with_abstract = sum(bool(paper.abstract) for paper in papers)
    pairs = weights.pairs if 2 * with_abstract >= len(papers) else PAIRS_OF_TITLES
    counts = _weighed(_fit_views(vectorizers, papers, pairs), papers, weights)
    wanted = min(LEXICAL_DIMENSIONS, counts.shape[0] - 1, counts.shape[1] - 1)
    components = _components(counts, wanted)
    engine = encoder(model)
    meaning = engine.encode([paper.prose() for paper in papers])
    # Of a handful of papers the mean is the papers themselves: shrunk until they are many.
    mean = meaning.sum(axis=0) / (len(papers) + 10)
    lexical = _beside(engine, papers, weights) * unit(np.asarray(counts @ components.T, np.float32))
    joint = unit(np.hstack([_centred(meaning, mean), lexical]))
    _, turn = np.linalg.eigh((joint.T @ joint).astype(np.float64))
    turn = _rounded(turn[:, -DIMENSIONS:])
    vectors = unit(joint @ turn)
    some = np.random.default_rng(0).permutation(len(vectors))[:BACKGROUND]
    idf = np.concatenate([one.idf_ for one in vectorizers])
    digest = hashlib.sha256(components.tobytes() + turn.tobytes() + mean.tobytes()).hexdigest()
    name = re.sub(r"\W+", "-", model.rstrip("/").rsplit("/", 1)[-1])[:30].strip("-")
    return FeatureSpace(
        f"{name}-lsa{len(components)}-{digest[:12]}",
        model,
        len(papers),
        weights,
        tuple(_vocabulary(one) for one in vectorizers),
        idf.astype(np.float32),
        components,
        mean.astype(np.float32),
        turn,
        np.square(vectors).sum(axis=0),
        _rounded(vectors[some]),
    )


def _rounded(numbers: Any) -> Vectors:
    """As they are stored, so that a fitted space and a loaded one give the same vectors."""
    return np.asarray(numbers, np.float16).astype(np.float32)


def _components(counts: csr_matrix, wanted: int) -> Vectors:
    if wanted < 1:
        return np.zeros((1, counts.shape[1]), np.float32)
    _, _, found = randomized_svd(counts, wanted, n_iter=ITERATIONS, random_state=0)
    return _rounded(found)


def _beside(engine: Encoder, texts: Sequence[PaperText], weights: FeatureWeights) -> Vectors:
    """(n, 1) weight of the lexical view beside the encoder's."""
    found = [weights.lexical if text.abstract else engine.lexical_of_title for text in texts]
    return np.array(found, np.float32).reshape(-1, 1)


def _centred(meaning: Vectors, mean: Vectors) -> Vectors:
    """Less what all papers have in common; a text that says nothing keeps saying nothing."""
    return unit(np.where(meaning.any(axis=1, keepdims=True), meaning - mean, 0))


def meaningful_words(text: PaperText) -> list[str]:
    """The words of ``text`` in order, in lower case, without the ones that are in every text."""
    return [word for word in _WORD.findall(text.prose().lower()) if word not in ENGLISH_STOP_WORDS]


def _stem_features(text: PaperText) -> list[tuple[str, str]]:
    """(word, feature) pairs: stems, pairs of neighbouring stems, categories."""
    words = meaningful_words(text)
    found = _with_pairs(words, _STEMMER.stemWords(words))
    return found + [(category, f"in:{category.lower()}") for category in text.categories]


def _plain_features(text: PaperText) -> list[tuple[str, str]]:
    """(word, feature) pairs: words as they stand, and pairs of neighbours."""
    words = meaningful_words(text)
    return _with_pairs(words, words)


def _with_pairs(words: Sequence[str], forms: Sequence[str]) -> list[tuple[str, str]]:
    pairs = zip(words, forms, forms[1:], strict=False)
    return [
        *zip(words, forms, strict=True),
        *((word, f"{first} {second}") for word, first, second in pairs),
    ]


def _character_features(text: PaperText) -> list[tuple[str, str]]:
    """(word, feature) pairs: 3 to 5 characters of a title's words with their edges.

    Of the title only: in an abstract they take ten times as long and add nothing.
    """
    return [
        (word, edged[start : start + length])
        for word in _WORD.findall(text.title.lower())
        for edged in (f" {word} ",)
        for length in (3, 4, 5)
        for start in range(max(1, len(edged) - length + 1))
    ]


FEATURES = (_stem_features, _plain_features, _character_features)


def _vectorizers(vocabularies: Sequence[Sequence[str] | None]) -> list[Any]:
    """One for each of `FEATURES`; where there is a vocabulary, it is fitted but for its idf."""

    def analyzer(features: Callable[[PaperText], list[tuple[str, str]]]) -> Any:
        return lambda text: [feature for _, feature in features(text)]

    return [
        TfidfVectorizer(
            analyzer=analyzer(features),
            sublinear_tf=True,
            max_features=most if known is None else None,
            vocabulary=None if known is None else {f: n for n, f in enumerate(known)},
        )
        for features, most, known in zip(FEATURES, VOCABULARY, vocabularies, strict=True)
    ]


def _fit_views(
    vectorizers: Sequence[Any], papers: Sequence[PaperText], pairs: float
) -> list[csr_matrix]:
    """Fits stems, plain words and characters; the papers in each, rows of length one."""
    found = [_fit_vectorizer(one, papers) for one in vectorizers]
    for place, one in enumerate(vectorizers if papers else ()):
        counts_as = count_as(FEATURES[place], _vocabulary(one), pairs)
        one.idf_ = one.idf_ * counts_as
        found[place] = normalize(found[place] @ diags(counts_as)).tocsr()
    return found


def count_as(features: Any, vocabulary: Sequence[str], pairs: float) -> Vectors:
    """(v,) what each feature of a view counts: two neighbouring words ``pairs``, others 1.

    A pair is rarer than either word, and a text has as many pairs as words: by their rarity
    alone pairs would make most of its length.
    """
    words = features is not _character_features  # which hold the blanks around a word
    return np.array([pairs if words and " " in name else 1 for name in vocabulary], np.float32)


def _fit_vectorizer(vectorizer: Any, papers: Sequence[PaperText]) -> csr_matrix:
    # A feature of a single paper likens it to no other; of very few papers all are kept.
    vectorizer.min_df = 2 if len(papers) >= 1_000 else 1
    try:
        return csr_matrix(vectorizer.fit_transform(papers))
    except ValueError:  # no paper holds a word: one feature that no text has
        vectorizer.vocabulary_, vectorizer.idf_ = {"": 0}, np.ones(1)
        return csr_matrix((len(papers), 1), dtype=np.float32)


def _vocabulary(vectorizer: Any) -> tuple[str, ...]:
    found = vectorizer.vocabulary_
    return tuple(sorted(found, key=found.__getitem__))


def _counts(
    vectorizers: Sequence[Any], texts: Sequence[PaperText], weights: FeatureWeights
) -> csr_matrix:
    return _weighed([one.transform(texts) for one in vectorizers], texts, weights)


def _weighed(
    blocks: Sequence[csr_matrix], texts: Sequence[PaperText], weights: FeatureWeights
) -> csr_matrix:
    """Stems, plain words and characters side by side; with an abstract they count differently."""
    with_abstract = np.array([bool(text.abstract) for text in texts])
    whole = (weights.plain, weights.characters)
    scales = [np.where(with_abstract, *both) for both in zip(whole, TITLE_WEIGHTS, strict=True)]
    parts = [diags(scale) @ block for scale, block in zip(scales, blocks[1:], strict=True)]
    return csr_matrix(hstack([blocks[0], *parts]), dtype=np.float32)
