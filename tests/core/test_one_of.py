"""Questions about many ids at once, in one parameter of a statement."""

from sqlalchemy import Engine, text
from sqlmodel import Session, col, select

from newsletter.core import database
from newsletter.core.models import DigestItem
from newsletter.core.one_of import one_of, pair_among
from tests.support.factories import (
    make_delivery,
    make_edition,
    make_item,
    make_paper,
    make_subscriber,
)


def fill(session: Session) -> tuple[list[int], list[int]]:
    """Three readers who had the first two of three papers; ids of both."""
    edition = make_edition(session)
    papers = [make_paper(session, number) for number in range(1, 4)]
    readers = []
    for number in range(3):
        reader = make_subscriber(session, f"reader{number}@example.org", public_id=f"{number:016}")
        delivery = make_delivery(session, edition, reader)
        session.add_all(make_item(delivery, paper, n) for n, paper in enumerate(papers[:2], 1))
        readers.append(reader.id or 0)
    session.flush()
    return readers, [paper.id or 0 for paper in papers]


def test_ids_and_pairs_of_ids_find_their_rows_and_no_others(engine: Engine) -> None:
    item = (col(DigestItem.subscriber_id), col(DigestItem.paper_id))
    with database.session_scope(engine) as session:
        (first, second, third), (one, two, three) = fill(session)

        def found(condition: object) -> set[tuple[int, int]]:
            query = select(*item).where(condition)  # type: ignore[arg-type]
            return {(reader, paper) for reader, paper in session.exec(query)}

        everything = {(reader, paper) for reader in (first, second, third) for paper in (one, two)}
        assert found(one_of(item[0], [])) == set()
        assert found(one_of(item[0], [second, 10**9])) == {(second, one), (second, two)}
        assert found(~one_of(item[0], [first, third])) == {(second, one), (second, two)}
        assert found(one_of(item[0], {first, second, third})) == everything
        assert found(pair_among(*item, [])) == set()
        pairs = [(first, two), (second, three), (third, one), (three, 2**31 - 1)]
        assert found(pair_among(*item, pairs)) == {(first, two), (third, one)}
        many = [(reader, paper) for reader in range(1, 400) for paper in range(1, 200)]
        assert found(pair_among(*item, many)) == everything


def test_ids_and_pairs_of_ids_are_looked_up_in_an_index(engine: Engine) -> None:
    """What a table scan would cost grows with every digest ever sent."""
    item = (col(DigestItem.subscriber_id), col(DigestItem.paper_id))
    with database.session_scope(engine) as session:
        readers, papers = fill(session)
        if engine.dialect.name == "postgresql":  # of tables of six rows it reads all
            session.execute(text("SET LOCAL enable_seqscan = off"))
        for condition in (
            one_of(item[0], readers),
            pair_among(*item, zip(readers, papers, strict=True)),
        ):
            query = (
                select(*item)
                .where(condition)
                .compile(engine, compile_kwargs={"literal_binds": True})
            )
            explain = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
            rows = session.connection().exec_driver_sql(f"{explain} {query}")
            plan = " ".join(str(row) for row in rows)
            assert "SEARCH digest_item USING" in plan or "Index" in plan, plan
            assert "SCAN digest_item" not in plan
            assert "Seq Scan" not in plan
