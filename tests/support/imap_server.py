"""A real IMAP server with one mailbox, for tests: Dovecot, from the machine."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import require_program

DOVECOT = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{home}/Maildir
default_internal_user = {user}
default_login_user = {user}
default_internal_group = nogroup
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = static
  args = uid={user} gid=nogroup home={home}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


@contextmanager
def imap_server() -> Iterator[tuple[str, Path]]:
    """Its URL, with user and password, and the Maildir behind it."""
    program = require_program("dovecot")
    # A folder of its own, because pytest's are too deep: a socket's path has at most 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="imap-"))
    maildir = home / "Maildir"
    for folder in ("new", "cur", "tmp"):
        (maildir / folder).mkdir(parents=True)
    port = free_port()
    user = "nobody" if os.getuid() == 0 else os.environ.get("USER", "nobody")
    (home / "users").write_text("bounces:{PLAIN}s3cret:::::\n")
    (home / "dovecot.conf").write_text(DOVECOT.format(home=home, port=port, user=user))
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", user, home], check=True)
    process = subprocess.Popen([program, "-F", "-c", home / "dovecot.conf"])
    try:
        wait_for_port(port)
        yield f"imap://bounces:s3cret@127.0.0.1:{port}/INBOX", maildir
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(home)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"nothing listens on port {port}")


def put(maildir: Path, name: str, mail: bytes) -> None:
    file = maildir / "new" / name
    file.write_bytes(mail)
    if os.getuid() == 0:
        owner = maildir.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
