"""A web server on loopback that serves what a test put there, and remembers what it was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WebFiles:
    """``files`` are (content type, body) or a status, by path."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[str, bytes] | int] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                found = site.files.get(self.path, 404)
                kind, body = ("text/plain", b"") if isinstance(found, int) else found
                self.send_response(found if isinstance(found, int) else 200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@contextmanager
def web_files() -> Iterator[WebFiles]:
    """A running one."""
    site = WebFiles()
    thread = threading.Thread(target=site.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.http.shutdown()
        site.http.server_close()
        thread.join(10)
