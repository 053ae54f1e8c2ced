"""A web hook on the loopback device that keeps what it gets and refuses as many messages as a test wants."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """What arrived: `messages` that were taken; `refused` counts the others."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.refused = 0
        self.failures_left = 0
        self.port = 0

    @property
    def address(self) -> str:
        """Apprise's address of the hook; its path stands for a token."""
        return f"json://127.0.0.1:{self.port}/TOKEN-THAT-IS-SECRET"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]


@contextmanager
def webhook(failures: int = 0) -> Iterator[Webhook]:
    """Serve, and answer the first `failures` messages with HTTP status 500."""
    hook = Webhook()
    hook.failures_left = failures

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            refuses = hook.failures_left > 0
            if refuses:
                hook.failures_left -= 1
                hook.refused += 1
            else:
                hook.messages.append(json.loads(body))
            self.send_response(500 if refuses else 200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
