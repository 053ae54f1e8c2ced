"""A bucket on the loopback whose answers a test chooses: lists with pages, objects, and errors as S3 words them.

Here: just enough of S3 for obstore and boto3 to list and get. Not here: the simulated organisation (`sandbox/`).
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE_KEYS = 3


class SmallS3:
    """The bucket `logs`. `errors` answers instead: by key, or by `LIST`; (HTTP status, S3's code)."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.errors: dict[str, tuple[int, str]] = {}
        self.requests: list[str] = []
        self.tokens: set[str | None] = set()
        self.signed_for: list[str] = []
        self.region = "us-east-1"
        self.endpoint_url = ""

    def answer(self, target: str) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(target)
        key = unquote(parts.path).removeprefix("/logs").removeprefix("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.requests.append(f"LIST {query.get('prefix', '')}" if "list-type" in query else f"GET {key}")
        if not parts.path.startswith("/logs"):
            return self._error(404, "NoSuchBucket")
        name = "LIST" if "list-type" in query else key
        if name in self.errors:
            return self._error(*self.errors[name])
        if name == "LIST":
            return 200, {"x-amz-bucket-region": self.region}, self._listing(query).encode()
        if key not in self.objects:
            return self._error(404, "NoSuchKey")
        etag = hashlib.md5(self.objects[key]).hexdigest()
        return 200, {"ETag": f'"{etag}"', "Last-Modified": "Sat, 14 Nov 2026 10:30:00 GMT"}, self.objects[key]

    def _error(self, status: int, code: str) -> tuple[int, dict[str, str], bytes]:
        return status, {}, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    def _listing(self, query: dict[str, str]) -> str:
        prefix, after = query.get("prefix", ""), query.get("continuation-token") or query.get("start-after", "")
        found: dict[str, str] = {}
        for key in sorted(self.objects):
            if not key.startswith(prefix):
                continue
            folder, slash, _ = key[len(prefix) :].partition("/")
            if slash and "delimiter" in query:
                name = f"{prefix}{folder}/"
                found[name] = f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
            else:
                etag = hashlib.md5(self.objects[key]).hexdigest()
                found[key] = (
                    f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-14T10:30:00.000Z</LastModified>"
                    f"<ETag>&quot;{etag}&quot;</ETag><Size>{len(self.objects[key])}</Size></Contents>"
                )
        names = [name for name in found if name > after]
        page, rest = names[:PAGE_KEYS], names[PAGE_KEYS:]
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if rest else ""
        return (
            f"<ListBucketResult><Name>logs</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
            f"<MaxKeys>{PAGE_KEYS}</MaxKeys><IsTruncated>{str(bool(rest)).lower()}</IsTruncated>{token}"
            + "".join(found[name] for name in page)
            + "</ListBucketResult>"
        )


@contextmanager
def serving_s3() -> Iterator[SmallS3]:
    """Serve a new bucket, with boto3's environment pointing at it."""
    bucket = SmallS3()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            bucket.tokens.add(self.headers.get("x-amz-security-token"))
            bucket.signed_for.append(self.headers["authorization"].split("Credential=")[1].split("/")[2])
            status, headers, body = bucket.answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    bucket.endpoint_url = f"http://127.0.0.1:{server.server_address[1]}"
    environment = {
        "AWS_ENDPOINT_URL_S3": bucket.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "a-session",
        "AWS_MAX_ATTEMPTS": "1",
    }
    try:
        with mock.patch.dict("os.environ", environment):
            yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
