"""What papers are known by everywhere: arXiv ids and DOIs, found in whatever form they come."""

import html
import re
from urllib.parse import unquote

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
_DOI_PREFIX = re.compile(
    r"^(?:(?:https?:)?(?://)?(?:dx\.|www\.)?doi\.org/|(?:info:|urn:)?doi\s*[:/ ]\s*)+", re.I
)
# Where a publisher's address goes on after the DOI: a view, a format, a session, a tracker.
_DOI_TAILS = re.compile(
    r"(?:/(?:full|full-?text|abstract|abs|summary|meta|pdf|epdf|pdfdirect|epub|html|xml|references|"
    r"metrics|citations|cited-?by|related|comments|supplementary|(?:tables|figures)(?:/\d+)?|"
    r"suppl_file/.*|doi|-/.*)"
    r"|/type/\w+"
    r"|\.(?:full|full-?text|abstract|abs|short|long|pdf(?:\+html)?|html?|xml|epub"
    r"|supplementary-material)"
    r"|;jsessionid=.*|[;&?][A-Za-z_.-]+=.*|[?#].*|/)$",
    re.I | re.DOTALL,
)
_IN_ADDRESS = re.compile(r"(?<![\d.])10\.\d{4,9}/\S+")
# The servers put a preprint's version behind its DOI.
_BIORXIV_VERSION = re.compile(r"^(10\.(?:1101|64898)/(?:\d{4}\.\d\d\.\d\d\.)?\d{5,8})v\d{1,3}\b.*$")
# An article's number in the journal's own system, behind its DOI (Oxford University Press).
_OUP_NUMBER = re.compile(r"^(10\.1093/.+)/\d{5,}(?:/.*)?$")
_NATURE = re.compile(
    r"^https?://(?:www\.)?nature\.com/articles/([a-z]\d{5}-\d{3}-\d{4,5}-[\dwxyz])", re.I
)
# Preprints whose versions have DOIs of their own.
_OWN_VERSION = re.compile(
    r"^(10\.21203/rs\.\d\.rs-\d+)/v\d+$|^(10\.20944/preprints\d+\.\d+)\.v\d+$"
    r"|^(10\.26434/chemrxiv-[\w-]+?)[-/]v\d+$|^(10\.7554/elife\.\d+)\.\d$"
    r"|^(10\.12688/[a-z]+\d*[a-z]+\.\d+)\.\d+$|^(10\.\d{4,9}/m9\.figshare\.\w*\d+)\.v\d+$"
    r"|^(10\.(?:22541|31234|31219|36227|35542|33774)/\S+?)[./_-]?v\d+$"
)
_ARXIV_DOI = "10.48550/arxiv."
# How a paper is named by its number at PubMed and PubMed Central ("pmid:…"), and the source whose
# ids these numbers are.
NUMBERED = {"pmid": "pubmed", "pmc": "pmc"}
# As people write it and as it stands in addresses; eight digits today, nine leave room.
_PUBMED = re.compile(
    r"(?:(?:https?://)?(?:pubmed\.ncbi\.nlm\.nih\.gov|(?:www\.)?ncbi\.nlm\.nih\.gov/pubmed)/"
    r"|pmid\s*[:=]?\s*)(?P<id>\d{1,9})/?",
    re.I | re.ASCII,
)
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
    """Lower case, without ``https://doi.org/``, escapes and tails; None if it is not a DOI.

    Of a publisher's address, what comes behind the DOI goes (``/full``, ``.pdf``, ``v2``,
    ``;jsessionid=…``); "10.1175/1520-0477(1996)077<0935:WOTWSM>2.0.CO;2" is all DOI.
    """
    if not isinstance(value, str) or len(value) > _LONGEST_DOI:
        return None
    bare = _DOI_PREFIX.sub("", html.unescape(_unescaped(tidy(value))).strip("\"'{}<[( "))
    if not _DOI.fullmatch(bare):
        return None
    shorter = _without_tails(bare.lower())
    return shorter if _DOI.fullmatch(shorter) else None


def doi_in_address(address: str) -> str | None:
    """The DOI that a web address names, as far as can be told; a guess."""
    if len(address) > _LONGEST_DOI:
        return None
    if named := _NATURE.match(address):
        return f"10.1038/{named[1].lower()}"
    found = _IN_ADDRESS.search(_unescaped(address))
    return canonical_doi(found[0]) if found else None


def without_version(doi: str) -> str:
    """One name for all versions of a preprint, as ``10.21203/rs.3.rs-1`` for ``…/v2``."""
    found = _OWN_VERSION.match(doi)
    return next(filter(None, found.groups())) if found else doi


def _unescaped(text: str) -> str:
    """``%2F`` as it is meant, also where it was escaped twice."""
    for _ in range(2):
        if "%" not in text:
            break
        text = unquote(text)
    return text


def _without_tails(doi: str) -> str:
    for _ in range(4):
        shorter = _trimmed(_DOI_TAILS.sub("", doi))
        if shorter == doi:
            break
        doi = shorter
    for pattern in (_BIORXIV_VERSION, _OUP_NUMBER):
        doi = pattern.sub(r"\1", doi)
    return doi


def _trimmed(doi: str) -> str:
    """Without the punctuation of the sentence, or the bracket, that it stands in."""
    doi = doi.rstrip(".,;:'\"}")
    for opening, closing in ("()", "[]", "<>"):
        while doi.endswith(closing) and doi.count(closing) > doi.count(opening):
            doi = doi[:-1].rstrip(".,;:")
    return doi


def arxiv_of_doi(doi: str | None) -> str | None:
    """The arXiv id in a canonical DOI that arXiv registered (10.48550/arXiv.…)."""
    if doi is None or not doi.startswith(_ARXIV_DOI):
        return None
    return split_arxiv_id(doi.removeprefix(_ARXIV_DOI))[0]


_ORCID = re.compile(
    r"(?:https?://(?:www\.)?orcid\.org/)?(\d{4})-?(\d{4})-?(\d{4})-?(\d{3}[\dxX])/?"
)


def canonical_orcid(value: object) -> str:
    """``0000-0002-1825-0097`` out of an id or an address; "" where its check digit is wrong.

    ISO 7064 MOD 11-2, see support.orcid.org on the structure of the identifier.
    """
    found = _ORCID.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return ""
    digits = "".join(found.groups()).upper()
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return "-".join(found.groups()).upper() if digits[-1] == "0123456789X"[check] else ""


def pubmed_name(value: str) -> str | None:
    """``PMID: 38000001``, its address or the bare number → ``pmid:38000001``; None for others."""
    value = value.strip()
    named = _PUBMED.fullmatch(value)
    number = named["id"] if named else value
    if not (number.isascii() and number.isdigit() and 1 <= len(number) <= 9 and int(number)):
        return None
    return f"pmid:{int(number)}"
