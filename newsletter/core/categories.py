"""The categories that arXiv, bioRxiv and medRxiv publish, to notice one that is mistyped.

Sources: arXiv's category taxonomy (arxiv.org/category_taxonomy), and the subject areas on the front
pages of bioRxiv and medRxiv.
"""

from difflib import get_close_matches
from functools import cache

_ARXIV = {
    "astro-ph": "CO EP GA HE IM SR",
    "cond-mat": "dis-nn mes-hall mtrl-sci other quant-gas soft stat-mech str-el supr-con",
    "cs": "AI AR CC CE CG CL CR CV CY DB DC DL DM DS ET FL GL GR GT HC IR IT LG LO MA MM MS NA NE "
    "NI OH OS PF PL RO SC SD SE SI SY",
    "econ": "EM GN TH",
    "eess": "AS IV SP SY",
    "math": "AC AG AP AT CA CO CT CV DG DS FA GM GN GR GT HO IT KT LO MG MP NA NT OA OC PR QA RA "
    "RT SG SP ST",
    "nlin": "AO CD CG PS SI",
    "physics": "acc-ph ao-ph app-ph atm-clus atom-ph bio-ph chem-ph class-ph comp-ph data-an ed-ph "
    "flu-dyn gen-ph geo-ph hist-ph ins-det med-ph optics plasm-ph pop-ph soc-ph space-ph",
    "q-bio": "BM CB GN MN NC OT PE QM SC TO",
    "q-fin": "CP EC GN MF PM PR RM ST TR",
    "stat": "AP CO ME ML OT TH",
}
_ARXIV_WHOLE = "gr-qc hep-ex hep-lat hep-ph hep-th math-ph nucl-ex nucl-th quant-ph"
_BIORXIV = """
animal behavior and cognition; biochemistry; bioengineering; bioinformatics; biophysics; cancer
biology; cell biology; clinical trials; developmental biology; ecology; epidemiology; evolutionary
biology; genetics; genomics; immunology; microbiology; molecular biology; neuroscience;
paleontology; pathology; pharmacology and toxicology; physiology; plant biology; scientific
communication and education; synthetic biology; systems biology; zoology
"""
_MEDRXIV = """
addiction medicine; allergy and immunology; anesthesia; cardiovascular medicine; dentistry and oral
medicine; dermatology; emergency medicine; endocrinology; epidemiology; forensic medicine;
gastroenterology; genetic and genomic medicine; geriatric medicine; health economics; health
informatics; health policy; health systems and quality improvement; hematology; hiv/aids; infectious
diseases; intensive care and critical care medicine; medical education; medical ethics; nephrology;
neurology; nursing; nutrition; obstetrics and gynecology; occupational and environmental health;
oncology; ophthalmology; orthopedics; otolaryngology; pain medicine; palliative medicine;
pathology; pediatrics; pharmacology and therapeutics; primary care research; psychiatry and clinical
psychology; public and global health; radiology and imaging; rehabilitation medicine and physical
therapy; respiratory medicine; rheumatology; sexual and reproductive health; sports medicine;
surgery; toxicology; transplantation; urology
"""


@cache
def known() -> dict[str, str]:
    """Every known category as it is written, by its lower case; arXiv's archives are among them."""
    names = [f"{archive}.{subject}" for archive in _ARXIV for subject in _ARXIV[archive].split()]
    names += [*_ARXIV, *_ARXIV_WHOLE.split()]
    for text in (_BIORXIV, _MEDRXIV):
        names += [" ".join(name.split()) for name in text.split(";")]
    return {name.lower(): name for name in names}


def warning_about(category: str) -> str:
    """Why a category may be a mistake, with the nearest known one; "" where it is known.

    Journals and feeds have categories of their own, so it is never more than a warning.
    """
    name = category.lower()
    if name in known():
        return ""
    nearest = get_close_matches(name, known(), n=1, cutoff=0.5)
    meant = f"; did you mean {known()[nearest[0]]!r}?" if nearest else ""
    return f"category {category!r} is not in the lists of arXiv, bioRxiv or medRxiv{meant}"
