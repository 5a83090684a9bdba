"""A broadcast to the signed bytes of each subscriber's copy: the same row gives the same bytes."""

from newsletter.core import language
from newsletter.core.config import Settings
from newsletter.core.one_line import shortened
from newsletter.core.tokens import Purpose, Signer, of_generation
from newsletter.messages import broadcast, mime, templates, transactional, wording
from newsletter.messages.broadcast import BroadcastMessage
from newsletter.messages.builder import Addressed, MessageMaker
from newsletter.messages.envelope import Envelope

LONGEST_PREHEADER = 200


class BroadcastRenderer:
    """Renders broadcasts of a site."""

    def __init__(self, settings: Settings, signer: Signer, maker: MessageMaker) -> None:
        self._base_url = settings.base_url
        self._site = wording.one_line(settings.site_name)
        self._postal_address = wording.one_line(settings.postal_address or "")
        self._signer = signer
        self._maker = maker

    def envelope(self, message: BroadcastMessage) -> Envelope:
        """One subscriber's copy, signed when there is a key.

        Raises:
            RenderError: an address, the subject or the Message-ID cannot be sent.
            InputError: the Markdown cannot be used.
        """
        with language.speaking(message.language):
            html, text = self.parts(message)
        to = Addressed(
            delivery_id=message.delivery_id,
            unsubscribe=self._signer.sign(Purpose.UNSUBSCRIBE, message.public_id),
            unsubscribe_mailbox=self._signer.mailbox_token(Purpose.UNSUBSCRIBE, message.public_id),
            to_address=message.to_address,
            to_name=message.to_name,
            message_id=message.message_id,
            subject=message.subject,
            created_at=message.created_at,
        )
        return self._maker.envelope(
            to, [mime.quoted_printable(text)], [mime.quoted_printable(html)]
        )

    def parts(self, message: BroadcastMessage) -> tuple[str, str]:
        """HTML and text, as they are sent.

        Raises:
            InputError: the Markdown cannot be used.
        """
        blocks = broadcast.blocks_of(message.body)
        mine = of_generation(message.public_id, message.link_generation)
        preferences = self._signer.sign(Purpose.PREFERENCES, mine)
        unsubscribe = self._signer.sign(Purpose.UNSUBSCRIBE, message.public_id)
        values = {
            "subject": wording.one_line(message.subject),
            "preheader": shortened(broadcast.preheader(blocks), LONGEST_PREHEADER),
            "blocks": blocks,
            "body": broadcast.as_text(blocks),
            "reason": transactional.digest_reason(self._site, message.to_address),
            "site_name": self._site,
            "postal_address": self._postal_address,
            "links": {
                "view": "",
                "preferences": f"{self._base_url}/preferences/{preferences}",
                "unsubscribe": f"{self._base_url}/unsubscribe/{unsubscribe}",
                "subscribe": f"{self._base_url}/sign-up",
            },
        }
        html, text = templates.compiled("broadcast")
        return templates.render(html, values), templates.render(text, values)
