"""Sentence encoders as ONNX exports, with a model that is small enough to check by hand."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from newsletter.core.errors import SettingsError
from newsletter.ranking import encoders, feature_space
from newsletter.ranking.encoders import encoder
from newsletter.ranking.feature_space import PaperText
from newsletter.ranking.onnx_encoder import OnnxEncoder
from tests.support.onnx_model import write_model

pytest.importorskip("onnxruntime", reason="not run: the extra onnx is missing")

WORDS = ["galaxies", "stars", "repair", "programs"]
TABLE = np.array(
    [[9, 9, 9], [1, 0, 0], [0.8, 0.6, 0], [0, 0, 2], [0, 1, 1]], np.float32
)  # what padding would add must not be seen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path, WORDS, TABLE)


def test_a_text_is_the_mean_of_its_tokens_whatever_stands_beside_it(folder: Path) -> None:
    texts = ["galaxies", "galaxies stars", "repair programs galaxies repair", " "]
    expected = np.array([[1, 0, 0], [1.8, 0.6, 0], [1, 1, 5], [0, 0, 0]])
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-9)
    found = encoder(str(folder)).encode(texts)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-6)
    alone = np.vstack([encoder(str(folder)).encode([text]) for text in texts])
    assert found == pytest.approx(alone, abs=1e-6)


def test_it_pools_and_truncates_as_its_configuration_says(folder: Path) -> None:
    (folder / "1_Pooling").mkdir()
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    first = OnnxEncoder(str(folder)).encode(["stars galaxies"])
    assert first[0] == pytest.approx([0.8, 0.6, 0], abs=1e-6)
    (folder / "1_Pooling/config.json").write_text("{}")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 1}')
    cut = OnnxEncoder(str(folder)).encode(["galaxies repair repair"])
    assert cut[0] == pytest.approx([1, 0, 0], abs=1e-6)


def test_an_export_without_token_types_is_run_without(tmp_path: Path) -> None:
    folder = write_model(tmp_path, WORDS, TABLE, ("input_ids", "attention_mask"))
    assert encoder(str(folder)).encode(["galaxies"])[0] == pytest.approx([1, 0, 0])


def test_a_feature_space_stands_on_an_export_and_progress_is_told(folder: Path) -> None:
    papers = [PaperText(f"{WORDS[n % 4]} {WORDS[(n + 1) % 4]}") for n in range(40)]
    told: list[tuple[int, int]] = []
    with encoders.watched(lambda done, total: told.append((done, total))):
        space = feature_space.fit(papers, str(folder))
    assert [total for _, total in told] == [40] * len(told)
    assert sorted({done for done, _ in told}) == [done for done, _ in told]
    assert told[-1] == (40, 40)
    assert len(told) > 1
    vectors = space.transform([PaperText("galaxies"), PaperText("stars"), PaperText("repair")])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_numbers_that_are_none_are_refused_with_the_text_that_gave_them(tmp_path: Path) -> None:
    table = TABLE.copy()
    table[3] = np.nan
    broken = encoder(str(write_model(tmp_path, WORDS, table)))
    assert np.isfinite(broken.encode(["galaxies", "stars"])).all()
    with pytest.raises(SettingsError, match=r"NaN or infinite numbers for 1 of 2 texts.*“repair”"):
        broken.encode(["galaxies", "repair"])


@pytest.mark.parametrize("lost", ["model.onnx", "tokenizer.json"])
def test_a_file_that_is_broken_or_missing_is_one_line(folder: Path, lost: str) -> None:
    (folder / lost).write_bytes(b"not what it should be")
    with pytest.raises(SettingsError, match=f"{re.escape(str(folder))} cannot be loaded") as told:
        OnnxEncoder(str(folder))
    assert "\n" not in str(told.value)
    (folder / lost).unlink()
    with pytest.raises(SettingsError, match=r"has no model\.onnx with a tokenizer\.json"):
        OnnxEncoder(str(folder))


def test_a_model_that_cannot_be_fetched_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SettingsError, match="no-such/model is neither a folder nor") as told:
        OnnxEncoder("no-such/model")
    assert "\n" not in str(told.value)
