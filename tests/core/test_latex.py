"""LaTeX of titles and abstracts as one readable line."""

import gzip
import json
import re
from pathlib import Path

import pytest

from newsletter.core.latex.macros import symbol
from newsletter.core.text import clean

CASES = {
    "fonts of every kind": [
        (r"We present \texttt{AstroPipe} and $\texttt{ORAL}$", "We present AstroPipe and ORAL"),
        (r"{\cal N}=4, ${\cal N}=4$, $\mathcal{N}$", "𝒩=4, 𝒩=4, 𝒩"),
        (r"{\bf Bold}, {\sc gringo} and \textsc{Turbo}", "Bold, gringo and Turbo"),
        (r"$\mathbf{\texttt{D}}$ual-$\mathbf{x}_0$", "Dual-x₀"),
        (r"Di$\mathtt{[M]}$O", "Di[M]O"),
        (r"a \mbox{box}, \underline{line}, \textcolor{red}{ink}", "a box, line, ink"),
        (r"$\mathbb{R}^n$, $\mathfrak{g}$, $\mathbbm{1}$", "ℝⁿ, 𝔤, 𝟙"),
        (r"the class $\mathcal{SPACE}$", "the class SPACE"),
        (r"$\tt A^\tt 3$", "A³"),
    ],
    "scripts whole or readable": [
        (r"$R_{\rm eff}$ and $T_{\mathrm{obs}}$ and $M_{\text{Pl}}c$", "R_eff and T_obs and M_Pl c"),
        (r"$\sigma_{ij}$, $\nu_{e}$, $\ell_{2,1}$", "σᵢⱼ, νₑ, ℓ₂,₁"),
        (r"VISTA$_{\text{omni}}$ and mAP\textsubscript{50}", "VISTA_omni and mAP₅₀"),
        (r"$\sum_{i=1}^{n} x_i$", "∑ᵢ₌₁ⁿ xᵢ"),
        # A full stop cannot be raised: the exponent stays readable whole.
        (r"$10^{-3.5}$, $10^{4.5}$, $M^{0.25}$, $z_{0.5}$", "10^(-3.5), 10^4.5, M^0.25, z₀.₅"),
        (r"$10^{-3}$, 10$^{-6}$, $10^-3$, $10^12$, 10^{17}", "10⁻³, 10⁻⁶, 10⁻³, 10¹², 10¹⁷"),
        (r"$A^{\top}$, $B^T$, $x^{*}$, $H^\dagger$, $f'(x)$", "A^⊤, Bᵀ, x*, H†, f′(x)"),
        (r"${a+b}^2$ and $\frac{a}{b}^2$", "(a+b)² and (a/b)²"),
        (r"$E_{x_T}$ of ${\bf x}^{d\times k}$", "E_(x_T) of x^(d×k)"),
        (r"\sigma_{ij} without dollars, AP_{50}", "σᵢⱼ without dollars, AP₅₀"),
        (r"20$^{th}$, 1\textsuperscript{st}, H$^{\mathbf{3}}$DP", "20ᵗʰ, 1st, H³DP"),
        (r"90$^\circ$ and $45^{\circ}$C", "90° and 45°C"),
    ],
    "fractions, roots, delimiters, functions": [
        (r"$\frac{a+b}{c}$, $\frac12$, $\dfrac{1}{2n}$, $\nicefrac{1}{3}$", "(a+b)/c, 1/2, 1/(2n), 1/3"),
        (r"$3\frac{1}{2}$ and $\frac{1}{2}x$", "3 1/2 and 1/2 x"),
        (r"${a+1 \over b}$ and ${n \choose k}$", "(a+1)/b and (n choose k)"),
        (r"$\sqrt{x}$, $\sqrt 2$, $\sqrt{n+1}$, $\sqrt[3]{x}$, $\sqrt[n]{2}$", "√x, √2, √(n+1), ∛x, ⁿ√2"),
        (r"$\left(a\right)$, $\bigl[b\bigr]$, $\left.f\right|_0$, $\left\{x\right\}$", "(a), [b], f|₀, {x}"),
        (r"$\operatorname{Tr}\rho$, $2\log n$, $O(n\log\log n)$", "Tr ρ, 2 log n, O(n log log n)"),
        (r"$\arg\max_\theta f$ and $\operatorname*{argmin}_x g$", "arg max_θ f and argminₓ g"),
        (r"$\exp\left(\frac{g_i(\vec x)}{h_i(\vec x)}\right)$", "exp(gᵢ(x⃗)/hᵢ(x⃗))"),
        (r"$\hat{x}$, $\tilde\theta$, $\bar{\mathbf{y}}$, $\overline{AB}$, $\widehat{SLE}$", "x̂, θ̃, ȳ, A̅B̅, SLE"),
        (r"$\ket{\psi}$, $\langle x,y\rangle$, $\|x\|_2$, $\lfloor x \rfloor$", "|ψ⟩, ⟨x,y⟩, ‖x‖₂, ⌊x⌋"),
        (r"$x \not\in A$ and $a\not=b$", "x ∉ A and a≠b"),
        (r"$\begin{pmatrix} a & b \\ c & d \end{pmatrix}$", "(a, b; c, d)"),
    ],
    "the sciences": [
        (r"10$^{-3}$~M$_{\odot}$~yr$^{-1}$, km\,s$^{-1}$, $\rm{km\,s^{-1}}$", "10⁻³ M_⊙ yr⁻¹, km s⁻¹, km s⁻¹"),
        (r"12$^{\rm h}$30$^{\rm m}$, $5^{\prime\prime}$, 5$^{\rm o}$, [O\,{\sc iii}]", "12ʰ30ᵐ, 5″, 5°, [O iii]"),
        (r"$^{12}$C/${}^{13}$C, Bi$_2$Se$_3$, YBa$_2$Cu$_3$O$_{7-\delta}$", "¹²C/¹³C, Bi₂Se₃, YBa₂Cu₃O_(7-δ)"),
        (r"$\sqrt{s}=13$ TeV, $B \to K^{*} \mu^{+}$, $p\bar{p}$, $\Delta m^2_{31}$", "√s=13 TeV, B → K* μ⁺, pp̄, Δm²₃₁"),
        (r"$C^{1,\alpha}$, $L^\infty$, $\mathbb Z_p$, $\mathbb{F}_{q^2}$, $a \equiv b \pmod{n}$", "C^(1,α), L^∞, ℤₚ, 𝔽_(q²), a ≡ b (mod n)"),
        (r"$\frac{d}{dx}$, $\frac{\partial u}{\partial t}$, $\mathcal{O}(\frac{1}{\sqrt{n}})$", "d/dx, ∂u/∂t, 𝒪(1/√n)"),
        (r"$\underset{x}{\arg\min}\, f$, $\overset{d}{=}$, $\lvert x \rvert$", "arg minₓ f, =ᵈ, |x|"),
    ],
    "symbols and the space around them": [
        (r"$\alpha \beta = \gamma$ in $\Lambda CDM$ and $\Delta E$", "αβ = γ in ΛCDM and ΔE"),
        (r"$n\times n$, $d \times k$, $x\in\mathbb{R}$, $a \leq b$", "n×n, d × k, x∈ℝ, a ≤ b"),
        (r"$\sim 20$ and $\geq 5$ and 4$\times$RTX", "∼20 and ≥5 and 4×RTX"),
        (r"a\,b, 10\,000 and 5{,}000; \quad c\!d", "a b, 10 000 and 5,000; cd"),
        (r"M$_\odot$, \AA, 5~\si{\kilo\meter}, \SI{3}{\hertz}", "M_⊙, Å, 5 km, 3 Hz"),
        (r"\ce{H2O}, \ce{SO4^{2-}} and \ce{A -> B}", "H₂O, SO₄²⁻ and A → B"),
        (r"Activision$^\circledR$ 1\textpertenthousand\ {\S} 112", "Activision® 1‱ § 112"),
    ],
    "quotation marks and dashes": [
        ("see ``quoted'' and `single' text", "see “quoted” and ‘single’ text"),
        (r"``\emph{x} and $y$''; ``half\"; ''both''", "“x and y”; “half”; “both”"),
        ("pages 1--10, Runge--Kutta -- and so---on", "pages 1–10, Runge–Kutta – and so—on"),
    ],
    "accents": [
        (r"Schr\"odinger, Erd\H{o}s, Mici\'c, \'{\i}, na\"{\i}ve", "Schrödinger, Erdős, Micić, í, naïve"),
        (r"\v{S}torgel, \c{C}elik, \aa, S\o ren, Stra\ss e, \L{}ukasz", "Štorgel, Çelik, å, Søren, Straße, Łukasz"),
        (r"r{é}seau, {\'e}cole, It\^o, vis-\`a-vis", "réseau, école, Itô, vis-à-vis"),
        (r"it\'s, don\'t, the \"best\" one", 'it\'s, don\'t, the "best" one'),
        (r"(\r{ho} = 0.34) and \b{eta}-chains", "(ρ = 0.34) and β-chains"),
    ],
    "unknown macros keep what they were given": [
        (r"\mytool{AstroPipe} and \other[x=1]{A}{B}", "AstroPipe and A B"),
        (r"\ours{} is \ours\ and \method, \ours~too", "ours is ours and method, ours too"),
        (r"$\mymetric{x}$ of $\score$", "x of score"),
    ],
    "what points elsewhere goes": [
        (r"as shown~\cite{a,b}, \citep[p.~3]{c}", "as shown,"),
        (r"localization \ref{loc}, and Section~\ref{s}.", "localization, and Section."),
        (r"(\cite{x}) text [\citealp{y}; \autocite{z}] more", "text more"),
        ("text\\label{eq:1} % a note to ourselves\nmore\\vspace{2mm} text", "text % a note to ourselves more text"),
        ("% a whole line\nThe \\emph{text}", "The text"),
    ],
    "environments": [
        (r"\begin{equation} x = 1 \end{equation} holds", "x = 1 holds"),
        (r"\begin{itemize}\item one \item two\end{itemize}", "• one • two"),
        (r"\begin{enumerate}\item one \item two\end{enumerate}", "(1) one (2) two"),
        (r"\begin{abstract}We count.\end{abstract}", "We count."),
        (r"a \[ x^2 \] b $$y$$ c \(z\)", "a x² b y c z"),
        (r"$\begin{cases} 1 & x>0 \\ 0 \end{cases}$", "{1, x>0; 0}"),
    ],
    "broken input": [
        (r"cut off in \textbf{a group", "cut off in a group"),
        (r"\href{https://a.org/x_y", "https://a.org/x_y"),
        (r"SALAD}(Structure) and CASME}$^2$", "SALAD(Structure) and CASME²"),
        (r"$x^{2$ and then", "x² and then"),
        (r"\frac{a and \begin{foo", "a and"),
        (r"$a$$b$ and $2\times$$\sim$$3$", "ab and 2×∼3"),
    ],
    "links": [
        (r"\href{https://a.org/b_c~d}{code} at \url{https://a.org/x\_y}", "code (https://a.org/b_c~d) at https://a.org/x_y"),
        (r"\href{https://a.org}{\texttt{https://a.org}}", "https://a.org"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("source", "shown"), [case for cases in CASES.values() for case in cases])
def test_latex_reads_as_its_author_meant_it(source: str, shown: str) -> None:
    assert clean(source) == shown
    assert clean(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "costs $5 and $6, or US$5 million to A$7",
        "$HOME and $PATH are variables, Ke$ha and A$AP are names",
        "from $3 per month in 2020 to $9 in 2024_final",
        "snake_case, a_b and x^2 are plain text; 2^10 too",
        "Sets {1, 2, 3} and {a, b}, a {name} in a template, an empty {}",
        "about ~9%, 10~20 mg, z~6 quasars, ~/home/user",
        "p<0.05, a < b, x>y & R&D",
        "use --verbose, C-- and i--; `snake_case` and ```code```",
        "a 5'' telescope, don't, the '90s, rock 'n' roll",
        r"C:\Users\ada and a double newline (\n\n)",
        "https://a.org/~ada/x_y--z?a=b%20c#$d",
        "100% of 50 % of it",
    ],
)
def test_text_that_is_not_latex_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_every_macro_pylatexenc_knows_a_character_for_becomes_that_character() -> None:
    for name in ("aleph", "nsubseteq", "rightleftharpoons", "textturnk", "cyrya", "hookrightarrow"):
        sign = symbol(name)
        assert sign is not None
        assert clean(rf"a ${{\{name}}}$ b") == f"a {sign} b"


@pytest.mark.parametrize(
    "unit",
    [r"\left", r"\cite[a][", r"\sqrt[", r"\verb|", r"\begin{a}", r"\over", r"{\cal ", "$x{", "_{", "``"],
)  # fmt: skip
def test_hostile_repetition_stays_short(unit: str) -> None:
    assert len(clean(unit * 5_000)) <= 5_000 * len(unit)


def test_no_latex_is_left_in_real_titles_and_hardly_any_in_real_abstracts(corpus: Path) -> None:
    left = {"title": 0, "abstract": 0}
    papers = 0
    with gzip.open(corpus / "ranking/arxiv-2025/arxiv.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            papers += 1
            for kind in left:
                shown = clean(row[kind])
                left[kind] += (
                    re.search(r"[\\{}]|\bf?text(?:bf|it|tt|sc)\b|mathbb|sqrt", shown) is not None
                )
                assert clean(shown) == shown
    assert left["title"] == 0
    assert left["abstract"] * 1000 <= papers
