"""A bucket on the loopback with a set delay: just enough of S3 to list keys and get objects, at little CPU.

`python -m benchmarks.loopback_s3 FOLDER --latency-ms 20` serves the folder's files as the bucket `logs`. For measuring
the reader, not S3: moto's server answers about 500 objects a second, so a measurement over it is one of moto. Not here:
what is measured (`log_ingest.py`).
"""

import argparse
import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import psutil

BUCKET = "logs"
PAGE_KEYS = 1000
"""Keys in a page of ListObjectsV2, as in S3."""

Entry = tuple[str, str, int]
"""Key, ETag and size."""


@dataclass(frozen=True)
class ServedBucket:
    """A running server: its address and its process."""

    endpoint_url: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """CPU seconds that the server took so far."""
        times = self.process.cpu_times()
        return times.user + times.system


@contextmanager
def served_bucket(folder: Path, latency_ms: float = 0) -> Iterator[ServedBucket]:
    """Serve the folder's files from another process, each answer after `latency_ms`."""
    command = [sys.executable, "-m", "benchmarks.loopback_s3", str(folder), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            endpoint_url = process.stdout.readline().strip()
            yield ServedBucket(endpoint_url, psutil.Process(process.pid))
        finally:
            process.terminate()


class LoopbackBucket:
    """The answers, made before the first request."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._entries: list[Entry] = []
        self._answers: dict[bytes, bytes] = {}
        for key, content in sorted(contents.items()):
            etag = hashlib.md5(content).hexdigest()
            self._entries.append((key, etag, len(content)))
            self._answers[f"/{BUCKET}/{key}".encode()] = _answer("200 OK", content, f'ETag: "{etag}"\r\n')

    def answer(self, target: bytes) -> bytes:
        """The answer to a GET of this path and query."""
        if found := self._answers.get(target):
            return found
        parts = urlsplit(target.decode())
        if parts.path.strip("/") == BUCKET:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            return _answer("200 OK", self._listing(query).encode(), "x-amz-bucket-region: us-east-1\r\n")
        missing = _answer("404 Not Found", b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>")
        return self._answers.get(unquote(parts.path).encode(), missing)

    def _listing(self, query: Mapping[str, str]) -> str:
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        found: dict[str, str] = {}
        for key, etag, size in self._entries:
            if not key.startswith(prefix):
                continue
            folder, slash, _ = key[len(prefix) :].partition("/")
            name = f"{prefix}{folder}/" if slash else key
            if name <= after or name in found:
                continue
            if len(found) == PAGE_KEYS:
                break
            found[name] = (
                f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
                if slash
                else f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-14T10:30:00.000Z</LastModified>"
                f"<ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Contents>"
            )
        else:
            return _page(prefix, found, "")
        return _page(prefix, found, max(found))


def _page(prefix: str, found: Mapping[str, str], token: str) -> str:
    more = f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
    return (
        f"<ListBucketResult><Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(found)}</KeyCount>"
        f"<MaxKeys>{PAGE_KEYS}</MaxKeys><IsTruncated>{'true' if token else 'false'}</IsTruncated>{more}"
        f"{''.join(found.values())}</ListBucketResult>"
    )


def _answer(status: str, body: bytes, headers: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nLast-Modified: Sat, 14 Nov 2026 10:30:00 GMT\r\n"
        f"{headers}\r\n"
    )
    return head.encode() + body


async def serve(bucket: LoopbackBucket, latency: float) -> None:
    """Serve until the process ends; prints the address first."""
    loop = asyncio.get_running_loop()

    class Requests(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self._transport = transport
            self._received = b""

        def data_received(self, data: bytes) -> None:
            self._received += data
            while (end := self._received.find(b"\r\n\r\n")) >= 0:
                target = self._received.split(b" ", 2)[1]
                self._received = self._received[end + 4 :]
                loop.call_later(latency, self._transport.write, bucket.answer(target))

    server = await loop.create_server(Requests, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve a folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loopback_s3", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency-ms", type=float, default=0)
    arguments = parser.parse_args()
    contents = {
        str(path.relative_to(arguments.folder)): path.read_bytes()
        for path in arguments.folder.rglob("*")
        if path.is_file()
    }
    asyncio.run(serve(LoopbackBucket(contents), arguments.latency_ms / 1000))


if __name__ == "__main__":
    main()
