"""The plain way to a message: whole templates, then the standard library's EmailMessage.

Slower by an order of magnitude and easy to read: what the fast way gives is held against it, and
the benchmark measures how far apart they are.
"""

from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from newsletter.core.config import Settings
from newsletter.core.tokens import Purpose, Signer
from newsletter.messages.digest import Digest
from newsletter.messages.renderer import Renderer

# Long values must not be re-encoded (the reason why the product writes headers itself).
POLICY = SMTP.clone(max_line_length=900)


def build(settings: Settings, signer: Signer, renderer: Renderer, digest: Digest) -> EmailMessage:
    """The message of a digest without signature; for names and addresses that are not hostile."""
    html, text = renderer.parts(digest)
    token = signer.sign(Purpose.UNSUBSCRIBE, digest.subscriber_public_id)
    mailbox = signer.mailbox_token(Purpose.UNSUBSCRIBE, digest.subscriber_public_id)
    domain = str(settings.from_address).rpartition("@")[2]
    message = EmailMessage(policy=POLICY)
    message["From"] = Address(settings.site_name, addr_spec=settings.from_address)
    message["To"] = Address(digest.to_name, addr_spec=digest.to_address)
    message["Subject"] = digest.subject
    message["Date"] = format_datetime(digest.created_at.astimezone(UTC))
    message["Message-ID"] = f"<{digest.message_id}>"
    message["List-Id"] = f"{settings.site_name} <newsletter.{domain}>"
    message["List-Help"] = f"<{settings.base_url}/>"
    message["List-Owner"] = f"<mailto:{settings.from_address}>"
    message["List-Post"] = "NO"
    message["List-Unsubscribe"] = (
        f"<{settings.base_url}/unsubscribe/{token}>, <mailto:unsubscribe+{mailbox}@{domain}>"
    )
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "DR, RN, NRN, OOF, AutoReply"
    message["X-Newsletter-Delivery"] = signer.verp_address(digest.delivery_id, domain)
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message
