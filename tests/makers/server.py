"""A real HTTP server on this machine: media files, and a feed that lists them.

with MediaServer([MediaLink(name="a.mp4", file=path, title="A")]) as server:
    server.playlist_url   # an RSS feed: yt-dlp's generic extractor makes one entry of every enclosure
    server.url("a.mp4")   # a plain link; HEAD and byte ranges are answered, unknown names with 404
"""

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape, quoteattr

HOST = "127.0.0.1"
PLAYLIST = "playlist.xml"
CONTENT_TYPES = {".mp4": "video/mp4", ".webm": "video/webm", ".html": "text/html; charset=utf-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLink:
    name: str  # the path of its URL, without the leading slash
    file: Path
    title: str
    listed: bool = True  # in the playlist


def links_to(folder: Path) -> tuple[MediaLink, ...]:
    """A link to every file of `folder`, in the order of their names."""
    return tuple(
        MediaLink(name=file.name, file=file, title=file.stem) for file in sorted(folder.iterdir()) if file.is_file()
    )


class MediaServer:
    """Serves while it is entered as a context. Port 0 takes any free one; a port in use raises OSError."""

    def __init__(
        self, links: Sequence[MediaLink], *, port: int = 0, title: str = "Lessons", playlist: str = PLAYLIST
    ) -> None:
        self.links = {link.name: link for link in links}
        self.title = title
        self.playlist = playlist
        self._port = port

    def __enter__(self) -> Self:
        self._server = _Server((HOST, self._port), _Handler)
        self._server.media = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def playlist_url(self) -> str:
        return self.url(self.playlist)

    def url(self, name: str) -> str:
        return url_of(name, port=self._server.server_address[1])

    def feed(self) -> str:
        items = "".join(
            f"<item><title>{escape(link.title)}</title>"
            f'<enclosure url={quoteattr(self.url(link.name))} type="video/mp4"/></item>\n'
            for link in self.links.values()
            if link.listed
        )
        title = escape(self.title)
        return f'<rss version="2.0"><channel><title>{title}</title>\n{items}</channel></rss>\n'


def url_of(name: str, *, port: int) -> str:
    """Where a server on `port` has the link `name`."""
    return f"http://{HOST}:{port}/{quote(name)}"


class _Server(ThreadingHTTPServer):
    media: MediaServer
    daemon_threads = False  # closing waits for the requests under way


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds until a silent client is dropped

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None:
        """Stay quiet: the commands under test have their own words."""

    def _answer(self, *, with_body: bool) -> None:
        name = unquote(urlsplit(self.path).path).removeprefix("/")
        link = self.server.media.links.get(name)
        if name == self.server.media.playlist:
            body, kind = self.server.media.feed().encode(), "application/rss+xml"
        elif link is not None:
            body = link.file.read_bytes()
            kind = CONTENT_TYPES.get(Path(name).suffix, "application/octet-stream")
        else:
            self._send(HTTPStatus.NOT_FOUND, b"There is nothing here.\n", {"Content-Type": "text/plain"}, with_body)
            return
        headers = {"Content-Type": kind, "Accept-Ranges": "bytes"}
        wanted = _wanted_bytes(self.headers.get("Range", ""), len(body))
        if wanted is None:
            self._send(HTTPStatus.OK, body, headers, with_body)
            return
        span = f"{wanted.start}-{wanted.stop - 1}" if wanted else "*"
        headers["Content-Range"] = f"bytes {span}/{len(body)}"
        status = HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        self._send(status, body[wanted.start : wanted.stop], headers, with_body)

    def _send(self, status: HTTPStatus, body: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if with_body:
            with contextlib.suppress(ConnectionError):  # a client may leave when it has seen enough
                self.wfile.write(body)


def _wanted_bytes(header: str, size: int) -> range | None:
    """The part of a file that a Range header asks for, empty if it lies outside; None: the whole file."""
    unit, _, span = header.partition("=")
    first, dash, last = span.partition("-")
    if unit.strip() != "bytes" or not dash or not (first + last).isdigit():
        return None
    if not first:
        return range(max(0, size - int(last)), size)
    return range(int(first), min(size, int(last) + 1 if last else size))
