"""bioRxiv and medRxiv: JSON, one record a version (api.biorxiv.org)."""

import re
import unicodedata
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

from newsletter.core.errors import ParseError
from newsletter.sources.base import Page, PaperRecord, Request, Source
from newsletter.sources.normalise import make, raw_abstract
from newsletter.sources.parsing.json import as_dict, as_list, as_object, load_json, read_papers

_HEADINGS = (
    "Abstract|Background(?: and (?:Aims?|Objectives?|Purpose))?|Objectives?|Aims?|Purpose|"
    "Introduction|Motivation|Rationale|Context|Importance|Significance(?: Statement)?|Summary|"
    "Hypothesis|Design|Setting|Participants|Patients|Materials and Methods|"
    "Methods?(?: (?:and|&) (?:Findings|Results))?|"
    "Methodology|Main Outcomes?(?: and Measures)?|Measurements|Interventions?|Findings|"
    "Results?(?: and Discussion)?|Discussion|"
    "Interpretation|Conclusions?(?: and Relevance)?|Limitations|Funding|Trial registration|"
    "Availability(?: and implementation)?|Contact|Key Points|Key messages|Research in Context|"
    "Evidence before this study|Added value of this study|"
    "Implications of all the available evidence|What is Known|What the Study Adds|"
    "Withdrawal Statement|Plain language summary|Graphical abstract"
)
# "BackgroundUndernutrition": the heading lost its line, only the next capital tells.
_GLUED = re.compile(
    rf"(?:^|(?<=[.!?:;)\]\n])\s*)(?P<heading>(?:{_HEADINGS})(?=[A-Z0-9(\[“][A-Za-z0-9]|[A-Z] )|"
    rf"(?:{_HEADINGS.upper()})(?=[A-Z][a-z]|[A-Z] ))"
)
# Typesetting residue: O_ opens, C_ closes. A figure's block goes with all that is in it.
_FIGURE = re.compile(r"O_(?:FIG|TBL|SCHEME)\b.*?C_(?:FIG|TBL|SCHEME)\b", re.DOTALL)
_SECTION = re.compile(r"\s*O_ST_ABS\s*(.*?)\s*C_ST_ABS\s*", re.DOTALL)
_RESIDUE = re.compile(r"[OCM]_(?:SCPLOW|SCPCAP|ST_ABS|LST|LI|FIG|TBL|QD|INLINEFIG|TEXTBOX)")
_BRACED = re.compile(r"\{([A-Za-z +/.-]{2,24})\}")
_SIGNS = {
    "degrees": "°",
    "degree": "°",
    "micro": "µ",
    "+/-": "±",
    "-/+": "∓",
    "middle dot": "·",
    "times": "×",
    "approx": "≈",
    "ap": "≈",
    "sim": "∼",
    "le": "≤",
    "ge": "≥",
    "inf": "∞",
    "varepsilon": "ε",
    "vartheta": "ϑ",
    "varphi": "φ",
    "phiv": "φ",
    "epsi": "ε",
    "rightarrow": "→",
    "leftarrow": "←",
    "uparrow": "↑",
    "downarrow": "↓",
    "angstrom": "Å",
    "ring": "°",
    "prime": "′",
    "square": "□",
}


class Biorxiv(Source):
    """Preprints, and their versions, posted between two dates on one of the two servers."""

    def __init__(self, server: str = "biorxiv") -> None:
        self.name = server

    def first_request(self, since: date, until: date) -> Request:
        """The first hundred records of the interval."""
        return _request(self.name, f"{since.isoformat()}/{until.isoformat()}", 0)

    def parse(self, body: bytes, *, where: str, request: Request | None = None) -> Page:
        """Read one page.

        Raises:
            ParseError: it is not the service's JSON, or it reports an error.
        """
        answer = as_dict(load_json(body, where=where))
        message = as_dict(next(iter(as_list(answer.get("messages"))), None))
        if "collection" not in answer:
            status = message.get("status") or "a collection of papers was expected"
            if "no posts" in str(status).lower():
                return Page()
            raise ParseError(f"the server answered: {status}", where=where)
        records = as_list(answer["collection"])
        page = read_papers(records, partial(_paper, server=self.name), where=where)
        # Lower versions first: a first version listed after its revision would look known.
        ordered = tuple(sorted(page.records, key=lambda record: record.version))
        return replace(page, records=ordered, next=_following(request, message, len(records)))


def _request(server: str, interval: str, cursor: int) -> Request:
    url = f"https://api.biorxiv.org/details/{server}/{interval}/{cursor}/json"
    state = {"server": server, "interval": interval, "cursor": str(cursor)}
    return Request(url, state=state)


def _following(request: Request | None, message: dict[str, Any], count: int) -> Request | None:
    # `total` is a string, `cursor` a number.
    total = str(message.get("total", ""))
    if request is None or not count or not total.isdecimal():
        return None
    cursor = int(request.state["cursor"]) + count
    if cursor >= int(total[:9]):
        return None
    return _request(request.state["server"], request.state["interval"], cursor)


def _paper(raw: Any, server: str) -> PaperRecord:
    row = as_object(raw)
    named = str(row.get("server") or server).strip().lower()
    version = str(row.get("version") or "1")
    title = row.get("title")
    withdrawn = row.get("type") == "withdrawn" or str(title).startswith("WITHDRAWN")
    doi = row.get("doi")
    return make(
        source=named if named in {"biorxiv", "medrxiv"} else server,
        external_id=doi.lower() if isinstance(doi, str) else doi,
        doi=doi,
        # The journal's DOI, once it is published: the same paper.
        related_dois=[row.get("published")],
        version=version,
        title=title,
        abstract=tidy_abstract(raw_abstract(row.get("abstract"))),
        author_lines=[row.get("authors")],
        categories=[row.get("category")],
        published=row.get("date") if version == "1" else _first_posted(doi),
        announcement="new" if version == "1" and not withdrawn else "replace",
        standing="withdrawn" if withdrawn else "",
    )


def _first_posted(doi: object) -> str | None:
    """A record's date is its version's; DOIs since December 2019 hold the first one's."""
    found = re.search(r"/(\d{4})\.(\d\d)\.(\d\d)\.", str(doi))
    return "-".join(found.groups()) if found else None


def tidy_abstract(text: str) -> str:
    """Separate headings from text, remove typesetting residue, restore Greek letters."""
    text = _FIGURE.sub(" ", text)
    text = _SECTION.sub(r". \1: ", text)
    text = re.sub(r"\s*O_LI\s*", " ", text)
    text = re.sub(r"\s*C_LI\s*", "; ", text) if "C_LI" in text else text
    text = _RESIDUE.sub("", text)
    text = _BRACED.sub(_sign, text)
    text = _GLUED.sub(lambda m: "" if m["heading"].lower() == "abstract" else _headed(m), text)
    return re.sub(r"^[.;:\s]+|[;\s]+(?=[.;]|$)", "", text)


def _headed(match: re.Match[str]) -> str:
    space = " " if match.start() else ""
    return f"{space}{match['heading']}: "


def _sign(match: re.Match[str]) -> str:
    name = match[1]
    if name in _SIGNS:
        return _SIGNS[name]
    size = "CAPITAL" if name[0].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper()}")
    except KeyError:
        return match[0]
