"""The SMTP transport against a real server: every failure told apart, none charged to the next."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from newsletter.core.errors import (
    PermanentTransportError,
    SettingsError,
    TransientTransportError,
    UncertainTransportError,
)
from newsletter.messages.envelope import Envelope
from newsletter.sending.transports.smtp import Relay, SmtpTransport, parse_relay
from tests.support.chaos_sink import ChaosSink, running_chaos_sink
from tests.support.smtp_sink import Sink, running_sink


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


def envelope(name: str) -> Envelope:
    data = f"From: a@papers.example\r\nTo: {name}@reader.example\r\nSubject: s\r\n\r\n.hidden\r\n"
    return Envelope(1, "bounce+1-x@papers.example", f"{name}@reader.example", data.encode())


def send_all(port: int, *names: str) -> list[object]:
    """What each message came to, over one transport: the answer, or the error."""

    async def run() -> list[object]:
        transport = SmtpTransport(Relay("127.0.0.1", port))
        outcomes: list[object] = []
        for name in names:
            try:
                outcomes.append(await transport.send(envelope(name)))
            except (
                PermanentTransportError,
                TransientTransportError,
                UncertainTransportError,
            ) as error:
                outcomes.append(error)
        await transport.close()
        return outcomes

    return asyncio.run(run())


def test_messages_share_a_connection_and_arrive_as_they_were(sink: Sink) -> None:
    assert send_all(sink.port, "ada", "bob") == ["250 2.0.0 queued as 1"] * 2
    assert sink.recipients() == ["ada@reader.example", "bob@reader.example"]
    assert sink.connections == 1
    assert sink.accepted[0].mail_from == "bounce+1-x@papers.example"
    assert sink.accepted[0].original_content == envelope("ada").data, "a leading dot survives"


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("nobody", PermanentTransportError, 550),
        ("policy", PermanentTransportError, 550),
        ("busy", TransientTransportError, 451),
        ("full", TransientTransportError, 452),
        ("closing", TransientTransportError, 421),
        ("lost", UncertainTransportError, 0),
    ],
)
def test_a_failure_is_told_apart_and_the_next_message_goes_out(
    sink: Sink, name: str, kind: type[Exception], code: int
) -> None:
    failed, answer = send_all(sink.port, name, "ada")
    assert isinstance(failed, kind)
    assert getattr(failed, "code", None) == code
    assert answer == "250 2.0.0 queued as 1"
    assert "ada@reader.example" in sink.recipients()


def test_a_relay_that_is_down_is_transient_and_named() -> None:
    with running_sink() as gone:
        port = gone.port
    [error] = send_all(port, "ada")
    assert isinstance(error, TransientTransportError)
    assert f"127.0.0.1:{port}" in str(error)


def test_a_relay_that_demands_tls_but_offers_none_gets_nothing(sink: Sink) -> None:
    async def run() -> None:
        await SmtpTransport(Relay("127.0.0.1", sink.port, starttls=True)).send(envelope("ada"))

    with pytest.raises(TransientTransportError):
        asyncio.run(run())
    assert sink.accepted == []


def test_relay_urls_are_read() -> None:
    assert parse_relay("smtp://127.0.0.1:2525") == Relay("127.0.0.1", 2525)
    assert parse_relay("smtp://mail.example") == Relay("mail.example", 25)
    full = parse_relay("smtps://ada:p%40ss@mail.example")
    assert full == Relay("mail.example", 465, "ada", "p@ss", implicit_tls=True)
    assert parse_relay("smtp://ada:x@mail.example") == Relay(
        "mail.example", 587, "ada", "x", starttls=True
    ), "a login over a stripped STARTTLS would be in the clear"
    assert parse_relay("smtp://mail.example?starttls=false").starttls is False


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example:99999",
        "smtp://mail.example?starttls=perhaps",
        "smtp://mail.example?verify=no",
        "smtp://ada:x@mail.example?starttls=false",
    ],
)
def test_a_relay_url_that_cannot_be_used_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_relay(url)
    assert "ada" not in str(caught.value)


@pytest.fixture
def piped() -> Iterator[ChaosSink]:
    """A relay that offers PIPELINING and behaves."""
    with running_chaos_sink(seed=0) as sink:
        sink.calm = True
        yield sink


def send_ahead(port: int, *pairs: tuple[str, str | None]) -> list[str]:
    """What each message came to, sent with word of the one that is to follow."""

    async def run() -> list[str]:
        transport = SmtpTransport(Relay("127.0.0.1", port))
        envelopes = {name: envelope(name) for pair in pairs for name in pair if name}
        outcomes = []
        for name, following in pairs:
            try:
                after = envelopes[following] if following else None
                outcomes.append((await transport.send(envelopes[name], after))[:3])
            except (TransientTransportError, UncertainTransportError) as error:
                outcomes.append(type(error).__name__)
        await transport.close()
        return outcomes

    return asyncio.run(run())


def taken(sink: ChaosSink) -> list[str]:
    return [each.recipient.partition("@")[0] for each in sink.taken]


def test_the_next_message_may_be_announced_along_with_one(piped: ChaosSink) -> None:
    pairs = ("ada", "bob"), ("bob", "cy"), ("cy", None)
    assert send_ahead(piped.port, *pairs) == ["250"] * 3
    assert taken(piped) == ["ada", "bob", "cy"]
    assert piped.connections == 1


def test_without_pipelining_nothing_is_announced(sink: Sink) -> None:
    assert send_ahead(sink.port, ("ada", "bob"), ("bob", None)) == ["250", "250"]
    assert sink.connections == 1


def test_nothing_of_an_announced_message_goes_out_when_another_comes(piped: ChaosSink) -> None:
    assert send_ahead(piped.port, ("ada", "bob"), ("cy", None)) == ["250", "250"]
    assert taken(piped) == ["ada", "cy"]
    assert piped.connections == 2, "the relay waits for bob's message on the first"


def test_a_goodbye_is_not_taken_for_the_announced_message(piped: ChaosSink) -> None:
    assert send_ahead(piped.port, ("ada", "bob")) == ["250"]
    assert taken(piped) == ["ada"]


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ("4xx to the content", "TransientTransportError"),
        ("taken, dropped before the answer", "UncertainTransportError"),
        ("taken, garbled answer", "UncertainTransportError"),
        ("drop before DATA", "TransientTransportError"),
    ],
)
def test_a_failure_is_not_charged_to_the_announced_message(
    piped: ChaosSink, monkeypatch: pytest.MonkeyPatch, how: str, outcome: str
) -> None:
    monkeypatch.setattr(piped, "_how", lambda address: how if address.startswith("ada") else "")
    assert send_ahead(piped.port, ("ada", "bob"), ("bob", None)) == [outcome, "250"]
    assert taken(piped)[-1] == "bob"


def test_a_relay_that_closes_on_pipelined_commands_gets_the_message_again(
    piped: ChaosSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["", "421 to RCPT"])
    monkeypatch.setattr(piped, "_how", lambda address: next(answers, ""))
    assert send_ahead(piped.port, ("ada", "bob"), ("bob", None)) == ["250", "250"]
    assert taken(piped) == ["ada", "bob"]
    assert piped.connections == 2


def test_a_relay_that_loses_pipelined_commands_gets_no_more_of_them(
    piped: ChaosSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: set[str] = set()
    announced: list[bool] = []
    announce = SmtpTransport._announce

    def how(address: str) -> str:
        """Every message but the first is lost when it comes for the first time."""
        is_new = bool(heard) and address not in heard
        heard.add(address)
        return "421 to RCPT" if is_new else ""

    def noting(transport: SmtpTransport, following: Envelope | None) -> Sequence[bytes]:
        commands = announce(transport, following)
        announced.append(bool(commands))
        return commands

    monkeypatch.setattr(piped, "_how", how)
    monkeypatch.setattr(SmtpTransport, "_announce", noting)
    names = [f"reader{number}" for number in range(6)]
    outcomes = send_ahead(piped.port, *zip(names, [*names[1:], None], strict=True))
    assert outcomes == ["250"] * 6
    assert taken(piped) == names
    assert announced == [True, True, True, False, False, False]
