"""What LaTeX macros are: which arguments they take, and which character they stand for.

Characters come from pylatexenc's table of some 900 macros; what authors of abstracts write
beyond it (packages, astronomers' and physicists' habits, journals' styles) is added here.
Arguments are written as "m" for one that must come, "o" for one in square brackets, "s" for a
star.
"""

import re
from functools import cache

from pylatexenc import latex2text

from newsletter.core.latex import words

# Shown as their last argument: fonts, boxes, colours, and what only tells TeX about spacing.
_SHOWN = {
    "m": """emph text textbf textit textrm textsf texttt textsc textsl textup textmd textlf
    textnormal textsw textulc textin underline uline uuline uwave sout st hl ul mbox hbox
    vbox fbox boxed mathrm mathbf mathit mathsf mathtt mathnormal mathsfit bm boldsymbol
    pmb mathbold bold mathop mathrel mathbin mathord mathopen mathclose mathpunct
    mathinner ensuremath operatornamewithlimits underbrace overbrace underbracket
    overbracket cancel bcancel xcancel MakeUppercase MakeLowercase uppercase lowercase
    title subtitle author caption ac acs acl acf acp acro gls Gls glspl Glspl glsentrylong
    path nolinkurl url mathstrut nohyphens centerline leftline rightline textlatin
    textgreek textcyr textcyrillic textnumero intertext shortintertext vcenter
    substack""",
    "sm": "operatorname DeclareMathOperator",
    "om": "makebox framebox smash hyperref parbox mathchoice xmathstrut",
    "mm": """rotatebox texorpdfstring foreignlanguage hyperlink hypertarget colorbox scalebox
    raisebox
    adjustbox inputminted""",
    "omm": "textcolor",
    "mmm": "fcolorbox resizebox multicolumn multirow",
}
# Leave nothing behind.
_SILENT = {
    "": """displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits nonumber notag
    noindent indent centering raggedright raggedleft maketitle tableofcontents protect
    relax left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr
    bigm Bigm biggm Biggm allowbreak nobreak nobreakdash xspace strut ignorespaces unskip
    leavevmode null selectfont normalfont begingroup endgroup bgroup egroup it bf rm sf tt
    sc sl em up itshape bfseries rmfamily sffamily ttfamily scshape slshape upshape
    mdseries tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge
    boldmath unboldmath singlespacing doublespacing hline toprule midrule bottomrule
    appendix bmdefine iffalse iftrue fi else sloppy fussy frenchspacing flushbottom
    onecolumn twocolumn textcompwordmark bfmath sansmath mathversion""",
    "m": """label nocite thanks index input include bibliography bibliographystyle pagestyle
    thispagestyle phantom hphantom vphantom selectlanguage vskip hskip address affiliation
    affil email date pagecolor usetikzlibrary keywords cline acresetall orcid inst""",
    "sm": "vspace hspace tag",
    "sommm": "newenvironment renewenvironment",
    "mm": "setlength addtolength setcounter addtocounter fontsize",
    "mmm": "definecolor",
    "om": "includegraphics color todo usepackage documentclass footnotetext",
    "omm": "rule",
    "o": "footnotemark",
    "smoom": "newcommand renewcommand providecommand",
    "smm": "let newtheorem",
}
# Leave a space.
_PARTING = {
    "": """par newline quad qquad enspace enskip thinspace medspace thickspace space hfill vfill
    hfil vfil smallskip medskip bigskip newpage clearpage nobreakspace linebreak pagebreak
    negthinspace textvisiblespace""",
}
# Shown with something around or between their arguments; the printer knows how.
_BUILT = {
    "": "over choose atop verb LaTeX TeX LaTeXe BibTeX today",
    "o": "item",
    "m": """pmod textsuperscript textsubscript textsuperior textinferior up sp sb footnote url ce cf
    not widehat widetilde overline underbar bar hat tilde vec dot ddot dddot check breve
    acute grave mathring overrightarrow overleftarrow overleftrightarrow slashed section
    subsection subsubsection paragraph subparagraph part chapter unicode char symbol si
    unit num ang ket bra expval ev abs norm floor ceil set enquote textquote braket
    mathcal mathscr mathfrak mathbb mathbbm mathds Bbb frak cal scr symbb symcal symscr
    symfrak""",
    "sm": "section subsection subsubsection paragraph subparagraph",
    "om": "sqrt footnote xrightarrow xleftarrow xleftrightarrow xRightarrow xmapsto",
    "mm": """frac dfrac tfrac cfrac nicefrac sfrac textfrac flatfrac binom dbinom tbinom stackrel
    overset underset href ion ketbra comm dv pdv SI qty SIrange numrange""",
    "ommm": "SIrange",
}
# Open what follows them: the space after their names is none.
OPENING = words("textquotedblleft textquoteleft quotedblbase quotesinglbase lq og slash")
LETTERS = words("o O l L ss ae AE oe OE aa AA i j DH dh TH th DJ dj NG ng")
_NAMES = words(
    """arccos arcsin arctan arccot arcsec arccsc arccosh arcsinh arctanh arg cos cosh cot coth
    csc det dim erf exp gcd hom inf ker lcm lg lim ln log max min mod Pr rank sec sgn sign
    sin sinh sup tan tanh tr Tr Res diag span poly polylog diam vol supp softmax sigmoid
    relu Var Cov MSE"""
)
FUNCTIONS = {name: name for name in _NAMES} | {
    "limsup": "lim sup",
    "liminf": "lim inf",
    "argmax": "arg max",
    "argmin": "arg min",
    "bmod": "mod",
    "varlimsup": "lim sup",
    "varliminf": "lim inf",
}
# Beyond pylatexenc's table, or better than its value for a line that people read.
_SYMBOLS = {
    "prime": "′", "deg": "°", "degree": "°", "textdegree": "°", "degr": "°", "arcdeg": "°",
    "celsius": "°C", "textcelsius": "°C", "arcmin": "′", "arcsec": "″", "fdg": "°", "farcs": "″",
    "farcm": "′", "micron": "µm", "micro": "µ", "textmu": "µ", "angstrom": "Å", "AA": "Å",
    "ohm": "Ω", "euro": "€", "EUR": "€", "pounds": "£", "copyright": "©", "circledR": "®",
    "textregistered": "®", "texttrademark": "™", "S": "§", "P": "¶", "colon": ":",
    "textgreater": ">", "textless": "<", "gt": ">", "lt": "<", "textbar": "|", "textbardbl": "‖",
    "textasciitilde": "~", "textasciicircum": "^", "textunderscore": "_", "textdollar": "$",
    "textbraceleft": "{", "textbraceright": "}", "lbrace": "{", "rbrace": "}", "lbrack": "[",
    "rbrack": "]", "lparen": "(", "rparen": ")", "textquotesingle": "'", "textquotedbl": '"',
    "textperthousand": "‰", "permil": "‰", "perthousand": "‰", "percent": "%", "textpercent": "%",
    "coloneqq": "≔", "coloneq": "≔", "eqdef": "≝", "defeq": "≔", "triangleq": "≜", "doteq": "≐",
    "vcentcolon": ":", "iff": "⟺", "implies": "⟹", "impliedby": "⟸", "land": "∧", "lor": "∨",
    "lnot": "¬", "neg": "¬", "ne": "≠", "gets": "←", "owns": "∋", "wr": "≀", "top": "⊤", "bot": "⊥",
    "perp": "⊥", "lsim": "≲", "gsim": "≳", "la": "≲", "ga": "≳", "simlt": "≲", "simgt": "≳",
    "lesssim": "≲", "gtrsim": "≳", "sun": "☉", "Sun": "☉", "earth": "⊕", "Msun": "M⊙", "msun": "M⊙",
    "Lsun": "L⊙", "lsun": "L⊙", "Rsun": "R⊙", "rsun": "R⊙", "Zsun": "Z⊙", "kms": "km s⁻¹",
    "kmps": "km s⁻¹", "lya": "Lyα", "Lya": "Lyα", "Halpha": "Hα", "HI": "H I", "HII": "H II",
    "ie": "i.e.", "eg": "e.g.", "Ie": "I.e.", "Eg": "E.g.", "etal": "et al.", "etc": "etc.",
    "wrt": "w.r.t.", "iid": "i.i.d.", "aka": "a.k.a.", "vs": "vs.", "viz": "viz.",
    "RR": "ℝ", "NN": "ℕ", "ZZ": "ℤ", "QQ": "ℚ", "CC": "ℂ", "EE": "𝔼", "PP": "ℙ", "FF": "𝔽",
    "reals": "ℝ", "naturals": "ℕ", "integers": "ℤ", "eps": "ε", "veps": "ε", "vareps": "ε",
    "dots": "…", "dotsc": "…", "mathellipsis": "…", "textellipsis": "…", "dotsb": "⋯",
    "lq": "‘", "rq": "’", "slash": "/",
    "checkmark": "✓", "cmark": "✓", "xmark": "✗", "ding": "", "star": "⋆", "bigstar": "★",
    "blacksquare": "■", "qed": "∎", "square": "□", "Box": "□", "lozenge": "◊", "imath": "ı",
    "jmath": "ȷ", "hslash": "ℏ", "hbar": "ℏ", "Re": "ℜ", "Im": "ℑ", "wp": "℘", "bullet": "•",
    "textbullet": "•", "cdotp": "·", "ldotp": ".", "lvert": "|", "rvert": "|", "lVert": "‖",
    "rVert": "‖", "Vert": "‖", "vert": "|", "mid": "|", "shortmid": "|",
    "upmu": "µ", "upalpha": "α", "upbeta": "β", "upgamma": "γ", "updelta": "δ", "uppi": "π",
    "upsigma": "σ", "uptau": "τ", "upomega": "ω", "upnu": "ν", "uplambda": "λ", "leadsto": "⇝",
    "rightsquigarrow": "⇝", "longmapsto": "⟼", "hookrightarrow": "↪", "hookleftarrow": "↩",
    "Longrightarrow": "⟹", "Longleftarrow": "⟸", "Longleftrightarrow": "⟺",
    "longleftrightarrow": "⟷", "Leftrightarrow": "⇔", "Rightarrow": "⇒", "Leftarrow": "⇐",
    "diff": "d", "dd": "d", "dag": "†", "ddag": "‡", "ddagger": "‡", "textdagger": "†",
    "sharp": "♯", "flat": "♭", "natural": "♮", "female": "♀", "male": "♂", "backslash": "∖",
    "surd": "√", "angle": "∠", "measuredangle": "∡", "therefore": "∴", "because": "∵",
    "models": "⊨", "vDash": "⊨", "vdash": "⊢", "Vdash": "⊩", "dashv": "⊣", "bowtie": "⋈",
    "Join": "⋈", "amalg": "⨿", "uplus": "⊎", "sqcup": "⊔", "sqcap": "⊓", "biguplus": "⨄",
    "bigsqcup": "⨆", "bigcup": "⋃", "bigcap": "⋂", "bigvee": "⋁", "bigwedge": "⋀", "bigodot": "⨀",
    "oint": "∮", "odot": "⊙", "ominus": "⊖", "oslash": "⊘", "ltimes": "⋉", "rtimes": "⋊",
    "divideontimes": "⋇", "div": "÷", "lceil": "⌈", "rceil": "⌉", "lfloor": "⌊", "rfloor": "⌋",
    "Alpha": "Α", "digamma": "ϝ", "textminus": "−", "textapprox": "≈", "textsim": "∼",
    "textohm": "Ω", "textmho": "℧", "texttimes": "×", "textpm": "±", "guillemotleft": "«",
    "guillemotright": "»", "og": "«", "fg": "»", "textasciigrave": "`", "textgravedbl": "“",
    "kilo": "k", "milli": "m", "centi": "c", "deci": "d", "mega": "M", "giga": "G", "tera": "T",
    "peta": "P", "nano": "n", "pico": "p", "femto": "f", "meter": "m", "metre": "m", "gram": "g",
    "second": "s", "hertz": "Hz", "kelvin": "K", "mole": "mol", "volt": "V", "watt": "W",
    "joule": "J", "newton": "N", "pascal": "Pa", "tesla": "T", "electronvolt": "eV", "litre": "L",
    "liter": "L", "minute": "min", "hour": "h", "day": "d", "byte": "B", "bit": "bit", "bel": "B",
    "decibel": "dB", "ampere": "A", "farad": "F", "coulomb": "C", "radian": "rad", "siemens": "S",
    "candela": "cd", "lumen": "lm", "per": "/", "squared": "²", "cubed": "³",
}  # fmt: skip
# Only inside \si, \SI and their like: elsewhere somebody's own macro.
UNITS = words(
    """micro kilo milli centi deci mega giga tera peta nano pico femto meter metre gram second
    hertz kelvin mole volt watt joule newton pascal tesla electronvolt litre liter minute
    hour day byte bit bel decibel ampere farad coulomb radian siemens candela lumen per
    squared cubed ohm"""
)
ALPHABETS = {
    **dict.fromkeys(("mathbb", "mathbbm", "mathds", "Bbb", "symbb"), "DOUBLE-STRUCK"),
    **dict.fromkeys(("mathcal", "mathscr", "cal", "scr", "symcal", "symscr"), "SCRIPT"),
    **dict.fromkeys(("mathfrak", "frak", "symfrak"), "FRAKTUR"),
}
ACCENTS = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328",
    "r": "\u030a", "d": "\u0323", "b": "\u0331", "t": "\u0361", "hat": "\u0302",
    "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303", "bar": "\u0304",
    "overline": "\u0305", "underbar": "\u0332", "vec": "\u20d7", "overrightarrow": "\u20d7",
    "overleftarrow": "\u20d6", "overleftrightarrow": "\u20e1", "dot": "\u0307", "ddot": "\u0308",
    "dddot": "\u20db", "check": "\u030c", "breve": "\u0306", "acute": "\u0301", "grave": "\u0300",
    "mathring": "\u030a", "slashed": "\u0338",
}  # fmt: skip
# In text these take the letter that follows them; as somebody's own macros they do not.
TEXT_ACCENTS = frozenset("uvHckrdbt")
AROUND = {
    "ket": ("|", "⟩"),
    "bra": ("⟨", "|"),
    "braket": ("⟨", "⟩"),
    "expval": ("⟨", "⟩"),
    "ev": ("⟨", "⟩"),
    "abs": ("|", "|"),
    "norm": ("‖", "‖"),
    "floor": ("⌊", "⌋"),
    "ceil": ("⌈", "⌉"),
    "set": ("{", "}"),
    "enquote": ("“", "”"),
    "textquote": ("“", "”"),
}
RAW_ENVIRONMENTS = frozenset({"verbatim", "lstlisting", "minted", "alltt"})
DROPPED_ENVIRONMENTS = frozenset(
    {"comment", "tikzpicture", "picture", "filecontents", "thebibliography"}
)
_MATRICES = words(
    """matrix pmatrix bmatrix Bmatrix vmatrix Vmatrix smallmatrix cases dcases rcases array"""
)
_EQUATIONS = words(
    """equation align gather multline eqnarray displaymath math flalign alignat split aligned
    gathered alignedat subequations dmath"""
)
MATRICES = frozenset(name + star for name in _MATRICES for star in ("", "*"))
FORMULA_ENVIRONMENTS = MATRICES | {name + star for name in _EQUATIONS for star in ("", "*")}
WITH_COLUMNS = frozenset(
    {"array", "tabular", "tabular*", "tabularx", "longtable", "alignat", "alignat*"}
)
_REFERENCE = re.compile(
    r"[A-Za-z]*[Cc]ite[A-Za-z]*|(?:eq|[cCvf]|auto|page|name|labelc|sub|Auto)?ref"
)


def _named(table: dict[str, str]) -> dict[str, str]:
    return {name: arguments for arguments, names in table.items() for name in names.split()}


SHOWN = _named(_SHOWN)
SILENT = _named(_SILENT)
PARTING = _named(_PARTING)
BUILT = _named(_BUILT)


def is_reference(name: str) -> bool:
    """Whether a macro points at something the abstract does not hold: a citation, a section."""
    return _REFERENCE.fullmatch(name) is not None


@cache
def arguments(name: str) -> str | None:
    """Which arguments a macro takes; None for an unknown one, which keeps what follows it."""
    for table in (BUILT, SHOWN, SILENT, PARTING):
        if name in table:
            return table[name]
    if is_reference(name):
        return "soom"
    return "" if symbol(name) is not None or name in FUNCTIONS else None


def symbol(name: str, *, unit: bool = False) -> str | None:
    """The character, or the few, that a macro without arguments stands for."""
    return _symbols().get(name) if unit or name not in UNITS else None


@cache
def _symbols() -> dict[str, str]:
    database = latex2text.get_default_latex_context_db()
    found = {}
    for spec in database.iter_macro_specs(database.category_list):
        shown = getattr(spec, "simplify_repl", None)
        if isinstance(shown, str) and len(shown) == 1 and not shown.isspace():
            found[spec.macroname] = shown
    for taken in (*BUILT, *SHOWN, *SILENT, *PARTING, *FUNCTIONS):
        found.pop(taken, None)
    return found | _SYMBOLS
