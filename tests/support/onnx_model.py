"""A sentence encoder small enough to check by hand: an ONNX export written byte by byte.

A token's vector is a row of a table, so a text's is the mean of its words' rows. The bytes follow
onnx.proto (github.com/onnx/onnx): no package that writes them is needed.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

FLOAT, INT64 = 1, 7
NAMES = ("input_ids", "attention_mask", "token_type_ids")


def write_model(
    folder: Path, words: list[str], table: NDArray[np.float32], names: tuple[str, ...] = NAMES
) -> Path:
    """An export and its tokenizer in ``folder``; row 0 of ``table`` is of padding and the rest."""
    vocabulary = {word: row for row, word in enumerate(["[PAD]", *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "model.onnx").write_bytes(_model(table, names))
    return folder


def _model(table: NDArray[np.float32], names: tuple[str, ...]) -> bytes:
    node = _text(1, "table") + _text(1, "input_ids") + _text(2, "last_hidden_state")
    node += _text(4, "Gather")
    tensor = _number(1, table.shape[0]) + _number(1, table.shape[1]) + _number(2, FLOAT)
    tensor += _text(8, "table") + _bytes(9, table.astype("<f4").tobytes())
    graph = _bytes(1, node) + _text(2, "lookup") + _bytes(5, tensor)
    for name in names:
        graph += _bytes(11, _value(name, INT64, ("batch", "length")))
    graph += _bytes(12, _value("last_hidden_state", FLOAT, ("batch", "length", "width")))
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _number(2, 13))


def _value(name: str, kind: int, shape: tuple[str, ...]) -> bytes:
    sizes = b"".join(_bytes(1, _text(2, size)) for size in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, sizes)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
