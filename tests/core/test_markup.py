"""HTML, JATS and MathML as text: what carries meaning stays, what only decorates goes."""

from xml.etree.ElementTree import fromstring

import pytest

from newsletter.core.markup import Plain, read_markup, text_of
from newsletter.core.text import clean


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("10<sup>-3.5</sup> M and 10<sup>4.5</sup>", "10^(-3.5) M and 10^4.5"),
        ("10<sup>−3</sup> M at 10<jats:sup>-6</jats:sup> mol m<sup>–2</sup>", "10⁻³ M at 10⁻⁶ mol m⁻²"),
        ("H<sub>2</sub>O, Ca<sup>2+</sup>, PM<sub>2.5</sub>, CD4<SUP>+</SUP>, <sup>13</sup>C", "H₂O, Ca²⁺, PM₂.₅, CD4⁺, ¹³C"),
        ("R<sub>eff</sub>, C<sub>max</sub>, KRAS<sup>G12D</sup>", "R_eff, C_max, KRAS^G12D"),
        ("the 19<sup>th</sup> century, <sup>99m</sup>Tc", "the 19th century, 99mTc"),
        ("<i>E. coli</i> in <span class='x'>a</span> <jats:bold>b</jats:bold>", "E. coli in a b"),
        ("<jats:sec><jats:title>Aim</jats:title><jats:p>We.</jats:p></jats:sec>", "Aim We."),
        ("one<br/>two<p>three<li>four", "one two three four"),
        ("<script>alert(1)</script><img src=x onerror=y><style>p{}</style>Text", "Text"),
        ("a <!-- remark --> b <![CDATA[c < d]]>", "a b c < d"),
        ("cut off <img src=\"https://a.org/x.p", "cut off"),
    ],
)  # fmt: skip
def test_decoration_goes_and_scripts_stay(source: str, shown: str) -> None:
    assert clean(source) == shown


MATHML = {
    "<msup><mn>10</mn><mrow><mo>−</mo><mn>3</mn></mrow></msup>": "10⁻³",
    "<msub><mi>R</mi><mi>eff</mi></msub>": "R_eff",
    "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>": "xᵢ²",
    "<mfrac><mn>1</mn><mn>2</mn></mfrac>": "1/2",
    "<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mrow><mn>2</mn><mi>n</mi></mrow></mfrac>": "(a+b)/(2n)",
    "<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>": "√(x+1)",
    "<mroot><mi>x</mi><mn>3</mn></mroot>": "∛x",
    "<mover><mi>x</mi><mo>¯</mo></mover>": "x̄",
    "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>": "∑ᵢ₌₁ⁿ",
    "<mmultiscripts><mi>C</mi><mprescripts/><none/><mn>13</mn></mmultiscripts>": "¹³C",
    "<semantics><mi>x</mi><annotation>x_TeX</annotation></semantics>": "x",
    "\n  <mrow>\n <mi>a</mi>\n <mo>=</mo>\n <mi>b</mi> </mrow>\n": "a=b",
}  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "mml:"])
@pytest.mark.parametrize("formula", MATHML)
def test_formulas_in_mathml_keep_their_meaning(formula: str, prefix: str) -> None:
    marked = f"<math>{formula}</math>"
    if prefix:
        marked = marked.replace("</", "<#").replace("<", "<mml:").replace("<mml:#", "</mml:")
    assert clean(f"A {marked} B") == f"A {MATHML[formula]} B"


def test_formulas_in_parsed_xml_are_read_by_the_same_rules() -> None:
    element = fromstring(
        "<t>At <i>p</i> = 10<sup>−3</sup>, <m:math xmlns:m='x'><m:mfrac><m:mn>1</m:mn><m:mn>2</m:mn>"
        "</m:mfrac></m:math> of R<sub>eff</sub></t>"
    )
    assert text_of(element) == "At p = 10⁻³, 1/2 of R_eff"


def test_a_formula_that_comes_twice_is_read_once() -> None:
    tex = r"<tex-math>\documentclass{minimal}\begin{document}$$x^{2}$$\end{document}</tex-math>"
    mathml = "<mml:math><mml:msup><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:msup></mml:math>"
    assert clean(f"<alternatives>{tex}{mathml}</alternatives> y") == "x² y"
    assert clean(f"{tex} y") == "x² y"


@pytest.mark.parametrize(
    "text",
    [
        "M<M_sun and R>R_sun in clusters",
        "z<z_c holds, while x>y",
        "if a<b and c>d or i<j, p<0.05",
        "the <unk> token, <think> and </think>, <image> and <s>",
        "A study of <animate> in SVG",
        "the lone <b> and <i> of old pages",
        "vector<int> and map<string, list<a>>",
        "R&D at AT&T, a &b; and &copy without its end",
    ],
)
def test_what_begins_like_a_tag_and_is_none_is_text(text: str) -> None:
    assert clean(text) == text


def test_entities_are_resolved_once_and_what_they_make_is_no_tag() -> None:
    assert read_markup("<p>How &lt;b&gt;bold&lt;/b&gt; works</p>") == "How <b>bold</b> works"
    assert read_markup("<i>AT&amp;amp;T</i>") == "AT&amp;T"
    assert clean(Plain("How <b>bold</b> works &amp; why")) == "How <b>bold</b> works &amp; why"
    # Escaped as a whole, as some deposits are, it is still markup.
    assert clean("&lt;p&gt;10&lt;sup&gt;-3&lt;/sup&gt; &amp;amp; more&lt;/p&gt;") == "10⁻³ & more"


@pytest.mark.parametrize(
    "unit", ["<b>", "</b>", "<p ", "<a b='", "<math><msup>", "<!--", "&lt;b&gt;"]
)
def test_hostile_repetition_of_markup_is_survived(unit: str) -> None:
    assert len(clean(unit * 5_000)) <= 5_000 * len(unit)
