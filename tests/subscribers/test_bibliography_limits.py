"""Bibliographies that attack the reader: each costs a child process a moment, and one line."""

import threading
from pathlib import Path

import pytest

from newsletter.core import limited
from newsletter.core.errors import InputError, LimitError
from newsletter.core.limited import run_limited
from newsletter.subscribers.bibliography import (
    IN_PREFERENCES,
    LeftOut,
    Limits,
    Reference,
    parse,
)
from newsletter.subscribers.bibliography.entries import LONGEST_ENTRY

FIVE_MEGABYTES = 5 * 1024 * 1024

HOSTILE = {
    "starts without an end": b"@a{",
    "starts on lines of their own": b"@a{\n",
    "braces that open": b"{",
    "braces that close": b"}",
    "entries without a key": b"@a{}",
    "an entry in an entry": b"@a{b,c={@d{e,f={",
    "abbreviations": b"@string{a=b}\n",
    "blanks after the kind": b"@a           \n\n\n        ",
    "escapes": b"\\\\\\{",
    "quotes": b'@a{b,c="',
    "starts of RIS": b"TY  - JOUR\n",
    "RIS without an end": b"TY  - JOUR\nA",
    "nothing": b"\0",
    "joined values": b"@a{b,c=d#e#f#",
    "columns": b"title,doi\n",
    "a row without an end": b'title,doi\n"',
    "objects": b'[{"a":1},',
    "elements": b"<a>",
    "RIS of one line": b"TY  - JOUR TI  - ",
    "ids": b"10.1000/1 arXiv:2101.00001 ",
}


# What a child imports: readers that misbehave.
READERS = """
import os
from newsletter.core.errors import InputError

def loop(data):
    while True:
        pass

def grow(data):
    return len(b"x" * (1 << 40))

def dig(data):
    return dig(data)

def refuse(data):
    raise InputError(f"{len(data)} bytes are not what it wants", where="unheard")

def settings(data):
    return [name for name in os.environ if name.startswith("NEWSLETTER")]

def write(data, path):
    with open(path, "wb") as file:
        file.write(b"x")
"""


@pytest.fixture
def readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "wild_readers.py").write_text(READERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "wild_readers"


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_five_megabytes_of_hostile_pieces_are_one_clear_line(piece: bytes) -> None:
    data = (piece * (FIVE_MEGABYTES // len(piece)))[:FIVE_MEGABYTES]
    with pytest.raises(InputError, match=r"contains (no|more)|within our limits|too long"):
        parse(data, IN_PREFERENCES)


def test_a_large_honest_library_is_read_whole() -> None:
    entry = "@article{k%d,\n title={On \\{Things\\} %d},\n doi={10.1234/x%d},\n abstract={%s}\n}\n"
    text = "".join(entry % (i, i, i, "several words " * 55) for i in range(5000))
    assert 4_000_000 < len(text) < FIVE_MEGABYTES
    found = parse(text.encode(), IN_PREFERENCES)
    assert len(found.references) == 5000
    assert found.left_out == ()
    assert found.references[-1] == Reference(("10.1234/x4999",), "On Things 4999", 24996)


def test_an_unclosed_entry_does_not_swallow_the_next() -> None:
    text = b"@a{never, title={Ends\n@article{b, title={Whole}}\n@book{c, title={Cut"
    found = parse(text, IN_PREFERENCES)
    assert [each.title for each in found.references] == ["Ends", "Whole", "Cut"]


def test_the_caller_sets_the_limits_of_a_file() -> None:
    data = b"@a{k, title={A}}\n" * 3
    with pytest.raises(LimitError, match=r"^mine\.bib: contains more than 2 entries$"):
        parse(data, Limits(1024, 2), where="mine.bib")
    with pytest.raises(LimitError, match=r"^mine\.bib: is larger than 1 KB$"):
        parse(b"x" * 1025, Limits(1024, 2), where="mine.bib")
    with pytest.raises(InputError, match="contains no BibTeX or RIS entry"):
        parse(b"x" * 1024, Limits(1024, 2))


def test_a_thousand_abbreviations_are_known_and_overlong_entries_are_named() -> None:
    text = "".join(f"@string{{j{number} = {{Journal {number}}}}}\n" for number in range(1000))
    text += "@a{k, title={%s}}\n@a{l, title=j999}\n" % ("x" * LONGEST_ENTRY)
    found = parse(text.encode(), IN_PREFERENCES)
    assert [each.title for each in found.references] == ["Journal 999"]
    assert found.left_out == (LeftOut(1001, "it is longer than 64 KB"),)


@pytest.mark.parametrize(
    ("function", "said"),
    [("loop", "takes too long"), ("grow", "within our limits"), ("dig", "within our limits")],
)
def test_a_reader_that_runs_wild_ends_with_its_child(
    readers: str, function: str, said: str
) -> None:
    with pytest.raises(LimitError, match=f"^f: .*{said}"):
        run_limited(f"{readers}:{function}", b"", where="f", seconds=1)


def test_the_child_refuses_in_words_and_knows_and_writes_nothing(
    readers: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", "not for children")
    with pytest.raises(InputError, match=r"^f: 3 bytes are not what it wants$"):
        run_limited(f"{readers}:refuse", b"abc", where="f")
    assert run_limited(f"{readers}:settings", b"", where="f") == []
    with pytest.raises(LimitError):
        run_limited(f"{readers}:write", b"", where="f", path=str(tmp_path / "written"))
    assert (tmp_path / "written").read_bytes() == b""


def test_only_one_is_read_at_a_time_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go_on = threading.Event(), threading.Event()
    running: list[int] = []

    def slow(task: str, data: bytes, where: str) -> str:
        running.append(len(running))
        entered.set()
        go_on.wait(30)
        return "read"

    monkeypatch.setattr(limited, "_run", slow)
    answers: list[str] = []

    def one() -> None:
        answers.append(run_limited("a:b", b"", where="f"))

    inside = [threading.Thread(target=one) for _ in range(limited.MOST_IN_LINE + 1)]
    for thread in inside:
        thread.start()
    assert entered.wait(30)
    # The others stand in line by now or soon: then nobody else gets in.
    while limited._line._value:
        pass
    assert running == [0]
    with pytest.raises(LimitError, match=r"^f: was not read: too many files"):
        run_limited("a:b", b"", where="f")
    go_on.set()
    for thread in inside:
        thread.join(30)
    assert answers == ["read"] * len(inside)
