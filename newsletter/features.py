"""Papers to vectors: one feature space, fitted on the papers at hand, pure.

Text becomes TF-IDF over stemless word 1–2-grams and categories, reduced by latent semantic
analysis (Deerwester et al. 1990), so a score is a dot product of a few hundred numbers.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

Vectors = NDArray[np.float32]

# What a paper needs at most: the tail of the spectrum is noise on a few thousand papers.
DIMENSIONS = 256
BACKGROUND = 2_000  # papers whose scores say what an ordinary paper scores


@dataclass(frozen=True, slots=True)
class PaperText:
    """What of a paper is turned into features."""

    title: str
    abstract: str = ""
    categories: tuple[str, ...] = ()

    def document(self) -> str:
        """One string; the title counts twice, categories are words of their own."""
        marks = " ".join("in_" + category.replace(".", "_") for category in self.categories)
        return f"{self.title}\n{self.title}\n{self.abstract}\n{marks}"


@dataclass(frozen=True)
class FeatureSpace:
    """A fitted space; vectors of different spaces must never meet."""

    id: str
    dimensions: int
    background: Vectors  # (k, d): what ordinary papers look like
    vocabulary: dict[str, int]
    idf: NDArray[np.float64]
    components: Vectors  # (d, terms)

    def transform(self, texts: Sequence[PaperText]) -> Vectors:
        """Unit vectors (n, d) float32; a text without a known word is a zero row."""
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        vectorizer = _vectorizer(vocabulary=self.vocabulary)
        vectorizer.idf_ = self.idf
        counts = vectorizer.transform([text.document() for text in texts])
        return _unit(np.asarray(counts @ self.components.T, dtype=np.float32))

    def dump(self) -> bytes:
        """The space as npz bytes without pickle; `load` reads them."""
        buffer = io.BytesIO()
        words = json.dumps(sorted(self.vocabulary, key=self.vocabulary.__getitem__))
        np.savez_compressed(
            buffer,
            idf=self.idf,
            components=self.components.astype(np.float16),
            background=self.background.astype(np.float16),
            words=np.frombuffer(words.encode(), np.uint8),
        )
        return buffer.getvalue()


def load(space_id: str, data: bytes) -> FeatureSpace:
    """The space that `FeatureSpace.dump` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        words = json.loads(stored["words"].tobytes().decode())
        components = stored["components"].astype(np.float32)
        return FeatureSpace(
            id=space_id,
            dimensions=components.shape[0],
            background=stored["background"].astype(np.float32),
            vocabulary={word: number for number, word in enumerate(words)},
            idf=stored["idf"],
            components=components,
        )


def fit(papers: Sequence[PaperText]) -> FeatureSpace:
    """A space from ``papers``; with none it has one dimension and all vectors are zero."""
    documents = [paper.document() for paper in papers]
    vectorizer = _vectorizer(vocabulary=None)
    try:
        counts = vectorizer.fit_transform(documents)
    except ValueError:  # no document holds a word
        return FeatureSpace(
            "empty-1",
            1,
            np.zeros((1, 1), np.float32),
            {"": 0},
            np.ones(1),
            np.zeros((1, 1), np.float32),
        )
    wanted = max(1, min(DIMENSIONS, min(counts.shape) - 1))
    svd = TruncatedSVD(wanted, algorithm="randomized", n_iter=4, random_state=0).fit(counts)
    # Rounded as they are stored, so a fitted space and a loaded one give the same vectors.
    components = svd.components_.astype(np.float16).astype(np.float32)
    vectors = _unit(np.asarray(counts @ components.T, dtype=np.float32))
    some = np.random.default_rng(0).permutation(len(vectors))[:BACKGROUND]
    digest = hashlib.sha256(components.tobytes()).hexdigest()[:12]
    return FeatureSpace(
        f"lsa-{wanted}-{digest}",
        wanted,
        vectors[some].astype(np.float16).astype(np.float32),
        {str(word): int(number) for word, number in vectorizer.vocabulary_.items()},
        vectorizer.idf_,
        components,
    )


def _vectorizer(vocabulary: dict[str, int] | None) -> Any:
    return TfidfVectorizer(
        vocabulary=vocabulary,
        ngram_range=(1, 2),
        sublinear_tf=True,
        max_features=None if vocabulary else 50_000,
        stop_words="english",
        token_pattern=r"(?u)\b\w+\b",  # noqa: S106 (a pattern, no password)
    )


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
