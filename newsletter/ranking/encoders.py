"""Texts to dense vectors by a ready-made model: static word vectors, or a sentence encoder.

The default, WordLlama, brings its weights inside its package: an average of 32,000 token
vectors, no network, no accelerator, 20 µs a title. A sentence encoder takes its place by one
setting: as an ONNX export with the extra ``onnx``, or by sentence-transformers with ``semantic``.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from newsletter.core.errors import SettingsError
from newsletter.ranking import onnx_encoder
from newsletter.ranking.onnx_encoder import OnnxEncoder, is_export, require_finite

Vectors = NDArray[np.float32]
DEFAULT = "wordllama"
BATCH = 1_024
# An abstract has about 300 tokens; later ones barely change the average.
LONGEST = 20_000


class Encoder(Protocol):
    """A model that turns texts into vectors of one length."""

    name: str
    dimensions: int
    # How much words and characters count beside it, of a title alone.
    lexical_of_title: float

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dimensions) float32, rows of length one; a text without content is a zero row."""
        ...

    def words(self, text: str) -> tuple[list[str], Vectors] | None:
        """The words of ``text`` and rows that sum up to its vector; None when it has no such."""
        ...


class WordLlama:
    """Average of token vectors (WordLlama l2_supercat, 256 dimensions, MIT)."""

    name = DEFAULT
    lexical_of_title = 1.0

    def __init__(self) -> None:
        from safetensors.numpy import load_file  # noqa: PLC0415 (a second of import time)
        from tokenizers import Tokenizer  # noqa: PLC0415

        # The package itself is not imported: it would set up logging for the whole process and
        # look for its tokenizer on the network. Its files are all that is needed.
        spec = importlib.util.find_spec("wordllama")
        if spec is None or spec.origin is None:
            raise SettingsError("the package wordllama is missing: pip install newsletter")
        folder = Path(spec.origin).parent
        weights = load_file(folder / "weights" / "l2_supercat_256.safetensors")
        self._weights: Vectors = next(iter(weights.values())).astype(np.float32)
        self.dimensions = self._weights.shape[1]
        tokenizer = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
        self._tokenizer: Any = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`."""
        found = np.zeros((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), BATCH):
            encodings = self._encodings(texts[start : start + BATCH])
            for row, encoding in enumerate(encodings, start=start):
                if encoding.ids:
                    found[row] = self._weights[encoding.ids].mean(axis=0)
        return unit(found)

    def words(self, text: str) -> tuple[list[str], Vectors] | None:
        """See `Encoder.words`."""
        [encoding] = self._encodings([text])
        if not encoding.ids:
            return [], np.zeros((0, self.dimensions), np.float32)
        rows = self._weights[encoding.ids]
        length = float(np.linalg.norm(rows.mean(axis=0))) or 1.0
        starts = [start for start, _ in encoding.offsets]
        # A token begins a word unless it stands directly behind the one before it.
        first = [
            not number or text[max(0, start - 1) : start].isspace() or text[start].isspace()
            for number, start in enumerate(starts)
        ]
        edges = [number for number, begins in enumerate(first) if begins]
        names = [
            text[starts[edge] : (starts[following] if following < len(starts) else len(text))]
            for edge, following in zip(edges, [*edges[1:], len(starts)], strict=True)
        ]
        sums = np.add.reduceat(rows, edges, axis=0) / (len(encoding.ids) * length)
        return [name.strip() for name in names], sums.astype(np.float32)

    def _encodings(self, texts: Sequence[str]) -> list[Any]:
        shortened = [text[:LONGEST] for text in texts]
        encodings: list[Any] = self._tokenizer.encode_batch(shortened, add_special_tokens=False)
        return encodings


class SentenceEncoder:
    """Any sentence-transformers model, by name or folder (Reimers & Gurevych 2019)."""

    lexical_of_title = 0.7  # MiniLM: recall@100 .728 with .7, .722 with 1

    def __init__(self, name: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        except ImportError as error:
            raise SettingsError(
                f"NEWSLETTER_FEATURE_MODEL={name} needs the extra: pip install "
                "'newsletter[semantic]'"
            ) from error
        try:
            self._model: Any = SentenceTransformer(_folder_of(name), device="cpu")
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise SettingsError(
                f"NEWSLETTER_FEATURE_MODEL={name} is not a folder, package or model that can be "
                f"loaded: {reason}"
            ) from error
        self.name = name
        self.dimensions = int(self._model.encode(["a"]).shape[1])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode`."""
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        found = self._model.encode(list(texts), batch_size=64, show_progress_bar=False)
        require_finite(self.name, found, texts)
        vectors = unit(np.asarray(found, np.float32))
        vectors[[not text.strip() for text in texts]] = 0  # the model has an opinion on nothing
        return vectors

    def words(self, text: str) -> tuple[list[str], Vectors] | None:
        """None: attention mixes words, so a sentence's vector is not a sum over them."""
        return None


def _folder_of(name: str) -> str:
    """A folder as it is; an installed package that brings a model; else the name itself."""
    if Path(name).is_dir() or not name.isidentifier():
        return name
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return name
    found = sorted(Path(spec.origin).parent.rglob("modules.json"))
    return str(found[0].parent) if found else name


@lru_cache(maxsize=2)  # weights are 30 to 500 MB, and loading takes up to seconds
def encoder(name: str) -> Encoder:
    """The model that the setting ``feature_model`` names.

    Raises:
        SettingsError: it is not installed or cannot be loaded; the line says what to do.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # silences a warning after forks
    if name == DEFAULT:
        return WordLlama()
    if name.startswith((".", os.sep)) and not Path(name).is_dir():
        raise SettingsError(f"NEWSLETTER_FEATURE_MODEL={name} is not a folder")
    if is_export(Path(name)) or not _installed("sentence_transformers"):
        # With neither extra installed, what it takes to load an export is the smaller one.
        return OnnxEncoder(_folder_of(name))
    return SentenceEncoder(name)


@contextmanager
def watched(progress: Callable[[int, int], None]) -> Iterator[None]:
    """While this lasts, a slow encoder tells how many texts are done, and of how many."""
    token = onnx_encoder.progress.set(progress)
    try:
        yield
    finally:
        onnx_encoder.progress.reset(token)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def unit(vectors: Vectors) -> Vectors:
    """Rows scaled to length one; zero rows stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
