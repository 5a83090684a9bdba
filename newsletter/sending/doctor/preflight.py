"""Whether a real send may start, judged from the settings alone."""

from urllib.parse import urlsplit

from newsletter.core.config import Settings
from newsletter.core.errors import SettingsError
from newsletter.messages import dkim
from newsletter.sending.transports.smtp import parse_relays


def check_can_send(settings: Settings, *, anyway: bool = False) -> None:
    """Refuse a send that providers would refuse or readers could not leave (law 1, 2, 10).

    Relays on this machine are exempt: they are for trying out, or they sign themselves and are
    the operator's own. ``anyway`` is the operator's word that somebody else signs.

    Raises:
        SettingsError: all the reasons in one line, and how to mend each.
    """
    if anyway or settings.smtp_url is None:
        return
    if all(relay.is_loopback for relay in parse_relays(settings.smtp_url.get_secret_value())):
        return
    reasons = obstacles(settings)
    if reasons:
        raise SettingsError(f"not sent: {'; '.join(reasons)}; or send with --anyway")


def obstacles(settings: Settings) -> list[str]:
    """Why a send through a relay elsewhere would do harm; empty when nothing speaks against it."""
    reasons = []
    sender = (settings.from_address or "").rpartition("@")[2]
    domain = settings.dkim_domain or sender
    if settings.dkim_key_file is None:
        reasons.append(
            f"mail from {sender} would not be signed (set NEWSLETTER_DKIM_KEY_FILE; "
            "`newsletter dkim keygen` makes a key)"
        )
    elif not aligned(domain, sender):
        reasons.append(
            f"a signature of {domain} does not count for mail from {sender} (set "
            "NEWSLETTER_DKIM_DOMAIN to the From address's domain)"
        )
    if settings.dkim_key_file is not None:
        dkim.signatures(settings, sender)  # raises when a key cannot be used
    if urlsplit(settings.base_url).scheme != "https":
        reasons.append(
            f"links to {settings.base_url} are not HTTPS, and one-click unsubscribe needs it "
            "(set NEWSLETTER_BASE_URL)"
        )
    return reasons


def aligned(domain: str, sender: str) -> bool:
    """DMARC's relaxed alignment, without a list of public suffixes: equal, or one in the other."""
    one, other = domain.lower(), sender.lower()
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")
