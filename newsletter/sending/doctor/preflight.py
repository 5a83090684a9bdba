"""Whether a real send may start, judged from the settings alone."""

from urllib.parse import urlsplit

from newsletter.core.config import Settings
from newsletter.core.errors import SettingsError
from newsletter.messages import dkim
from newsletter.sending.transports.smtp import parse_relays


def check_can_send(settings: Settings, *, force: bool = False) -> None:
    """Refuse a send that would break bulk-mail rules 1, 2 or 10.

    Relays on this machine are exempt: they are for trying out, or they sign themselves and are
    the operator's own. ``force`` is the operator's word that the relay signs.

    Raises:
        SettingsError: all reasons in one line, with a fix for each.
    """
    if force or settings.smtp_url is None:
        return
    if all(relay.is_loopback for relay in parse_relays(settings.smtp_url.get_secret_value())):
        return
    reasons = obstacles(settings)
    if reasons:
        raise SettingsError(f"not sent: {'; '.join(reasons)}; use --force to send anyway")


def obstacles(settings: Settings) -> list[str]:
    """List the reasons not to send through a remote relay; empty when there are none."""
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
            f"the DKIM domain {domain} is not aligned with mail from {sender} (set "
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
