"""Read what a request brings within limits: how much, how many fields, for how long.

Every reader here is linear in the body and counts before it parses. What is over a limit is an
HTTP error that says so; a file over its limit is cut, and its size tells.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from fastapi import HTTPException, Request
from starlette.datastructures import ImmutableMultiDict
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.core.one_line import harmless

KILOBYTE = 1024
# The longest honest form is 20 topics with long lists.
LARGEST_BODY = 256 * KILOBYTE
# Providers report in batches of a thousand events.
LARGEST_WEBHOOK = 2 * KILOBYTE * KILOBYTE
# What is read, and mostly dropped, of an upload, so that its form can say that it is too large.
LARGEST_UPLOAD = 32 * KILOBYTE * KILOBYTE
# All bodies that are being read at one moment.
LARGEST_TOTAL = 64 * KILOBYTE * KILOBYTE
# The most inputs an honest form has: 20 topics of 10 fields, and the preferences.
MOST_FIELDS = 300
LONGEST_PART_HEAD = 2 * KILOBYTE
# A form arrives within seconds; an upload over a slow line may take longer.
SECONDS_FOR_BODY = 20.0
SECONDS_FOR_UPLOAD = 60.0
# A boundary has at most 70 characters (RFC 2046 §5.1.1).
_BOUNDARY = re.compile(
    r";\s*boundary=(?:(?P<token>[^\s;,\"]{1,70})|\"(?P<quoted>[\x20-\x21\x23-\x7e]{1,70})\")(?:\s*;|\s*$)",
    re.IGNORECASE | re.ASCII,
)
_PARAMETER = re.compile(
    r';\s*(?P<key>name|filename)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^\s;"]+))',
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that came with a form: its name, for people, and what is in it, up to the limit."""

    name: str
    data: bytes


Form = ImmutableMultiDict[str, str | UploadedFile]


class Bodies:
    """Middleware: refuses ambiguous lengths, and lets no body be larger or slower than allowed."""

    def __init__(self, app: ASGIApp, *, page: Callable[[int], Response]) -> None:
        """``page`` makes the answer for a status."""
        self.app = app
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a body that ends in time and size."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        is_chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
        is_upload = _content_type(scope).startswith("multipart/")
        most = _most(scope["path"], is_upload=is_upload)
        seconds = SECONDS_FOR_UPLOAD if is_upload else SECONDS_FOR_BODY
        deadline = asyncio.get_running_loop().time() + seconds
        # Two ways to say where a body ends are how requests are smuggled (RFC 9112 §6.1).
        is_ambiguous = bool(lengths and is_chunked) or len(set(lengths)) > 1
        size = 0

        async def receive_within_limits() -> Message:
            nonlocal size
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, headers={"Connection": "close"}) from error
            size += len(message.get("body", b""))
            if size > most:
                raise HTTPException(413, headers={"Connection": "close"})
            return message

        is_too_large = any(not value.isdigit() or int(value) > most for value in lengths)
        if is_ambiguous or is_too_large:
            answer = self.page(400 if is_ambiguous else 413)
            answer.headers["Connection"] = "close"
            await answer(scope, receive, send)
            return
        await self.app(scope, receive_within_limits, send)


def _most(path: str, *, is_upload: bool) -> int:
    if path.startswith("/webhooks/"):
        return LARGEST_WEBHOOK
    return LARGEST_UPLOAD if is_upload else LARGEST_BODY


def _content_type(scope: Scope) -> str:
    found = [value for name, value in scope["headers"] if name == b"content-type"]
    return found[0].decode("latin-1").strip().lower() if found else ""


class Held:
    """How many bytes of bodies are in memory, over all requests of this process."""

    def __init__(self, most: int = LARGEST_TOTAL) -> None:
        self._most = most
        self._held = 0

    def take(self, size: int) -> None:
        """Count ``size`` more bytes.

        Raises:
            HTTPException: 503, there are too many already.
        """
        if self._held + size > self._most:
            raise HTTPException(503, headers={"Retry-After": "10", "Connection": "close"})
        self._held += size

    def give_back(self, size: int) -> None:
        """Count ``size`` bytes less."""
        self._held -= size


HELD = Held()


async def read_body(request: Request) -> bytes:
    """The whole body, as `Bodies` lets it through.

    Raises:
        HTTPException: it is over a limit.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            HELD.take(len(chunk))
            body += chunk
        return bytes(body)
    finally:
        HELD.give_back(len(body))


async def read_form(request: Request, *, largest_file: int = 0) -> Form:
    """The fields of a form; files only where ``largest_file`` (bytes) is given.

    A larger file comes cut, one byte over its limit.

    Raises:
        HTTPException: the body is over a limit, or is a file where none is expected.
    """
    kind = _content_type(request.scope).partition(";")[0].strip()
    if kind == "multipart/form-data":
        if not largest_file:
            raise HTTPException(415)
        return await _read_multipart(request, largest_file)
    body = await read_body(request)
    if kind != "application/x-www-form-urlencoded":
        return ImmutableMultiDict()
    # Fields are counted before they are parsed.
    if body.count(b"&") >= MOST_FIELDS:
        raise HTTPException(413)
    return ImmutableMultiDict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


async def _read_multipart(request: Request, largest_file: int) -> Form:
    reader = Multipart(_boundary(request), largest_file=largest_file)
    held = 0
    try:
        async for chunk in request.stream():
            reader.feed(chunk)
            HELD.take(reader.size - held)
            held = reader.size
        return reader.form()
    finally:
        HELD.give_back(held)


def _boundary(request: Request) -> bytes:
    found = _BOUNDARY.search(request.headers["content-type"])
    if found is None:
        raise HTTPException(400)
    return (found["token"] or found["quoted"]).encode()


class Multipart:
    """Reads multipart/form-data (RFC 7578) piece by piece; of a large file it keeps the start.

    A delimiter is looked for with `bytes.find`, and each byte is looked at once.
    """

    def __init__(self, boundary: bytes, *, largest_file: int) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._largest_file = largest_file
        # The first delimiter has no line before it.
        self._rest = bytearray(b"\r\n")
        self._is_head = False
        self._ended = False
        self._parts: list[tuple[str, str | None, bytearray]] = []
        self._count = 0

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return len(self._rest) + sum(len(data) for _, _, data in self._parts)

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            HTTPException: there are too many parts or they are too large, or a part's head is.
        """
        self._rest += chunk
        while not self._ended and (self._read_head() if self._is_head else self._read_content()):
            pass

    def form(self) -> Form:
        """What was read.

        Raises:
            HTTPException: the body broke off.
        """
        if not self._ended:
            raise HTTPException(400)
        return ImmutableMultiDict(
            (name, data.decode("utf-8", "replace"))
            if filename is None
            else (name, UploadedFile(harmless(filename, 80) or "the file", bytes(data)))
            for name, filename, data in self._parts
            if name and (filename is None or data)
        )

    def _read_content(self) -> bool:
        at = self._rest.find(self._delimiter)
        # What may be the beginning of a delimiter waits for the next piece.
        end = at if at >= 0 else max(0, len(self._rest) - len(self._delimiter) + 1)
        if self._count:
            self._keep(memoryview(self._rest)[:end])
        del self._rest[: end + (len(self._delimiter) if at >= 0 else 0)]
        self._is_head = at >= 0
        return self._is_head

    def _keep(self, content: memoryview) -> None:
        _, filename, data = self._parts[-1]
        if filename is None:
            data += content
            fields = sum(len(data) for _, filename, data in self._parts if filename is None)
            if fields > LARGEST_BODY:
                content.release()
                raise HTTPException(413)
        else:
            data += content[: self._largest_file + 1 - len(data)]
        content.release()

    def _read_head(self) -> bool:
        if len(self._rest) < 2:
            return False
        if self._rest.startswith(b"--"):
            self._ended = True
            self._rest.clear()
            return False
        end = self._rest.find(b"\r\n\r\n", 0, LONGEST_PART_HEAD)
        if end < 0:
            if len(self._rest) >= LONGEST_PART_HEAD:
                raise HTTPException(413)
            return False
        self._count += 1
        if self._count > MOST_FIELDS:
            raise HTTPException(413)
        name, filename = _names(bytes(self._rest[:end]))
        self._parts.append((name, filename, bytearray()))
        del self._rest[: end + 4]
        self._is_head = False
        return True


def _names(head: bytes) -> tuple[str, str | None]:
    """The names of a part's field and file; without a file name it is a field."""
    for line in head.decode("utf-8", "replace").split("\r\n"):
        header, _, value = line.partition(":")
        if header.strip().lower() == "content-disposition":
            found = {each["key"].lower(): _unquoted(each) for each in _PARAMETER.finditer(value)}
            return found.get("name", ""), found.get("filename")
    return "", None


def _unquoted(parameter: re.Match[str]) -> str:
    # Browsers write a quotation mark as %22, others as \".
    if parameter["token"] is not None:
        return parameter["token"]
    return re.sub(r"\\(.)", r"\1", parameter["quoted"]).replace("%22", '"')
