"""Checks the endpoint that says papers in other words, where the operator set one."""

from collections.abc import Iterator

from newsletter.core.config import Settings
from newsletter.core.errors import SourceError
from newsletter.sending.doctor.findings import Finding, ok, warning
from newsletter.sources.chat_endpoint import ChatEndpoint

SECONDS = 20


def endpoint(settings: Settings) -> Iterator[Finding]:
    """Whether it answers; digests do not depend on it."""
    if settings.rephrase_url is None:
        return
    if not settings.rephrase_model:
        fix = "set it to the name of a model there"
        yield warning("other words", "NEWSLETTER_REPHRASE_MODEL is not set", fix)
        return
    key = settings.rephrase_key.get_secret_value() if settings.rephrase_key else ""
    try:
        with ChatEndpoint(
            settings.rephrase_url, settings.rephrase_model, key, longest=SECONDS
        ) as asked:
            asked.check()
    except SourceError as error:
        fix = "check NEWSLETTER_REPHRASE_URL, _MODEL and _KEY; digests go out without it"
        yield warning("other words", str(error), fix)
    else:
        yield ok("other words", f"{settings.rephrase_model} answers")
