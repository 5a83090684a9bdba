"""Titles and abstracts read right in an inbox."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.core.text import clean


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (r"$\mathcal{B}$-Coder: Value-Based RL", "ℬ-Coder: Value-Based RL"),
        (r"by 27.5\% and 62.4% accuracy", "by 27.5% and 62.4% accuracy"),
        ('T\\"ulu and n\\~ao and Erd\\H{o}s', "Tülu and não and Erdős"),
        (r"results on {\benchmark} show", "results on benchmark show"),
        (r"We assess \framework using three", "We assess framework using three"),
        (r"(Evo\textbf{Lved Sign Momentum})", "(EvoLved Sign Momentum)"),
        (r"\textgreater 1B parameters", "> 1B parameters"),
        (r"$10^{-3}$, $O(n^2)$, $x_{\text{max}}$", "10⁻³, O(n²), x_max"),
        (r"$\mathbb{R}^{d \times k}$ and $ x = 3 $", "ℝ^(d × k) and x = 3"),
        (r"a 5$\times$4 grid at $\sim$20 fps", "a 5×4 grid at ∼20 fps"),
        (r"90$^\circ$ and 90\deg", "90° and 90°"),
        (r"\emph{not $x_1$ but} code {\bf here}", "not x₁ but code here"),
        (r"at \href{https://a.b/c_d~e}{https://a.b/c_d~e}.", "at https://a.b/c_d~e."),
        (r"code \href{https://a.b}{here}", "code here (https://a.b)"),
        (r"train \& test C\# data\footnote{Soon}", "train & test C# data (Soon)"),
        ("an abstract that was cut in \\textbf{a group", "an abstract that was cut in a group"),
    ],
)
def test_latex_becomes_unicode(source: str, shown: str) -> None:
    assert clean(source) == shown


@pytest.mark.parametrize(
    "text",
    [
        "costs $5 and $10 each, $0.43 USD on average",
        "the <unk> token and <think> tags where a < b and c > d",
        "about ~9% of 94% ~ 96%",
        "R&D at AT&T, x&parameter",
        "under 1% of {1, 2, 3}",
        "0",
    ],
)
def test_what_only_looks_like_markup_stays(text: str) -> None:
    assert clean(text) == text


def test_formatting_markup_goes_and_entities_are_resolved() -> None:
    assert clean("<jats:p>H<sub>2</sub>O &amp; <i>E. coli</i></jats:p>") == "H₂O & E. coli"
    assert clean("&lt;p&gt;escaped twice &amp;amp; more&lt;/p&gt;") == "escaped twice & more"


def test_white_space_and_invisible_characters_go() -> None:
    assert clean("hard\n  wrapped\ttext\u00a0here") == "hard wrapped text here"
    assert clean("a\x00b \u202egnp.exe\u202c c\ufeff \ud800d") == "a b gnp.exe c d"


@given(
    st.text(alphabet=st.sampled_from("\\$%{}[]()^_~&#<>/ab \n\"'=.1é\u202e\ue000"), max_size=200)
)
def test_any_text_gives_one_clean_line(text: str) -> None:
    shown = clean(text)
    assert shown == " ".join(shown.split())
    assert not any(0xE000 <= ord(character) <= 0xF8FF for character in shown)
    assert shown.encode("utf-8").decode() == shown


@pytest.mark.parametrize("unit", ["{", "\\textbf{", "$", "\\(", "~", "<a ", "^{", "&#", "\\left"])
def test_hostile_repetition_is_survived(unit: str) -> None:
    assert len(clean(unit * 20_000)) <= 20_000 * len(unit)
