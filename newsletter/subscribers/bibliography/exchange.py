"""Papers as RIS and as CSL JSON, for reference managers. Pure."""

import json
from collections.abc import Iterable
from typing import Any

from newsletter.core.models import Paper
from newsletter.core.one_line import harmless

LONGEST = 20_000


def as_ris(papers: Iterable[Paper]) -> str:
    """One record per paper, a line per value (RIS of Research Information Systems, 2001)."""
    lines: list[str] = []
    for paper in papers:
        values = [("TY", "GEN"), ("TI", paper.title), *(("AU", name) for name in paper.authors)]
        if paper.published_at:
            values.append(("PY", str(paper.published_at.year)))
        values += [("DO", paper.doi or ""), ("UR", paper.url), ("AB", paper.abstract)]
        lines += [f"{tag}  - {harmless(value, LONGEST)}" for tag, value in values if value]
        lines += ["ER  - ", ""]
    return "\r\n".join(lines)


def as_csl(papers: Iterable[Paper]) -> str:
    """A list of items (CSL JSON 1.0.2)."""
    return json.dumps([_item(paper) for paper in papers], ensure_ascii=False, indent=2)


def _item(paper: Paper) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": f"paper{paper.id}",
        "type": "article",
        "title": paper.title,
        # Which part of a name is the family's cannot be told, so it is given whole.
        "author": [{"literal": name} for name in paper.authors],
        "URL": paper.url,
        "DOI": paper.doi or "",
        "abstract": paper.abstract,
    }
    if paper.published_at:
        at = paper.published_at
        whole = [at.year, at.month, at.day]
        known = {"year": 1, "month": 2}.get(paper.published_precision or "", 3)
        item["issued"] = {"date-parts": [whole[:known]]}
    return {name: value for name, value in item.items() if value}
