"""The fields of research in plain words, by arXiv category."""

from collections import Counter
from collections.abc import Iterable

from newsletter.core.language import N_

# After the names in arXiv's category taxonomy, shortened; quantitative finance and the smaller
# parts of mathematics and physics are typed by hand.
IN_WORDS = {
    "cs.AI": N_("Artificial intelligence"),
    "cs.AR": N_("Computer architecture"),
    "cs.CC": N_("Computational complexity"),
    "cs.CE": N_("Computing for engineering and finance"),
    "cs.CG": N_("Computational geometry"),
    "cs.CL": N_("Language and text"),
    "cs.CR": N_("Security and cryptography"),
    "cs.CV": N_("Computer vision"),
    "cs.CY": N_("Computers and society"),
    "cs.DB": N_("Databases"),
    "cs.DC": N_("Distributed computing"),
    "cs.DL": N_("Digital libraries"),
    "cs.DS": N_("Algorithms and data structures"),
    "cs.GR": N_("Computer graphics"),
    "cs.GT": N_("Game theory"),
    "cs.HC": N_("People and computers"),
    "cs.IR": N_("Search and recommendation"),
    "cs.IT": N_("Information theory"),
    "cs.LG": N_("Machine learning"),
    "cs.LO": N_("Logic in computer science"),
    "cs.MA": N_("Systems of agents"),
    "cs.MM": N_("Multimedia"),
    "cs.NE": N_("Neural and evolutionary computing"),
    "cs.NI": N_("Networks"),
    "cs.OS": N_("Operating systems"),
    "cs.PF": N_("Computer performance"),
    "cs.PL": N_("Programming languages"),
    "cs.RO": N_("Robotics"),
    "cs.SD": N_("Sound and music"),
    "cs.SE": N_("Software engineering"),
    "cs.SI": N_("Social networks"),
    "econ.EM": N_("Econometrics"),
    "econ.TH": N_("Economic theory"),
    "eess.AS": N_("Audio and speech"),
    "eess.IV": N_("Image and video processing"),
    "eess.SP": N_("Signal processing"),
    "eess.SY": N_("Control systems"),
    "astro-ph.CO": N_("Cosmology"),
    "astro-ph.EP": N_("Planets"),
    "astro-ph.GA": N_("Galaxies"),
    "astro-ph.HE": N_("High-energy astrophysics"),
    "astro-ph.SR": N_("Stars and the Sun"),
    "cond-mat.mtrl-sci": N_("Materials"),
    "cond-mat.soft": N_("Soft matter"),
    "gr-qc": N_("Gravity"),
    "hep-ex": N_("Particle experiments"),
    "hep-ph": N_("Particle phenomenology"),
    "hep-th": N_("High-energy theory"),
    "math.CO": N_("Combinatorics"),
    "math.NA": N_("Numerical analysis"),
    "math.OC": N_("Optimization"),
    "math.PR": N_("Probability"),
    "physics.chem-ph": N_("Chemical physics"),
    "physics.med-ph": N_("Medical physics"),
    "physics.optics": N_("Optics"),
    "q-bio.BM": N_("Biomolecules"),
    "q-bio.GN": N_("Genomics"),
    "q-bio.NC": N_("Neurons and cognition"),
    "q-bio.QM": N_("Methods for biology"),
    "quant-ph": N_("Quantum physics"),
    "stat.AP": N_("Applied statistics"),
    "stat.ME": N_("Statistical methods"),
    "stat.ML": N_("Statistics of machine learning"),
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
