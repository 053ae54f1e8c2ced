"""One file from the web, or a sentence that says why not. The server is on the loopback interface."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from usage_pipeline import downloads
from usage_pipeline.downloads import DownloadError, download_text


@contextmanager
def serving(body: bytes, status: int = 200, length: int | None = None) -> Iterator[str]:
    """An address that answers with the body; `length` is what the answer says that its length is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/prices.json"
        finally:
            server.shutdown()
            thread.join()


def test_the_text_comes_whole() -> None:
    text = '{"price": "€ 3"}' * 50_000
    with serving(text.encode()) as address:
        assert download_text(address) == text


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"no", 404, "status 404 Not Found."),
        (b"no", 503, "status 503 Service Unavailable."),
        (b"\xff\xfe", 200, "not UTF-8 text."),
    ],
)
def test_another_answer_is_an_error_that_says_why(body: bytes, status: int, message: str) -> None:
    with serving(body, status) as address, pytest.raises(DownloadError) as caught:
        download_text(address)
    assert str(caught.value) == message


def test_an_answer_that_breaks_off_is_an_error() -> None:
    with serving(b"half", length=8) as address, pytest.raises(DownloadError, match=r"^4 bytes of 8 came\.$"):
        download_text(address)


def test_nobody_listening_is_an_error() -> None:
    with serving(b"") as address:
        pass
    with pytest.raises(DownloadError, match="refused"):
        download_text(address)


def test_an_answer_that_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "MOST_BYTES", 10)
    with serving(b"x" * 11) as address, pytest.raises(DownloadError, match=r"^more than 10 bytes\.$"):
        download_text(address)


def test_an_answer_that_takes_too_long_is_an_error() -> None:
    moments = iter([0.0, 121.0])
    with serving(b"x") as address, pytest.raises(DownloadError, match=r"^not complete after 120 seconds\.$"):
        download_text(address, clock=lambda: next(moments))
