"""Settings of relay and sender: what is wrong is said when they load, without secrets."""

from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from newsletter.core.config import load_settings
from newsletter.core.database import session_scope
from newsletter.core.errors import SettingsError
from newsletter.core.models import Delivery, DeliveryStatus
from newsletter.core.setting_checks import SOURCE_NAMES
from newsletter.sending.transports.smtp import parse_relays
from newsletter.sources import registry
from tests.cli.test_send_command import DATE, Command, fill
from tests.support import tls
from tests.support.smtp_sink import running_sink


@pytest.mark.parametrize(
    "password", ["p#ssword", "pass/word", "p@ssword", "pass?word", "#", "a@b#c/d", "12#34", "pw]x"]
)
@pytest.mark.parametrize("setting", ["smtp_url", "imap_url"])
def test_a_password_that_breaks_the_url_is_to_be_encoded_and_not_shown(
    setting: str, password: str
) -> None:
    scheme = "smtp" if setting == "smtp_url" else "imaps"
    with pytest.raises(SettingsError) as error:
        load_settings(**{setting: f"{scheme}://secretuser:{password}@mail.example:587"})
    assert "percent-encode" in str(error.value)
    for part in ("secretuser", password, "ssword", "word"):
        assert part == "#" or part not in str(error.value).replace("password", "")


def test_an_encoded_password_and_a_user_with_an_at_sign_are_taken() -> None:
    url = "smtp://ada@site.example:p%23s%2Fs%40@mail.example:587"
    [relay] = parse_relays(load_settings(smtp_url=url).relay_url)
    assert (relay.username, relay.password) == ("ada@site.example", "p#s/s@")


@pytest.mark.parametrize("port", ["65536", "99999", "0", "smtp", "-1"])
def test_a_port_that_is_none_is_refused_when_settings_load(port: str) -> None:
    with pytest.raises(SettingsError, match="NEWSLETTER_SMTP_URL: the port must be a number"):
        load_settings(smtp_url=f"smtp://mail.example:{port}")


def test_an_unknown_source_is_refused_when_settings_load() -> None:
    with pytest.raises(SettingsError, match="NEWSLETTER_SOURCES: unknown source 'arxive'"):
        load_settings(sources="hf,arxive")
    assert tuple(registry._CATALOGUE) == SOURCE_NAMES


@pytest.mark.parametrize(
    ("given", "address", "name"),
    [
        ("papers@site.example", "papers@site.example", None),
        ("Paper digest <papers@site.example>", "papers@site.example", "Paper digest"),
        ('"Digest, daily" <papers@site.example>', "papers@site.example", "Digest, daily"),
        ("<papers@site.example>", "papers@site.example", None),
    ],
)
def test_the_from_setting_takes_a_name(given: str, address: str, name: str | None) -> None:
    settings = load_settings(**{"from": given})
    assert (settings.from_address, settings.from_name) == (address, name)


@pytest.mark.parametrize("bad", ["Digest <papers>", "a <b@c.example> d", "x\ny <b@c.example>"])
def test_a_from_setting_that_is_no_mailbox_is_refused(bad: str) -> None:
    with pytest.raises(SettingsError, match="NEWSLETTER_FROM"):
        load_settings(**{"from": bad})


@pytest.mark.parametrize("bad", ["localhost", "mail_1.example", "a b.example", "1.2.3.4", "x"])
def test_a_greeting_that_relays_refuse_is_refused(bad: str) -> None:
    with pytest.raises(SettingsError, match="NEWSLETTER_EHLO_NAME"):
        load_settings(ehlo_name=bad)


def test_name_and_greeting_are_what_the_relay_and_the_reader_see(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    fill(sqlite_engine, "ada@there.example")
    with running_sink() as sink:
        newsletter = Command(
            sqlite_engine, f"smtp://127.0.0.1:{sink.port}", tmp_path,
            FROM="The Digest <papers@site.example>", EHLO_NAME="mail.site.example",
        )  # fmt: skip
        assert newsletter.run("send", "--date", DATE)[0] == 0
        assert set(sink.greeted) == {"mail.site.example"}
        [message] = sink.messages()
    assert message["From"] == "The Digest <papers@site.example>"


def test_a_local_relay_with_a_certificate_of_its_own_is_used(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    fill(sqlite_engine, "ada@there.example")
    with running_sink(tls_context=tls.make(tmp_path).server) as sink:
        relay = f"smtp://127.0.0.1:{sink.port}"
        code, said = Command(sqlite_engine, relay, tmp_path).run("send", "--date", DATE)
        assert code == 0, said
        assert len(sink.accepted) == 1
        with session_scope(sqlite_engine) as session:
            for delivery in session.exec(select(Delivery)):
                delivery.status = DeliveryStatus.QUEUED
        strict = Command(sqlite_engine, f"{relay}?starttls=true", tmp_path)
        code, said = strict.run("send", "--date", DATE)
        assert code == 4
        assert "drop starttls=true" in said
