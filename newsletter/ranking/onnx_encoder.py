"""Sentence encoders as ONNX exports: no PyTorch, 80 MB instead of 1.4 GB.

A folder, or a model of the Hugging Face hub, with an export (`model.onnx`), its `tokenizer.json`
and, where it has them, the configurations that sentence-transformers writes beside them.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from newsletter.core.errors import SettingsError

MODELS = ("model.onnx", "onnx/model.onnx")
WANTED = (*MODELS, "tokenizer.json", "config.json", "sentence_bert_config.json", "*/config.json")
LONGEST = 512  # tokens, where the model does not say
# Texts of about one length together: less is padded. With 32 at a time 250 abstracts took 20 s and
# 1.6 GB on two cores, with 8 they took 13 s and .5 GB.
BATCH = 8
# Told after each batch how many texts are done, and of how many.
progress: ContextVar[Callable[[int, int], None] | None] = ContextVar("progress", default=None)


def is_export(folder: Path) -> bool:
    """Whether the folder holds an ONNX export."""
    return any((folder / name).is_file() for name in MODELS)


class OnnxEncoder:
    """A sentence encoder run by ONNX Runtime; vectors are as sentence-transformers makes them."""

    lexical_of_title = 0.7  # as of `encoders.SentenceEncoder`

    def __init__(self, name: str) -> None:
        """``name`` is a folder or a name on the hub.

        Raises:
            SettingsError: the extra is missing, or the model cannot be fetched or loaded.
        """
        try:
            import onnxruntime  # noqa: PLC0415 (an optional extra, and slow to import)
        except ImportError as error:
            raise _refused(
                name, "needs an extra: pip install 'newsletter[onnx]', or 'newsletter[semantic]'"
            ) from error
        from tokenizers import Tokenizer  # noqa: PLC0415 (slow to import)

        folder = Path(name) if Path(name).is_dir() else _fetched(name)
        model = next((folder / each for each in MODELS if (folder / each).is_file()), None)
        if model is None or not (folder / "tokenizer.json").is_file():
            raise _refused(
                name,
                f"has no {MODELS[0]} with a tokenizer.json beside it: export it, or install "
                "'newsletter[semantic]'",
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        options.log_severity_level = 3
        # Threads that wait by spinning take the processor from everything else on the machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session: Any = onnxruntime.InferenceSession(
                str(model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise _refused(name, f"cannot be loaded: {reason}") from error
        self._tokenizer.enable_truncation(_longest(folder))
        self._tokenizer.enable_padding()
        self._inputs = {each.name for each in self._session.get_inputs()}
        if not {"input_ids", "attention_mask"} >= self._inputs - {"token_type_ids"}:
            raise _refused(name, f"asks for unknown inputs: {', '.join(sorted(self._inputs))}")
        self._first_token = bool(
            _read(folder / "1_Pooling/config.json").get("pooling_mode_cls_token")
        )
        self.name = name
        self.dimensions = int(self._run(["a"]).shape[1])

    def encode(self, texts: Sequence[str]) -> Any:
        """(n, dimensions) float32, rows of length one; a text without content is a zero row.

        Raises:
            SettingsError: the model returned numbers that are none (NaN).
        """
        found = np.zeros((len(texts), self.dimensions), np.float32)
        tell = progress.get()
        order = sorted(
            (index for index, text in enumerate(texts) if text.strip()),
            key=lambda index: len(texts[index]),
        )
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            found[some] = self._run([texts[index] for index in some])
            if tell is not None:
                tell(start + len(some), len(order))
        require_finite(self.name, found, texts)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return found / np.where(lengths > 0, lengths, 1)

    def words(self, text: str) -> None:
        """None: attention mixes words, so a sentence's vector is not a sum over them."""

    def _run(self, texts: Sequence[str]) -> Any:
        encodings = self._tokenizer.encode_batch(list(texts))
        ids = np.array([each.ids for each in encodings], np.int64)
        mask = np.array([each.attention_mask for each in encodings], np.int64)
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        given = {name: given[name] for name in self._inputs}
        outputs = dict(
            zip(
                [each.name for each in self._session.get_outputs()],
                self._session.run(None, given),
                strict=True,
            )
        )
        whole = outputs.get("sentence_embedding")
        if whole is not None:
            return np.asarray(whole, np.float32)
        tokens = outputs.get("last_hidden_state", next(iter(outputs.values())))
        if tokens.ndim == 2:
            return np.asarray(tokens, np.float32)
        if self._first_token:
            return np.asarray(tokens[:, 0], np.float32)
        counted = mask[:, :, None].astype(np.float32)
        return (tokens * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1e-9)


def require_finite(name: str, vectors: Any, texts: Sequence[str]) -> None:
    """Refuse an encoder whose vectors are not numbers: they would spoil every score.

    Raises:
        SettingsError: some are NaN or infinite; names the first text.
    """
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        first = " ".join(texts[int(bad[0])].split())[:60]
        raise _refused(
            name,
            f"returned NaN or infinite numbers for {len(bad)} of {len(texts)} texts, the first "
            f"being “{first}”: use another model, or wordllama",
        )


def _refused(name: str, why: str) -> SettingsError:
    return SettingsError(f"NEWSLETTER_FEATURE_MODEL={name} {why}")


def _fetched(name: str) -> Path:
    """The folder that a hub's model is downloaded to, once; only the files that are needed."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 (slow to import)

    try:
        return Path(snapshot_download(name, allow_patterns=list(WANTED)))
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise _refused(
            name, f"is neither a folder nor a model that can be fetched from the hub: {reason}"
        ) from error


def _longest(folder: Path) -> int:
    found = _read(folder / "sentence_bert_config.json").get("max_seq_length")
    return found if isinstance(found, int) and found > 0 else LONGEST


def _read(path: Path) -> dict[str, Any]:
    """A configuration; empty where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
