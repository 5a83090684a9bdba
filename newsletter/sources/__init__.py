"""Where papers come from: one file a source, no database.

A source is pure: it says which requests to make and reads the answers. `fetch.py` does the
asking, politely, for all of them. So every source is tested by handing it recorded bytes.
"""

from newsletter.sources.base import Page, PaperRecord, Problem, Request, Source

__all__ = ["Page", "PaperRecord", "Problem", "Request", "Source"]
