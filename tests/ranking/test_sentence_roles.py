"""The sentence that stands for a paper says what was found or made, not what the field is like."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from newsletter.core.sentences import sentences
from newsletter.core.text import clean
from newsletter.ranking import explanations, sentence_roles

LABELS = Path(__file__).parents[2] / "scripts/sentence-roles.tsv"
ABSTRACTS = [
    (
        "Hospitals keep ever more images. However, few of them are labelled. We train a network on "
        "what radiologists wrote beside them. On 4,000 scans it finds 91% of the tumours, nine "
        "points more than a network trained on labels. These findings may help small clinics.",
        "91%",
    ),
    (
        "Bees are vital for crops. Their routes between flowers are poorly understood. Here we "
        "introduce BeeTrack, a radar that follows forty bees at once over a square kilometre. The "
        "antenna turns once a second. Code is available at https://example.org/bees.",
        "BeeTrack",
    ),
    (
        "Background: Asthma is common and its causes remain unclear. Methods: We followed 120 "
        "children for three years. Results: Living near a main road raised the risk by 18%. "
        "Conclusions: Clean air policies could benefit children in cities.",
        "18%",
    ),
    (
        "The Collatz map has been studied for decades. Many bounds are known. We prove that almost "
        "all orbits attain almost bounded values. The proof uses a renewal process on the 3-adics.",
        "We prove",
    ),
]


def in_short(abstract: str) -> str:
    divided = sentences(abstract)
    worth = sentence_roles.worth(divided)
    place = int(explanations.in_short(worth[None], worth[None])[0])
    return divided[place] if place >= 0 else ""


@pytest.mark.parametrize(("abstract", "says"), ABSTRACTS)
def test_the_finding_or_the_contribution_is_chosen(abstract: str, says: str) -> None:
    assert says in in_short(abstract)


@pytest.mark.parametrize(
    "abstract",
    [
        "",
        "银河系中的暗物质。我们研究了银河系中暗物质的分布。",
        "Code is available at https://example.org/x. Data are available on request.",
        "Withdrawn. Withdrawn by the authors.",
    ],
)
def test_nothing_is_chosen_where_nothing_is_said(abstract: str) -> None:
    assert in_short(abstract) == ""


def test_probabilities_add_up_and_hostile_text_takes_none_of_them_away() -> None:
    several = ("We find it. " * 500, "\x00\ud800", "%" * 9_000, *(["So it is."] * 500))
    found = sentence_roles.roles(several)
    assert found.shape == (503, len(sentence_roles.ROLES))
    assert found.sum(axis=1) == pytest.approx(np.ones(503), abs=1e-5)


def test_among_good_sentences_the_readers_interest_decides_and_never_for_background() -> None:
    worth = np.array([[0.05, 0.80, 0.85, 0.30]], np.float32)
    for likes, chosen in (([9, 5, 1, 9], 1), ([9, 1, 5, 9], 2), ([0, 0, 0, 0], 2)):
        assert explanations.in_short(np.array([likes], np.float32), worth).tolist() == [chosen]


def test_of_hand_labelled_abstracts_few_show_background_and_most_a_result(corpus: Path) -> None:
    labels = {
        number: roles
        for use, number, roles in (
            line.split("\t") for line in LABELS.read_text(encoding="utf-8").splitlines()[1:]
        )
        if use == "judging"
    }
    with gzip.open(corpus / "ranking/arxiv-2025/arxiv.jsonl.gz", "rt", encoding="utf-8") as lines:
        papers = {row["id"]: clean(row["abstract"]) for row in map(json.loads, lines)}
    chosen = []
    for number, roles in labels.items():
        divided = sentences(papers[number])
        said = in_short(papers[number])
        chosen.append(roles[divided.index(said)] if said else "-")
    assert len(chosen) == 200
    assert chosen.count("B") <= 0.10 * 200
    assert chosen.count("R") + chosen.count("P") >= 0.80 * 200
