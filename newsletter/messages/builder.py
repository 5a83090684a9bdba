"""Two encoded bodies and an addressee to a signed message in its envelope. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.core.config import Settings
from newsletter.core.tokens import Signer
from newsletter.messages import dkim, mime
from newsletter.messages.envelope import Envelope
from newsletter.messages.mime import Header

# Exchange: no receipts, no out-of-office. Not "All", which would also stop its bounces.
NO_AUTO_REPLIES = "DR, RN, NRN, OOF, AutoReply"
# RFC 5321 §4.5.3.1.1: what a local part may have; the mailto link is left out over that.
LONGEST_LOCAL_PART = 64
# The signed bounce address once more, in the message: bounces that lost their envelope and webhooks
# still tell whose they are. Not signed by DKIM, because only we act on it.
MARK = "X-Newsletter-Delivery"
# Where providers take a value of ours that their webhooks give back, by the setting that opens the
# webhook. Amazon SES gives back the mark itself, among the message's headers.
_CARRIED = {
    "postmark_webhook_password": ("X-PM-Metadata-delivery", "{}"),
    "sendgrid_webhook_key": ("X-SMTPAPI", '{{"unique_args": {{"delivery": "{}"}}}}'),
    "mailgun_webhook_key": ("X-Mailgun-Variables", '{{"delivery": "{}"}}'),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """Who gets a message, and what was fixed before its first attempt."""

    delivery_id: int
    unsubscribe: str  # the token in the link
    unsubscribe_mailbox: str  # and the one in the address
    to_address: str
    to_name: str
    message_id: str
    subject: str
    created_at: datetime


class MessageMaker:
    """Puts headers and signatures around bodies (bulk-mail rules 1 to 17)."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        """Check and keep what all messages share.

        Raises:
            SettingsError: the From address is missing, or a DKIM key cannot be used.
            RenderError: the base URL cannot stand in a header.
        """
        settings.require("from_address")
        sender = mime.address(str(settings.from_address), "the From address")
        domain = sender.rpartition("@")[2]
        self._signer = signer
        self._base_url = settings.base_url
        self._bounce_domain = settings.bounce_domain or domain
        self._signatures = dkim.signatures(settings, domain)
        carried = (each for setting, each in _CARRIED.items() if getattr(settings, setting))
        self._marks = ((MARK, "{}"), *carried)
        name = settings.from_name or settings.site_name
        list_id = f"newsletter.{settings.dkim_domain or domain}"
        self._from: Header = ("From", mime.mailbox("From", name, sender))
        self._shared: tuple[Header, ...] = (
            ("List-Id", mime.mailbox("List-Id", name, list_id)),
            ("List-Help", mime.uris(f"{settings.base_url}/")),
            ("List-Owner", mime.uris(f"mailto:{sender}")),
            ("List-Post", "NO"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", NO_AUTO_REPLIES),
            ("MIME-Version", "1.0"),
        )
        self._shared_lines = mime.header_lines(self._shared)

    def envelope(self, to: Addressed, text: Sequence[bytes], html: Sequence[bytes]) -> Envelope:
        """The message to ``to``; the bodies come in pieces, from `mime.quoted_printable`.

        So each piece but the last of a body ends its line, and no line begins with a dot.

        Raises:
            RenderError: an address, a name, the subject or the Message-ID cannot be sent.
        """
        recipient = mime.address(to.to_address, "the recipient")
        boundary = mime.boundary_for(to.message_id)
        sender = self._signer.verp_address(to.delivery_id, self._bounce_domain)
        own = self._own_headers(to, recipient, boundary)
        marks = ((name, form.format(sender)) for name, form in self._marks)
        headers = (self._from, *own)
        body = mime.multipart_alternative(boundary, text, html)
        lines = mime.header_lines(headers)
        mark_lines = mime.header_lines([*marks]) + b"\r\n"
        signed = ""
        if self._signatures:
            body = (b"".join(body),)  # to hash some hundred short pieces takes twice as long
            canonical = dkim.relaxed_headers((*headers, *self._shared))
            body_hash = dkim.body_hash(body)
            moment = int(to.created_at.timestamp())
            for signature in self._signatures:
                signed += signature.header(canonical, body_hash, moment)
        return Envelope(
            delivery_id=to.delivery_id,
            sender=sender,
            recipient=recipient,
            data=b"".join((signed.encode(), lines, self._shared_lines, mark_lines, *body)),
            has_safe_lines=True,
        )

    def _own_headers(self, to: Addressed, recipient: str, boundary: str) -> tuple[Header, ...]:
        return (
            ("To", mime.mailbox("To", to.to_name, recipient)),
            ("Subject", mime.unstructured("Subject", to.subject)),
            ("Date", mime.moment(to.created_at)),
            ("Message-ID", mime.message_id(to.message_id)),
            ("List-Unsubscribe", self._unsubscribe(to.unsubscribe, to.unsubscribe_mailbox)),
            ("Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"'),
        )

    def _unsubscribe(self, token: str, in_mailbox: str) -> str:
        link = f"{self._base_url}/unsubscribe/{token}"
        local_part = f"unsubscribe+{in_mailbox}"
        if len(local_part) > LONGEST_LOCAL_PART:
            return mime.uris(link)
        return mime.uris(link, f"mailto:{local_part}@{self._bounce_domain}")
