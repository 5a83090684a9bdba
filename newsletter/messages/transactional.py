"""What mails say around the papers, and the short mails whole; before any markup. Pure."""

from dataclasses import dataclass
from datetime import date

from newsletter.core.models import Occasion
from newsletter.core.text import shortened
from newsletter.messages import wording
from newsletter.messages.digest import Digest

# An address not confirmed after three days was a typing mistake, or somebody else's.
CONFIRM_SECONDS = 3 * 24 * 3600
# A link that can erase is for the reader who asked for it a minute ago.
ACCOUNT_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A mail with one thing to say and one thing to do; ``button`` is its name and URL."""

    subject: str
    heading: str
    paragraph: str
    button: tuple[str, str]
    small: str
    reason: str


def confirmation(site: str, address: str, url: str) -> Note:
    """Asks whether the address wants digests; holds no text that a stranger typed (law 29)."""
    return Note(
        subject=f"Please confirm: {site}",
        heading="Is this you?",
        paragraph=f"Somebody, we hope you, asked {site} to send research papers to this address. "
        "Press the button, and your digests begin.",
        button=("Confirm my subscription", url),
        small="The button works for three days. If this was not you, do nothing: without "
        "confirmation nothing else is sent.",
        reason=f"You get this because {address} was entered on the sign-up page of {site}.",
    )


def account_link(site: str, address: str, url: str) -> Note:
    """A fresh link to export or erase: a forwarded digest must not be enough (law 28)."""
    return Note(
        subject=f"Your data at {site}",
        heading="Your data, on request",
        paragraph="This link opens the page where you can take your data with you, "
        "or have it erased.",
        button=("Open my data", url),
        small="The link works for one hour. If you did not ask for it, do nothing: "
        "nothing changes.",
        reason=f"You get this because a link was asked for at {site}, for {address}.",
    )


def digest_heading(occasion: Occasion, issue_date: date) -> str:
    """The headline of a digest."""
    if occasion is Occasion.WELCOME:
        return "Welcome"
    if occasion is Occasion.BEST_OF:
        return "While you were away"
    return wording.day_in_words(issue_date)


def digest_lead(digest: Digest, site: str) -> str:
    """The first sentence of a digest."""
    name = shortened(wording.one_line(digest.to_name), 60)
    number = len(digest.papers)
    papers = wording.count_in_words(number, "paper")
    verb = "is" if number == 1 else "are"
    if not number:
        said = f"there is no paper for you today: {wording.one_line(digest.reason)}."
    elif digest.occasion is Occasion.WELCOME:
        said = f"this is your first digest from {site}: {papers}, chosen from the last days."
    elif digest.occasion is Occasion.BEST_OF:
        said = f"here {verb} the best {papers} announced during your vacation."
    else:
        said = f"here {verb} {papers} chosen for you."
    return f"{name}, {said}" if name else said[0].upper() + said[1:]


def digest_reason(site: str, address: str) -> str:
    """Why the reader gets this; names the address, since mail is forwarded and redirected."""
    return f"You get this because {address} is subscribed to {site}."
