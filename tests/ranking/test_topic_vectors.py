"""What evidence adds up to, and when others' likes are allowed a say."""

import io

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from newsletter.ranking import collaborative, collaborative_check, feature_space, topic_vectors
from newsletter.ranking.encoders import Vectors, unit
from newsletter.ranking.feature_space import PaperText
from newsletter.ranking.topic_vectors import Basis

SUBJECTS = ["program repair", "dark matter", "protein folding", "graph theory", "coral reefs"]
WORDS = ["fast", "deep", "robust", "simple", "large", "local", "joint", "open", "smooth", "rare"]
TEXTS = [
    PaperText(f"{word.title()} {subject} by {method} methods")
    for subject in SUBJECTS
    for word in WORDS
    for method in ("new", "old", "mixed", "formal")
]


@pytest.fixture(scope="module")
def basis() -> Basis:
    return Basis(feature_space.fit(TEXTS, "wordllama"))


def scores_of(basis: Basis, sums: topic_vectors.Sums) -> Vectors:
    return topic_vectors.combine(basis, sums).vectors @ basis.extend(basis.space.transform(TEXTS)).T


def test_likes_raise_similar_papers_and_one_dislike_does_not_undo_that(basis: Basis) -> None:
    vectors = basis.as_evidence(basis.space.transform(TEXTS))
    sums = topic_vectors.nothing(1, basis.dimensions).plus("likes", vectors[:1])
    liked = scores_of(basis, sums)[0]
    assert liked[:40].mean() > liked[40:].mean() + 1
    mixed = scores_of(basis, sums.plus("dislikes", vectors[1:2]))[0]
    assert mixed[1] - mixed[0] < liked[1] - liked[0]
    assert mixed[:40].mean() > mixed[40:].mean() + 0.5


def test_one_more_like_gives_what_learning_from_all_gives(basis: Basis) -> None:
    vectors = basis.as_evidence(basis.space.transform(TEXTS))
    nothing = topic_vectors.nothing(1, basis.dimensions)
    likes = csr_matrix(np.isin(np.arange(len(TEXTS)), [3, 7, 50])[None, :].astype(np.float32))
    at_once = nothing.plus_likes(likes, vectors)
    added = nothing
    for paper in (3, 7, 50):
        added = added.plus("likes", vectors[paper : paper + 1])
    assert topic_vectors.combine(basis, added).vectors == pytest.approx(
        topic_vectors.combine(basis, at_once).vectors, abs=1e-4
    )


def test_no_evidence_is_a_zero_row(basis: Basis) -> None:
    assert not topic_vectors.combine(
        basis, topic_vectors.nothing(2, basis.dimensions)
    ).vectors.any()


def libraries(subscribers: int, rng: np.random.Generator, *, shared: bool) -> csr_matrix:
    """Two papers each: one of either of two subjects that go together, or any two at random.

    Nothing in the texts says that the subjects go together; only the libraries do.
    """
    rows = np.zeros((subscribers, len(TEXTS)), np.float32)
    for row in rows:
        first = rng.integers(0, len(SUBJECTS))
        second = (first + 2) % len(SUBJECTS)
        pair = [40 * first + rng.integers(0, 40), 40 * second + rng.integers(0, 40)]
        row[pair if shared else rng.choice(len(TEXTS), 2, replace=False)] = 1
    return csr_matrix(rows)


def test_others_have_a_say_where_held_out_likes_are_found_better(
    basis: Basis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of forty held-out papers the first eight are on the one subject known to be liked.
    monkeypatch.setattr(collaborative_check, "FOUND_IN", 2)
    rng = np.random.default_rng(0)
    content = basis.space.transform(TEXTS)
    ids = np.arange(len(TEXTS))
    helps, found = collaborative_check.collaborate(
        basis.space, content, libraries(600, rng, shared=True), ids
    )
    assert helps is not None
    assert found.with_others > found.without
    useless, _ = collaborative_check.collaborate(
        basis.space, content, libraries(600, rng, shared=False), ids
    )
    assert useless is None
    few, asked = collaborative_check.collaborate(
        basis.space, content, libraries(20, rng, shared=True), ids
    )
    assert few is None
    assert asked.subscribers == 0


def test_what_others_liked_survives_storage_and_knows_papers_nobody_saw(basis: Basis) -> None:
    content = basis.space.transform(TEXTS)
    likes = libraries(200, np.random.default_rng(1), shared=True)
    fitted = collaborative.fit(content, likes, np.arange(len(TEXTS)) + 1_000)
    again = collaborative.load(fitted.dump())
    assert again.factors(content) == pytest.approx(fitted.factors(content), abs=1e-5)
    joined = Basis(basis.space, again)
    known = joined.as_evidence(content[:3], np.array([1_000, 5, 1_002]))
    assert known.shape == (3, joined.dimensions)
    assert known[:, basis.space.dimensions :].any(axis=1).all()


METHODS = ("new", "old", "mixed", "formal")
ASKED = "Fast graph theory by new methods"
SAME_SUBJECT, SAME_METHOD = "Rare graph theory by old methods", "Fast dark matter by new methods"


def liking_all(groups: list[str]) -> csr_matrix:
    """Ten subscribers for each group, who like every other paper with that word."""
    rows = [
        [float(group in text.title and n % 10 != 3 + turn % 3) for n, text in enumerate(TEXTS)]
        for group in groups
        for turn in range(10)
    ]
    return csr_matrix(np.array(rows, np.float32))


@pytest.mark.parametrize(
    ("groups", "same", "different"),
    [
        (SUBJECTS, SAME_SUBJECT, SAME_METHOD),
        ([f"by {method}" for method in METHODS], SAME_METHOD, SAME_SUBJECT),
    ],
)
def test_words_count_by_whether_they_tell_what_is_liked_together(
    basis: Basis, groups: list[str], same: str, different: str
) -> None:
    content = basis.space.transform(TEXTS)
    fitted = collaborative.fit(content, liking_all(groups), np.arange(len(TEXTS)))
    texts = [PaperText(title) for title in (ASKED, same, different)]
    rows = unit(fitted.factors(basis.space.transform(texts)))
    near, far = rows[1:] @ rows[0]
    assert near > far + 0.3


def test_likes_that_nobody_shares_say_nothing(basis: Basis) -> None:
    content = basis.space.transform(TEXTS)
    alone = csr_matrix(np.eye(len(TEXTS), dtype=np.float32))
    fitted = collaborative.fit(content, alone, np.arange(len(TEXTS)))
    assert np.isfinite(fitted.likes_of(content)).all()
    assert fitted.factors(content) == pytest.approx(0, abs=1e-6)


def test_papers_beyond_the_landmarks_have_factors_by_their_content(
    basis: Basis, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = basis.space.transform(TEXTS)
    likes = libraries(400, np.random.default_rng(1), shared=True)
    monkeypatch.setattr(collaborative, "LANDMARKS", 100)
    fitted = collaborative.fit(content, likes, np.arange(len(TEXTS)))
    assert len(fitted.landmarks) == 100
    scores = fitted.likes_of(content, np.arange(len(TEXTS))) @ fitted.factors(content).T
    subject = np.arange(len(TEXTS)) // 40
    apart = (subject[:, None] - subject) % 5
    assert scores[(apart == 2) | (apart == 3)].mean() > 2 * scores[(apart == 1)].mean()


def test_what_was_stored_before_there_was_a_metric_is_read(basis: Basis) -> None:
    content = basis.space.transform(TEXTS)
    likes = libraries(200, np.random.default_rng(1), shared=True)
    fitted = collaborative.fit(content, likes, np.arange(len(TEXTS)))
    with np.load(io.BytesIO(fitted.dump()), allow_pickle=False) as stored:
        before = {name: stored[name] for name in stored if name != "metric"}
    before["landmarks"] = content.astype(np.float16)
    buffer = io.BytesIO()
    np.savez(buffer, **before)
    again = collaborative.load(buffer.getvalue())
    kernel = np.exp((content @ again.landmarks.T - 1) / collaborative.WIDTH)
    assert again.factors(content) == pytest.approx(kernel @ again.coefficients, abs=1e-3)


def test_one_like_a_thousand_and_likes_that_contradict_each_other_give_sound_scores(
    basis: Basis,
) -> None:
    content = basis.space.transform(TEXTS)
    vectors = basis.as_evidence(content)
    nothing = topic_vectors.nothing(1, basis.dimensions)
    one = nothing.plus("likes", vectors[:1])
    many = nothing.plus_likes(csr_matrix(np.full((1, 40), 25, np.float32)), vectors[:40])
    torn = one.plus("dislikes", vectors[:1])
    everything = nothing.plus_likes(csr_matrix(np.ones((1, len(TEXTS)), np.float32)), vectors)
    for sums in (one, many, torn, everything):
        assert np.isfinite(scores_of(basis, sums)).all()
    assert scores_of(basis, one)[0].argmax() == 0
    assert set(np.argsort(-scores_of(basis, many)[0])[:40]) == set(range(40))
    # A like counts four times what a dislike does: both of one paper leave a weak like.
    assert scores_of(basis, torn)[0].argmax() == 0


def test_papers_without_abstracts_are_found_among_papers_with_them() -> None:
    about = [PaperText(f"Coral reefs {n}", f"Reefs of the sea bleach in {n} ways.") for n in "abcd"]
    bare = [PaperText("Bleaching of coral reefs")]
    others = [PaperText(f"Dark matter {n}", f"Galaxies and halos, part {n}.") for n in range(40)]
    basis = Basis(feature_space.fit([*about, *bare, *others], "wordllama"))
    sums = topic_vectors.nothing(1, basis.dimensions)
    for vector in basis.as_evidence(basis.space.transform(about)):
        sums = sums.plus("likes", vector[None])
    candidates = basis.extend(basis.space.transform([*others, *bare]))
    assert (topic_vectors.combine(basis, sums).vectors @ candidates.T)[0].argmax() == len(others)
