"""What every page needs: settings, database, signer, templates."""

import re
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Path, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import Markup
from sqlalchemy import Engine
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool

from newsletter.core import language
from newsletter.core.config import Settings, bundled
from newsletter.core.database import read_scope, session_scope, trial_scope
from newsletter.core.errors import TokenError
from newsletter.core.language import N_
from newsletter.core.models import Delivery, Subscriber
from newsletter.core.tokens import Purpose, Signer, generation_in, of_generation
from newsletter.messages import wording
from newsletter.subscribers import accounts
from newsletter.web.candidate_cache import CandidateCache
from newsletter.web.page_cache import Kept
from newsletter.web.page_templates import templates_of_pages

SIGNED_OUT = N_("this link was signed out; the next digest has a new one")
_IN_ENGLISH = ("operator/", "inbox")


@dataclass(frozen=True)
class Site:
    """One running site. Sessions are opened and committed inside an endpoint, so that a page
    that says "done" is sent after the commit.
    """

    engine: Engine
    settings: Settings
    signer: Signer

    @cached_property
    def root(self) -> str:
        """Path that a proxy puts before ours: that of the base URL, without a final slash."""
        return urlsplit(self.settings.base_url).path.rstrip("/")

    @cached_property
    def kept(self) -> Kept:
        """Pages, and parts of pages, that are the same for everybody."""
        return Kept(self.engine)

    @cached_property
    def goodbyes(self) -> dict[str, bytes]:
        """The page that confirms that one has unsubscribed, by language."""
        return {}

    @cached_property
    def offers(self) -> dict[str, tuple[int, bytes]]:
        """The empty sign-up form by language, each with the minute in which it was made."""
        return {}

    @cached_property
    def pool(self) -> CandidateCache:
        """The candidates that previews rank."""
        return CandidateCache(self.settings.feature_model)

    @cached_property
    def style(self) -> bytes:
        """The one style sheet: what all pages share, then those for readers."""
        folder = bundled("templates") / "pages"
        return (folder / "style.css").read_bytes() + (folder / "reader.css").read_bytes()

    @cached_property
    def script(self) -> bytes:
        """The one script."""
        return (bundled("templates") / "pages" / "reader.js").read_bytes()

    @cached_property
    def _templates(self) -> dict[str, Environment]:
        """The pages by language; a new style sheet or script has a new address."""
        return {
            spoken: templates_of_pages(
                spoken,
                site_name=self.settings.site_name,
                postal_address=self.settings.postal_address,
                root=self.root,
                base_url=self.settings.base_url,
                labels=wording.LABELS,
                script_url=f"{self.root}/reader.js?{sha256(self.script).hexdigest()[:12]}",
                style_url=f"{self.root}/style.css?{sha256(self.style).hexdigest()[:12]}",
            )
            for spoken in language.languages()
        }

    def reading(self) -> AbstractContextManager[Session]:
        """A session that changes nothing."""
        return read_scope(self.engine)

    def writing(self) -> AbstractContextManager[Session]:
        """A transaction that is committed at the end of the block."""
        return session_scope(self.engine)

    def trying(self) -> AbstractContextManager[Session]:
        """A transaction that is rolled back at the end of the block."""
        return trial_scope(self.engine)

    def page(self, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """The template ``name`` as an answer."""
        return HTMLResponse(self.rendered(name, **values), status)

    def rendered(self, name: str, **values: Any) -> bytes:
        """The template ``name`` with values filled in."""
        # What readers never see is in English.
        spoken = language.SOURCE if name.startswith(_IN_ENGLISH) else language.current()
        with language.speaking(spoken):
            template = self._templates[spoken].get_template(name)
            return template.render(values).encode("utf-8", "replace")

    def macro(self, name: str, macro: str) -> Callable[..., Markup]:
        """A macro of the template ``name``, in the language that is on."""
        template = self._templates[language.current()].get_template(name)
        found: Callable[..., Markup] = getattr(template.module, macro)
        return found

    async def shared_page(
        self, key: Hashable, make: Callable[[Session, object], bytes]
    ) -> HTMLResponse:
        """A page that is the same for everybody, as ``make`` renders it in a session and its state.

        What is kept is sent without a thread: switching there and back takes as long as the page.
        """
        body = self.kept.at_once(key)
        if body is None:
            body = await run_in_threadpool(self.shared, key, make)
        return HTMLResponse(body)

    def shared(self, key: Hashable, make: Callable[[Session, object], bytes]) -> bytes:
        """Kept bytes that are the same for everybody, made where they are not there."""
        with self.reading() as session:
            state = self.kept.state(session)
            return self.kept.made(state, key, lambda: make(session, state))

    def message(self, title: str, *paragraphs: str, status: int = 200) -> HTMLResponse:
        """A page with a title and a few words."""
        return self.page("message.html", status=status, title=title, paragraphs=paragraphs)

    def subscriber_of(
        self, session: Session, purpose: Purpose, token: str, *, expires: bool = False
    ) -> Subscriber:
        """The subscriber whose link this is.

        Raises:
            HTTPException: 410, they were erased.
            TokenError: the link is not ours, has expired, or was signed out.
        """
        value = self.signer.verify(purpose, token, expires=expires)
        public_id, generation = generation_in(value)
        found = accounts.find(session, public_id)
        if found is None:
            raise HTTPException(410)
        if found.link_generation != generation:
            raise TokenError(SIGNED_OUT)
        language.use(found.language)
        return found

    def delivery_of(self, session: Session, purpose: Purpose, token: str) -> int:
        """The delivery that ``token`` names; there may be no such row any more.

        Raises:
            TokenError: the token is not ours, names no delivery, or was signed out.
        """
        value, generation = generation_in(self.signer.verify(purpose, token))
        if not re.fullmatch(r"[0-9]{1,18}", value):
            raise TokenError(N_("this link names no digest"))
        known = session.exec(
            select(Subscriber.link_generation, Subscriber.language)
            .join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
            .where(Delivery.id == int(value))
        ).first()
        if known is not None and known[0] != generation:
            raise TokenError(SIGNED_OUT)
        if known is not None:
            language.use(known[1])
        return int(value)

    def preferences_url(self, subscriber: Subscriber) -> str:
        """Where a subscriber changes what they get."""
        value = of_generation(subscriber.public_id, subscriber.link_generation)
        return f"{self.root}/preferences/{self.signer.sign(Purpose.PREFERENCES, value)}"

    def unsubscribe_url(self, public_id: str) -> str:
        """Where a subscriber leaves."""
        return f"{self.root}/unsubscribe/{self.signer.sign(Purpose.UNSUBSCRIBE, public_id)}"


async def _site(request: Request) -> Site:
    # Async, because a plain function runs in a thread, and switching there and back takes
    # as long as a cached page.
    site: Site = request.app.state.site
    return site


READ = ["GET", "HEAD"]
# The key of a row in an address; keys are 32-bit integers.
RowId = Annotated[int, Path(ge=1, lt=2**31)]
SiteDep = Annotated[Site, Depends(_site)]
