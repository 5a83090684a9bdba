"""Short mails to the signed bytes of a message: the same row gives the same bytes."""

from datetime import datetime
from typing import NotRequired, TypedDict, Unpack

from newsletter.core import language
from newsletter.core.config import Settings
from newsletter.core.tokens import Purpose, Signer, of_generation
from newsletter.messages import mime, templates, transactional, wording
from newsletter.messages.builder import Addressed, MessageMaker
from newsletter.messages.envelope import Envelope
from newsletter.messages.transactional import Note


class Addressee(TypedDict):
    """Who a short mail goes to: the delivery's row, and the subscriber's public id."""

    delivery_id: int
    to_address: str
    message_id: str
    created_at: datetime
    public_id: str
    link_generation: NotRequired[int]
    remark: NotRequired[str]
    language: NotRequired[str]


class NoteRenderer:
    """Renders confirmations and links to one's account."""

    def __init__(self, settings: Settings, signer: Signer, maker: MessageMaker) -> None:
        self._base_url = settings.base_url
        self._site = wording.one_line(settings.site_name)
        self._postal_address = wording.one_line(settings.postal_address or "")
        self._signer = signer
        self._maker = maker

    def confirmation(self, **to: Unpack[Addressee]) -> Envelope:
        """Asks an address to confirm; the link ends `transactional.CONFIRM_SECONDS` after creation.

        Raises:
            RenderError: the address or the Message-ID cannot be sent.
        """
        # The link names the mail that it stands in: what is confirmed is what caused that mail.
        confirmed = f"{to['public_id']}:{to['delivery_id']}"
        url = self._fresh_link(
            "confirm", Purpose.CONFIRM, confirmed, transactional.CONFIRM_SECONDS, to
        )
        with language.speaking(to.get("language", language.SOURCE)):
            note = transactional.confirmation(
                self._site, to["to_address"], url, remark=to.get("remark", "")
            )
            return self._note(note, to)

    def account_link(self, **to: Unpack[Addressee]) -> Envelope:
        """A link to export and erase; it ends `transactional.ACCOUNT_SECONDS` after creation.

        Raises:
            RenderError: the address or the Message-ID cannot be sent.
        """
        mine = of_generation(to["public_id"], to.get("link_generation", 0))
        url = self._fresh_link("account", Purpose.ERASE, mine, transactional.ACCOUNT_SECONDS, to)
        with language.speaking(to.get("language", language.SOURCE)):
            return self._note(transactional.account_link(self._site, to["to_address"], url), to)

    def _fresh_link(
        self, page: str, purpose: Purpose, value: str, lifetime: int, to: Addressee
    ) -> str:
        """Counted from creation, so that a retry holds the same link."""
        token = self._signer.sign(purpose, value, lifetime=lifetime, since=to["created_at"])
        return f"{self._base_url}/{page}/{token}"

    def _note(self, note: Note, to: Addressee) -> Envelope:
        token = self._signer.sign(Purpose.UNSUBSCRIBE, to["public_id"])
        values = {
            "note": note,
            "subject": note.subject,
            "preheader": note.paragraph,
            "reason": wording.one_line(note.reason),
            "site_name": self._site,
            "postal_address": self._postal_address,
            "links": {
                "view": "",
                "preferences": "",
                "unsubscribe": f"{self._base_url}/unsubscribe/{token}",
                "subscribe": "",
            },
        }
        html, text = (templates.render(each, values) for each in templates.compiled("note"))
        # No name: a stranger may have typed anything there (bulk-mail rule 29).
        addressed = Addressed(
            delivery_id=to["delivery_id"],
            unsubscribe=token,
            unsubscribe_mailbox=self._signer.mailbox_token(Purpose.UNSUBSCRIBE, to["public_id"]),
            to_address=to["to_address"],
            to_name="",
            message_id=to["message_id"],
            subject=note.subject,
            created_at=to["created_at"],
        )
        return self._maker.envelope(
            addressed, [mime.quoted_printable(text)], [mime.quoted_printable(html)]
        )
