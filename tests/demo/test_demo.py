"""The demo as a newcomer meets it: one command, five digests, live links."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

COMMAND = [sys.executable, "-c", "from newsletter.cli import main; main()"]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("NEWSLETTER_")}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )


def read(path: Path) -> EmailMessage:
    return message_from_bytes(path.read_bytes(), policy=policy.default)


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder a demo left: with a space in its name, where scripts stumble."""
    folder = tmp_path_factory.mktemp("demo") / "my demo"
    done = run("demo", "--once", "--output", str(folder), cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    assert "6 messages" in done.stdout
    return folder


def test_five_subscribers_get_five_different_digests(once: Path) -> None:
    messages = [read(path) for path in sorted(once.glob("*.eml"))]
    assert len(messages) == 6
    assert len({str(message["To"]) for message in messages}) == 6
    assert len({str(message["Message-ID"]) for message in messages}) == 6
    assert len({body(message, "plain") for message in messages}) == 6


def test_text_and_html_hold_the_same_papers_and_the_same_links(once: Path) -> None:
    for path in once.glob("*.eml"):
        message = read(path)
        text, html = body(message, "plain"), body(message, "html")
        links = {link.rstrip(".,)") for link in re.findall(r"https?://[^\s<>\"]+", text)}
        shown = {link.replace("&amp;", "&") for link in re.findall(r'href="(http[^"]+)"', html)}
        papers = [link for link in links if "arxiv.org" in link or "hugging" in link]
        assert len(papers) >= 5 or (not papers and "Mira" in str(message["To"]))
        assert links == shown


def test_each_digest_is_about_what_its_reader_follows(once: Path) -> None:
    digests = {str(read(path)["To"]): body(read(path), "plain") for path in once.glob("*.eml")}
    by_name = {
        address.partition(" ")[0]: " ".join(text.lower().split())
        for address, text in digests.items()
    }
    assert "one of your keywords" in by_name["Ada"]
    assert "repair" in by_name["Ada"]
    assert "most upvoted" in by_name["Bob"], "the brand new one gets what others voted for"
    assert "mri" in by_name["Chitra"]
    assert "llm reasoning" in by_name["Emi"]
    assert "interpretability" in by_name["Emi"]
    assert "robot" in by_name["Luis"]
    assert "humanoid" not in by_name["Luis"], "a muted word never appears"
    assert "none of the new papers is about your topics" in by_name["Mira"]
    assert not {"strong match", "good match", "worth a look"} & set(
        re.findall("strong match|good match|worth a look", by_name["Mira"])
    ), "nobody wrote about medieval pottery"


def test_a_second_send_sends_nothing_and_counts_add_up(once: Path) -> None:
    before = len(list(once.glob("*.eml")))
    again = run("send", cwd=once)
    assert again.returncode == 0, again.stderr
    assert "6 sent" in again.stdout
    assert len(list(once.glob("*.eml"))) == before
    status = run("status", "--json", cwd=once)
    assert '"prepared": 6' in status.stdout
    assert '"sent": 6' in status.stdout


def test_a_folder_that_is_not_a_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = run("demo", "--once", "--output", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@dataclass
class Running:
    folder: Path
    url: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A demo that serves its inbox, ended with Ctrl-C as a person would."""
    folder = tmp_path_factory.mktemp("live") / "demo"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [*COMMAND, "demo", "--port", str(port), "--output", str(folder)],
        cwd=folder.parent,
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            if httpx.get(f"{url}/inbox").status_code == 200:
                break
        except httpx.TransportError:
            assert process.poll() is None, "the demo ended by itself"
            time.sleep(0.1)
    yield Running(folder, url)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)


def test_the_inbox_shows_every_message_in_every_way(running: Running) -> None:
    page = httpx.get(f"{running.url}/inbox", timeout=60).text
    names = re.findall(r'href="/inbox/([^"/]+)"', page)
    assert len(names) == 6
    for name in names:
        for view in ("html", "narrow", "dark", "text", "headers", "source"):
            answer = httpx.get(f"{running.url}/inbox/{name}?view={view}", timeout=60)
            assert answer.status_code == 200, (name, view)
        frame = httpx.get(f"{running.url}/inbox/{name}/frame", timeout=60)
        assert "sandbox" in frame.headers["content-security-policy"]
    # SpamAssassin takes its time.
    checks = httpx.get(f"{running.url}/inbox/{names[0]}?view=checks", timeout=120)
    assert "one-click unsubscribe" in checks.text
    assert (
        "List-Unsubscribe"
        in httpx.get(f"{running.url}/inbox/{names[0]}?view=headers", timeout=60).text
    )
    assert httpx.get(f"{running.url}/inbox/no-such", timeout=60).status_code == 404


def test_unsubscribing_in_the_demo_unsubscribes(running: Running) -> None:
    message = read(next(running.folder.glob("*luis.eml")))
    [link] = re.findall(r"<(http[^>]+/unsubscribe/[^>]+)>", str(message["List-Unsubscribe"]))
    assert httpx.get(link, timeout=60).status_code == 200
    shown = run("subscribers", "show", "luis@demo.example", cwd=running.folder).stdout
    assert "active" in shown, "looking at the page changes nothing"
    done = httpx.post(link, data={"List-Unsubscribe": "One-Click"}, timeout=60)
    assert done.status_code == 200
    shown = run("subscribers", "show", "luis@demo.example", cwd=running.folder).stdout
    assert "unsubscribed" in shown


def test_feedback_from_a_digest_is_recorded(running: Running) -> None:
    text = body(read(next(running.folder.glob("*ada.eml"))), "plain")
    link = re.findall(r"(http\S+/feedback/\S+/relevant)", text)[0]
    assert httpx.get(link, timeout=60).status_code == 200
    assert httpx.post(link, timeout=60).status_code == 200


def test_who_signs_up_in_the_demo_gets_the_confirmation_in_its_inbox(running: Running) -> None:
    form = {"email": "new@demo.example", "text": "Program repair."}
    assert httpx.post(f"{running.url}/sign-up", data=form, timeout=60).status_code == 200
    for _ in range(100):
        if found := list(running.folder.glob("*-new.eml")):
            break
        time.sleep(0.2)
    link = re.findall(r"(http\S+/confirm/\S+)", body(read(found[0]), "plain"))[0]
    assert "confirmed" in httpx.post(link, timeout=60).text
    shown = run("subscribers", "show", "new@demo.example", cwd=running.folder).stdout
    assert "active" in shown


def test_a_port_in_use_is_one_line_before_any_work(running: Running, tmp_path: Path) -> None:
    port = running.url.rpartition(":")[2]
    done = run("demo", "--port", port, "--output", str(tmp_path / "x"), cwd=tmp_path)
    assert done.returncode == 2
    assert "--port" in done.stderr
    assert not (tmp_path / "x").exists()
