"""Who may see the operator's pages: the session's cookie, and the token in each of its forms."""

import re
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Response

from newsletter.core import operator_sessions
from newsletter.core.database import utc_now
from newsletter.core.operator_sessions import Opened
from newsletter.web.bodies import Form
from newsletter.web.forms import FormDep, text_of
from newsletter.web.rate_limit import refuse_other_sites
from newsletter.web.site import Site, SiteDep

# No secret of ours is longer; whatever else is sent is not even hashed.
LONGEST_SECRET = 100


@dataclass(frozen=True, slots=True)
class Operator:
    """An open session. ``token`` stands in each form and is worth nothing in another session."""

    session_id: int
    until: datetime
    token: str


def cookie_name(site: Site) -> str:
    """Name of the cookie; two lists under one host name have two.

    Browsers take ``__Host-`` from this very host only, and only with Secure (RFC 6265bis §4.1.3).
    """
    name = "operator" + re.sub(r"[^A-Za-z0-9]", "-", site.root)
    return f"__Host-{name}" if is_https(site) else name


def is_https(site: Site) -> bool:
    """Whether browsers reach the site over https."""
    return site.settings.base_url.startswith("https:")


def set_cookie(site: Site, response: Response, opened: Opened) -> None:
    """Give the browser its secret."""
    response.set_cookie(
        cookie_name(site),
        opened.secret,
        max_age=opened.hours * 3600,
        path="/",
        secure=is_https(site),
        httponly=True,
        samesite="strict",
    )


def drop_cookie(site: Site, response: Response) -> None:
    """Take it back."""
    response.delete_cookie(
        cookie_name(site), path="/", secure=is_https(site), httponly=True, samesite="strict"
    )


def _operator(site: SiteDep, request: Request) -> Operator:
    """The session of the request.

    Raises:
        HTTPException: 404, there is none: for a stranger there are no such pages.
    """
    secret = request.cookies.get(cookie_name(site), "")
    if not 0 < len(secret) <= LONGEST_SECRET:
        raise HTTPException(404)
    with site.reading() as session:
        found = operator_sessions.find(session, site.signer, secret, utc_now())
    if found is None:
        raise HTTPException(404)
    session_id, until = found
    return Operator(session_id, until, site.signer.keyed_hash("operator form", secret))


OperatorDep = Annotated[Operator, Depends(_operator)]


def _change(request: Request, operator: OperatorDep, form: FormDep) -> Form:
    """A form that was made for this session.

    Raises:
        HTTPException: 403, it comes from elsewhere.
    """
    refuse_other_sites(request)
    sent = text_of(form, "token").encode("utf-8", "replace")
    if not compare_digest(sent, operator.token.encode()):
        raise HTTPException(403)
    return form


ChangeDep = Annotated[Form, Depends(_change)]
