"""The text of mails around the papers, and of short mails, before any markup. Pure."""

from dataclasses import dataclass
from datetime import date

from newsletter.core.language import _, gettext, ngettext
from newsletter.core.models import Label, Occasion
from newsletter.core.one_line import shortened
from newsletter.messages import wording
from newsletter.messages.digest import Digest

# An address not confirmed after three days was mistyped, or belongs to another person.
CONFIRM_SECONDS = 3 * 24 * 3600
# A link that can erase is for the reader who asked for it a minute ago.
ACCOUNT_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A mail with one thing to say and one thing to do; ``button`` is its name and URL.

    ``remark`` is a second thing to say.
    """

    subject: str
    heading: str
    paragraph: str
    button: tuple[str, str]
    small: str
    reason: str
    remark: str = ""


def confirmation(site: str, address: str, url: str, *, remark: str = "") -> Note:
    """Ask an address to confirm, without any text a stranger typed (bulk-mail rule 29)."""
    return Note(
        subject=_("Confirm your subscription to {site}", site=site),
        heading=_("Confirm your subscription"),
        paragraph=_(
            "Someone (hopefully you) signed up for {site} with this address. "
            "Click below to start receiving digests of research papers.",
            site=site,
        ),
        button=(_("Confirm my subscription"), url),
        small=_(
            "The link works for three days. If this was not you, ignore this email: "
            "we send nothing more unless you confirm."
        ),
        reason=_(
            "You received this because {address} was entered on the sign-up page of {site}.",
            address=address,
            site=site,
        ),
        remark=remark,
    )


def account_link(site: str, address: str, url: str) -> Note:
    """A new link to export or delete: a forwarded digest is not enough (bulk-mail rule 28).

    Who signs up with an address that is subscribed gets it too, so it leads to preferences first.
    """
    return Note(
        subject=_("Your page at {site}", site=site),
        heading=_("Your page"),
        paragraph=_(
            "Here you can change what you get, export your data or delete it. If you have "
            "just signed up: you already were, so everything is as you left it."
        ),
        button=(_("Open my page"), url),
        small=_(
            "The link works for one hour. If you did not ask for it, ignore this email: "
            "nothing will change."
        ),
        reason=_(
            "You received this because someone asked {site} for a link to the data of {address}.",
            site=site,
            address=address,
        ),
    )


def digest_heading(occasion: Occasion, issue_date: date, covers_from: date | None = None) -> str:
    """The headline of a digest; one that covers more than a day names its days."""
    if occasion is Occasion.WELCOME:
        return _("Welcome")
    if occasion is Occasion.BEST_OF:
        return _("While you were away")
    if covers_from is not None and covers_from < issue_date:
        return _("Your week, {days}", days=wording.days_in_words(covers_from, issue_date))
    return wording.day_in_words(issue_date)


def digest_lead(digest: Digest, site: str) -> str:
    """The first sentence of a digest."""
    name = shortened(wording.one_line(digest.to_name), 60)
    number = len(digest.papers)
    if not number:
        why = wording.one_line(digest.reason).rstrip(".")
        said = gettext("there are no papers for you today: {reason}.").format(reason=why)
        if digest.news:
            told = ngettext(
                "But there is news of {count} paper that you know.",
                "But there is news of {count} papers that you know.",
                len(digest.news),
            )
            said += f" {told}"
    elif digest.occasion is Occasion.WELCOME:
        said = ngettext(
            "this is your first digest from {site}: {count} paper from the past few days.",
            "this is your first digest from {site}: {count} papers from the past few days.",
            number,
            site=site,
        )
    elif digest.occasion is Occasion.BEST_OF:
        said = ngettext(
            "here is the best {count} paper announced during your vacation.",
            "here are the best {count} papers announced during your vacation.",
            number,
        )
    elif any(paper.label is not Label.NONE for paper in digest.papers):
        said = ngettext(
            "here is {count} paper chosen for you.",
            "here are {count} papers chosen for you.",
            number,
        )
    else:  # popular ones, the same for everyone
        said = ngettext(
            "here is {count} of the new papers.",
            "here are {count} of the new papers.",
            number,
        )
    if digest.notice:
        said += f" {wording.one_line(digest.notice)}"
    return _("{name}, {said}", name=name, said=said) if name else said[0].upper() + said[1:]


def digest_contents(digest: Digest, words: int) -> str:
    """What is in a digest and how long it takes: its sections with their papers; "" of none."""
    if not digest.papers:
        return ""
    time = wording.reading_time(words)
    if len(digest.sections) == 1:
        return time
    named = (
        f"{shortened(wording.one_line(section.name), 40)} ({len(section.papers)})"
        for section in digest.sections
    )
    return f"{', '.join(named)} · {time}"


def digest_reason(site: str, address: str) -> str:
    """Why the reader gets this; names the address, since mail is forwarded and redirected."""
    return _(
        "You received this because {address} is subscribed to {site}.", address=address, site=site
    )
