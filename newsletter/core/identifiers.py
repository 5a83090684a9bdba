"""What papers are known by everywhere: arXiv ids and DOIs, found in whatever form they come."""

import re

from newsletter.core.one_line import tidy

# Archives that gave out ids of their own until March 2007: hep-ex/0307015, math.GT/0309136.
# Any other word before a slash and seven digits is part of a web address.
_ARCHIVES = (
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|"
    "cond-mat|cs|dg-ga|funct-an|gr-qc|hep-(?:ex|lat|ph|th)|math-ph|math|mtrl-th|nlin|"
    "nucl-(?:ex|th)|patt-sol|physics|plasm-ph|q-alg|q-bio|quant-ph|solv-int|supr-con"
)
# New ones are YYMM.number, with four digits until 2014 and five since
# (info.arxiv.org/help/arxiv_identifier.html). For use inside other patterns, with re.I.
ARXIV_ID = rf"(?:\d{{4}}\.\d{{4,5}}|(?:{_ARCHIVES})(?:\.[a-z-]{{2,10}})?/\d{{7}})"
_ARXIV = re.compile(
    r"(?:(?:https?://)?(?:(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html)|huggingface\.co/papers|"
    r"(?:www\.)?alphaxiv\.org/abs)/|oai:arxiv\.org:|arxiv:\s*)?"
    rf"(?P<id>{ARXIV_ID})(?:v(?P<version>\d{{1,3}}))?(?:\.pdf)?",
    re.I | re.ASCII,
)
DOI = r"10\.\d{4,9}/"
_DOI = re.compile(DOI + r"\S{1,280}")
_DOI_PREFIX = re.compile(r"^(?:(?:https?://)?(?:dx\.|www\.)?doi\.org/|doi:\s*)", re.I)
_ARXIV_DOI = "10.48550/arxiv."
# Nothing longer is looked at.
_LONGEST_ARXIV = 200
_LONGEST_DOI = 2_000


def split_arxiv_id(value: object) -> tuple[str | None, int | None]:
    """``http://arxiv.org/abs/2002.00741v2`` → ``("2002.00741", 2)``; (None, None) for others."""
    if not isinstance(value, str) or len(value) > _LONGEST_ARXIV:
        return None, None
    found = _ARXIV.fullmatch(value.strip())
    if not found:
        return None, None
    # "math.GT/0309136" and "math/0309136" are one paper; the short form is canonical.
    number = re.sub(r"\.[a-z-]+/", "/", found["id"].lower())
    return number, int(found["version"]) if found["version"] else None


def canonical_doi(value: object) -> str | None:
    """Lower case, without ``https://doi.org/`` and trailing full stops; None if it is not a DOI."""
    if not isinstance(value, str) or len(value) > _LONGEST_DOI:
        return None
    bare = _DOI_PREFIX.sub("", tidy(value)).rstrip(".,;")
    return bare.lower() if _DOI.fullmatch(bare) else None


def arxiv_of_doi(doi: str | None) -> str | None:
    """The arXiv id in a canonical DOI that arXiv registered (10.48550/arXiv.…)."""
    if doi is None or not doi.startswith(_ARXIV_DOI):
        return None
    return split_arxiv_id(doi.removeprefix(_ARXIV_DOI))[0]
