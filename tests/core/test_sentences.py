"""Text is cut where sentences end, and nowhere else."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.core import sentences as dividing
from newsletter.core.sentences import sentences, spans_of


@pytest.mark.parametrize(
    "whole",
    [
        "We extend the model of Smith et al. (2019) to noise.",
        "We extend the model of Smith et al. We call it Smith+.",
        "The trend of Fig. 3 and Figs. 4-6 holds for Eq. (7), Sec. 2 and Tab. 1 too.",
        "J. R. R. Tolkien and A. Smith wrote it with Ph. D. Jones.",
        "Some models, e.g. GPT-4, i.e. large ones, are costly.",
        "We compare cats vs. dogs and B. subtilis vs. E. coli.",
        "Accuracy rises from 3.5 to 4.25 points, a gain of .75 in v2.0 of the code.",
        "We measure approx. 5 min. of it w.r.t. the baseline, cf. Ref. 4.",
        "The code is at https://example.org/a.b.c?d=e.f and at example.com.",
        "Wait... what happens then is unclear.",
        "The no. 5 of vol. 3, pp. 1-4, ed. by the authors.",
    ],
)
def test_a_sentence_is_not_cut_at_dots_that_end_none(whole: str) -> None:
    assert sentences(whole) == (whole,)
    assert sentences(f"It is so. {whole} That is all.") == ("It is so.", whole, "That is all.")


@pytest.mark.parametrize(
    "parts",
    [
        ("Models fail.", "We ask why."),
        ("Is it so?", "Yes!", "We show it."),
        ("Error falls by 2.1%.", "(See below.)", '"Good," they said.', "We agree."),
        ("We train LLMs.", "DPO helps them (a lot).", "The gap closes by 3.", "It stays small."),
        ("We use RoBERTa.", "iPhone users like it.", "mRNA is measured too."),
        ("我们研究了银河系。", "我们发现了暗物质！", "它很暗。"),
        ("Ärzte helfen.", "Élan vital is old.", "Über alles is new."),
    ],
)
def test_sentences_are_cut_where_they_end(parts: tuple[str, ...]) -> None:
    between = "" if parts[0].endswith("。") else " "
    assert sentences(between.join(parts)) == parts


@given(st.text(alphabet='aB. e.g!?()"“。 \n\t0fFig', max_size=300))
@settings(max_examples=200, deadline=None)
def test_spans_are_the_whole_text_in_order(text: str) -> None:
    spans = spans_of(text)
    assert "".join(text[start:end] for start, end in spans) == (text if text.strip() else "")
    assert all(start < end for start, end in spans)


def test_hostile_text_asks_pysbd_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counted(before: str, after: str) -> bool:
        asked.append(len(before) + len(after))
        return False

    monkeypatch.setattr(dividing, "_asked", counted)
    for text in ("Xx. Y" * 5_000, "1x. ) (" * 5_000, ". " * 10_000, "a\n. B\n" * 9_000):
        asked.clear()
        sentences(text)
        assert len(asked) <= dividing.MOST_DOUBTS
        assert all(length <= 2 * dividing.AROUND + 10 for length in asked)


def test_past_what_an_abstract_holds_nothing_is_cut() -> None:
    text = "It is so. " * 10_000
    divided = sentences(text)
    assert len(divided) == dividing.LONGEST // len("It is so. ")
    assert "".join(divided).count("so.") == 10_000


def test_plain_text_is_divided_without_loading_pysbd() -> None:
    script = (
        "import sys; from newsletter.core.sentences import sentences; "
        "sentences('We ask. We find. See Fig. 3.'); print('pysbd' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
