"""Say the papers of an edition in other words: one cached call a paper and language.

What a model writes is kept only where `ranking.support` finds it supported; a refused sentence is
noted, so that it is not asked for again, and the abstract's own stands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from newsletter.core.database import session_scope, upsert, utc_now
from newsletter.core.errors import FetchError, ParseError
from newsletter.core.language import SOURCE, english_name
from newsletter.core.models import Delivery, EditionPaper, OtherWords, Paper
from newsletter.ranking.support import LONGEST_TITLE, Encode, refusal, refusal_of_translation
from newsletter.sources.chat_endpoint import ChatEndpoint, Words

MOST_A_RUN = 500
# An endpoint that is silent so often in a row is down: the next run goes on.
MOST_SILENCES = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A paper to be said in a language."""

    paper_id: int
    title: str
    abstract: str
    language: str


@dataclass(frozen=True, slots=True)
class Done:
    """How many answers were kept and refused, why the last was, and which calls failed."""

    asked: int = 0
    kept: int = 0
    refused: int = 0
    failures: tuple[str, ...] = ()


def fingerprint(paper: Asked) -> str:
    """Names what a text was made from: a revised abstract is asked about again."""
    return sha256(f"{paper.title}\n{paper.abstract}".encode()).hexdigest()[:32]


def wanted(session: Session, edition_id: int, most: int = MOST_A_RUN) -> list[Asked]:
    """The papers of an edition, in each language its readers have, that were not asked for yet."""
    languages = session.exec(
        select(Delivery.language).where(Delivery.edition_id == edition_id).distinct()
    ).all()
    papers = session.exec(
        select(Paper)
        .join(EditionPaper, col(EditionPaper.paper_id) == col(Paper.id))
        .where(EditionPaper.edition_id == edition_id, Paper.abstract != "")
        .order_by(col(Paper.id))
    ).all()
    known = {
        (row.paper_id, row.language, row.made_from)
        for row in session.exec(
            select(OtherWords)
            .join(EditionPaper, col(EditionPaper.paper_id) == col(OtherWords.paper_id))
            .where(EditionPaper.edition_id == edition_id)
        )
    }
    asked = [
        Asked(paper.id or 0, paper.title, paper.abstract, language)
        for paper in papers
        for language in sorted(set(languages))
    ]
    return [
        each for each in asked if (each.paper_id, each.language, fingerprint(each)) not in known
    ][:most]


def rephrase(
    engine: Engine,
    endpoint: ChatEndpoint,
    papers: Sequence[Asked],
    encode: Encode,
    *,
    model: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Done:
    """Ask for each, check the answer, and keep it. No error stops the next paper."""
    done, silences = Done(), 0
    for number, paper in enumerate(papers):
        progress(number, len(papers))
        try:
            words = endpoint.words_for(paper.title, paper.abstract, english_name(paper.language))
            why = _refusal(paper, words, encode)
        except FetchError as error:
            done = replace(done, failures=(*done.failures, str(error)))
            silences += 1
            if silences >= MOST_SILENCES or not error.transient:
                break
            continue
        except ParseError as error:
            words, why = Words(""), error.what
        silences = 0
        done = replace(
            done,
            asked=done.asked + 1,
            kept=done.kept + (not why),
            refused=done.refused + bool(why),
        )
        _keep(engine, paper, words, why=why, model=model)
    return done


def _refusal(paper: Asked, words: Words, encode: Encode) -> str:
    why = refusal(words.sentence, paper.title, paper.abstract, encode)
    if why or paper.language == SOURCE:
        return why
    if not words.translation or not words.title or len(words.title) > LONGEST_TITLE:
        return "the translation is missing"
    return refusal_of_translation(words.translation, words.sentence) or refusal_of_translation(
        words.title, paper.title
    )


def _keep(engine: Engine, paper: Asked, words: Words, *, why: str, model: str) -> None:
    said = Words("") if why else words
    if paper.language == SOURCE:  # some models translate without being asked
        said = Words(said.sentence, said.sentence)
    values = {
        "paper_id": paper.paper_id,
        "language": paper.language,
        "made_from": fingerprint(paper),
        "model": model[:200],
        "sentence": said.translation,
        "title": said.title,
        "refusal": why[:200],
        "made_at": utc_now(),
    }
    with session_scope(engine) as session:
        if session.get(Paper, paper.paper_id) is None:
            return  # an ingest merged it into another
        session.execute(
            upsert(session, "other_words")
            .values(values)
            .on_conflict_do_update(index_elements=["paper_id", "language"], set_=values)
        )
