"""The fields of research in plain words, by arXiv category."""

from collections import Counter
from collections.abc import Iterable

# After the names in arXiv's category taxonomy, shortened; quantitative finance and the smaller
# parts of mathematics and physics are typed by hand.
IN_WORDS = {
    "cs.AI": "Artificial intelligence",
    "cs.AR": "Computer architecture",
    "cs.CC": "Computational complexity",
    "cs.CE": "Computing for engineering and finance",
    "cs.CG": "Computational geometry",
    "cs.CL": "Language and text",
    "cs.CR": "Security and cryptography",
    "cs.CV": "Computer vision",
    "cs.CY": "Computers and society",
    "cs.DB": "Databases",
    "cs.DC": "Distributed computing",
    "cs.DL": "Digital libraries",
    "cs.DS": "Algorithms and data structures",
    "cs.GR": "Computer graphics",
    "cs.GT": "Game theory",
    "cs.HC": "People and computers",
    "cs.IR": "Search and recommendation",
    "cs.IT": "Information theory",
    "cs.LG": "Machine learning",
    "cs.LO": "Logic in computer science",
    "cs.MA": "Systems of agents",
    "cs.MM": "Multimedia",
    "cs.NE": "Neural and evolutionary computing",
    "cs.NI": "Networks",
    "cs.OS": "Operating systems",
    "cs.PF": "Computer performance",
    "cs.PL": "Programming languages",
    "cs.RO": "Robotics",
    "cs.SD": "Sound and music",
    "cs.SE": "Software engineering",
    "cs.SI": "Social networks",
    "econ.EM": "Econometrics",
    "econ.TH": "Economic theory",
    "eess.AS": "Audio and speech",
    "eess.IV": "Image and video processing",
    "eess.SP": "Signal processing",
    "eess.SY": "Control systems",
    "astro-ph.CO": "Cosmology",
    "astro-ph.EP": "Planets",
    "astro-ph.GA": "Galaxies",
    "astro-ph.HE": "High-energy astrophysics",
    "astro-ph.SR": "Stars and the Sun",
    "cond-mat.mtrl-sci": "Materials",
    "cond-mat.soft": "Soft matter",
    "gr-qc": "Gravity",
    "hep-ex": "Particle experiments",
    "hep-ph": "Particle phenomenology",
    "hep-th": "High-energy theory",
    "math.CO": "Combinatorics",
    "math.NA": "Numerical analysis",
    "math.OC": "Optimization",
    "math.PR": "Probability",
    "physics.chem-ph": "Chemical physics",
    "physics.med-ph": "Medical physics",
    "physics.optics": "Optics",
    "q-bio.BM": "Biomolecules",
    "q-bio.GN": "Genomics",
    "q-bio.NC": "Neurons and cognition",
    "q-bio.QM": "Methods for biology",
    "quant-ph": "Quantum physics",
    "stat.AP": "Applied statistics",
    "stat.ME": "Statistical methods",
    "stat.ML": "Statistics of machine learning",
}
MOST = 16  # chips: what a reader takes in at once


def common(categories: Iterable[Iterable[str]]) -> list[str]:
    """The most common categories of some papers that have words for them, in the words' order."""
    counts = Counter(name for names in categories for name in names if name in IN_WORDS)
    found = [name for name, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))]
    return sorted(found[:MOST], key=IN_WORDS.__getitem__)


def with_words(category: str) -> str:
    """A category in plain words with its code, or as it is where there are none."""
    return f"{IN_WORDS[category]} ({category})" if category in IN_WORDS else category


def code_of(typed: str) -> str:
    """The category of a field that was typed in plain words; anything else as it is."""
    return _CODES.get(typed.casefold(), typed)


_CODES = {words.casefold(): code for code, words in IN_WORDS.items()}
