"""What of an abstract matters to its reader: sentences to mark, and the one in short. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from newsletter.ranking import explanations
from newsletter.ranking.candidates import Candidates
from newsletter.ranking.encoders import Vectors


def passages(
    candidates: Candidates, vectors: Vectors, homes: NDArray[np.int64], papers: NDArray[np.int64]
) -> tuple[list[tuple[str, ...]], list[str]]:
    """For K picks: the sentences to mark, and the one that says in short what was found, or "".

    Each pick is a candidate in ``papers`` (K,) and the row in ``homes`` (K,) of the topics'
    ``vectors`` (T, D). A paper's readers are taken together.
    """
    if candidates.sentences is None or not len(papers):
        return [()] * len(papers), [""] * len(papers)
    shown, number_of = np.unique(papers, return_inverse=True)
    sentences = candidates.sentences(shown.tolist())
    counts = np.array([len(each.texts) for each in sentences])
    order = np.argsort(number_of, kind="stable")
    edges = np.searchsorted(number_of[order], np.arange(len(shown) + 1)).tolist()
    readers, content = homes[order], np.ascontiguousarray(vectors[:, : len(candidates.ridge)])
    scores = np.zeros((len(papers), int(counts.max())), np.float32)
    worth = np.zeros((len(shown), scores.shape[1]), np.float32)
    known_before = np.zeros(worth.shape, bool)
    for index, (each, start, end) in enumerate(zip(sentences, edges[:-1], edges[1:], strict=True)):
        mine = content.take(readers[start:end], axis=0)
        np.matmul(mine, each.vectors.T, out=scores[start:end, : len(each.texts)])
        worth[index, : len(each.texts)] = each.worth
        known_before[index, : len(each.texts)] = each.background
    chosen = np.empty((len(papers), 3), np.int64)
    said = explanations.in_short(scores, worth[number_of[order]])
    # What stands in short above is not marked again, and what everybody knows never is.
    scores[known_before[number_of[order]]] = -np.inf
    scores[np.flatnonzero(said >= 0), said[said >= 0]] = -np.inf
    chosen[order, 2] = said
    chosen[order, :2] = explanations.highlights(scores, counts[number_of[order]])
    texts_of = [sentences[index].texts for index in number_of.tolist()]
    marked: list[tuple[str, ...]] = [
        (texts[first], texts[second]) if second >= 0 else (texts[first],) if first >= 0 else ()
        for texts, (first, second, _) in zip(texts_of, chosen.tolist(), strict=True)
    ]
    short: list[str] = [
        texts[sentence] if sentence >= 0 and len(texts) > 1 else ""
        for texts, sentence in zip(texts_of, chosen[:, 2].tolist(), strict=True)
    ]
    return marked, short


def in_short_for_anybody(candidates: Candidates, papers: Sequence[int]) -> list[str]:
    """The sentence that says what was found in each candidate, for who named no interest."""
    if candidates.sentences is None:
        return [""] * len(papers)
    chosen = []
    for each in candidates.sentences(papers):
        sentence = int(explanations.in_short(each.worth[None], each.worth[None])[0])
        chosen.append(each.texts[sentence] if sentence >= 0 and len(each.texts) > 1 else "")
    return chosen
