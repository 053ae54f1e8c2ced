"""S3 for the buckets of logs: list, get and head; every other bucket and operation is moto's.

Here: HTTP in, XML or content out. Not here: what the buckets hold (`log_objects.py`). The buckets are read-only and
belong to one account, as they do for a role that may only read.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from urllib.parse import parse_qsl, quote
from wsgiref.types import WSGIEnvironment
from xml.sax.saxutils import escape

from usage_pipeline.sandbox.log_objects import LogBucket, LogStore
from usage_pipeline.sandbox.refusals import Answer, AnsweredByMotoError, RefusedRequestError

MOST_KEYS = 1000

_LIST_PARAMETERS = frozenset(
    {
        "list-type",
        "prefix",
        "delimiter",
        "max-keys",
        "start-after",
        "continuation-token",
        "encoding-type",
        "fetch-owner",
        "marker",
        "x-id",
    }
)
_GET_PARAMETERS = frozenset({"x-id", "response-content-type"})
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def log_bucket_of(store: LogStore, environ: WSGIEnvironment) -> LogBucket | None:
    """The log bucket that a path-style address names, if it is one."""
    return store.buckets.get(environ.get("PATH_INFO", "").lstrip("/").partition("/")[0])


def operation_of(environ: WSGIEnvironment) -> str:
    """The operation's name, or the HTTP method where it is moto's or refused."""
    method, query = str(environ["REQUEST_METHOD"]), _query(environ)
    if _key(environ) and query.keys() <= _GET_PARAMETERS:
        return {"GET": "GetObject", "HEAD": "HeadObject"}.get(method, method)
    if not _key(environ) and query.keys() <= _LIST_PARAMETERS and method == "GET":
        return "ListObjectsV2" if query.get("list-type") == "2" else "ListObjects"
    return method


def answer_s3(
    store: LogStore, bucket: LogBucket, environ: WSGIEnvironment, account: str, faults: Iterable[str]
) -> Answer:
    """Answer one request about a log bucket.

    Raises:
        RefusedRequestError: AccessDenied, NoSuchKey and other refusals of S3.
        AnsweredByMotoError: the request is about the bucket itself, which moto knows.
    """
    operation = operation_of(environ)
    if account != bucket.scope[0] or operation in ("PUT", "POST", "DELETE"):
        raise RefusedRequestError("AccessDenied", "Access Denied")
    if operation.startswith("ListObjects"):
        return _list(store, bucket, _query(environ), faults)
    if operation not in ("GetObject", "HeadObject"):
        raise AnsweredByMotoError
    key = _key(environ)
    if key not in bucket.objects:
        raise RefusedRequestError("NoSuchKey", "The specified key does not exist.")
    return _object(store, bucket, key, environ, faults)


def _query(environ: WSGIEnvironment) -> dict[str, str]:
    """The parameters, without those of a presigned address."""
    given = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return {name: value for name, value in given if not name.startswith("X-Amz-")}


def _key(environ: WSGIEnvironment) -> str:
    return environ.get("PATH_INFO", "").lstrip("/").partition("/")[2]


def _object(store: LogStore, bucket: LogBucket, key: str, environ: WSGIEnvironment, faults: Iterable[str]) -> Answer:
    identity = store.identity(bucket, key, faults)
    tag = f'"{identity.etag}"'
    modified = datetime.fromtimestamp(bucket.objects[key].modified_ms // 1000, UTC)
    headers = {
        "ETag": tag,
        "Last-Modified": format_datetime(modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": "application/json",
    }
    if environ.get("HTTP_IF_NONE_MATCH") in (tag, identity.etag, "*"):
        return HTTPStatus.NOT_MODIFIED, headers, b""
    if environ.get("HTTP_IF_MATCH", "*") not in (tag, identity.etag, "*"):
        raise RefusedRequestError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    part = _asked_range(environ.get("HTTP_RANGE", ""), identity.size)
    status = HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK
    first, end = part or (0, identity.size)
    if part:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{identity.size}"
    headers["Content-Length"] = str(end - first)
    content = b"" if environ["REQUEST_METHOD"] == "HEAD" else store.content(bucket, key, faults)[first:end]
    return status, headers, content


def _asked_range(text: str, size: int) -> tuple[int, int] | None:
    """First byte and end of a Range header; None for the whole object, also where S3 ignores the header."""
    asked = _RANGE.fullmatch(text)
    if asked is None or not (asked[1] or asked[2]):
        return None
    if asked[1]:
        first, end = int(asked[1]), min(int(asked[2]) + 1 if asked[2] else size, size)
    else:
        first, end = max(0, size - int(asked[2])), size
    if first >= end:
        raise RefusedRequestError("InvalidRange", "The requested range is not satisfiable")
    return first, end


def _list(store: LogStore, bucket: LogBucket, query: Mapping[str, str], faults: Iterable[str]) -> Answer:
    """One page of a list, of either version; common prefixes count as keys do."""
    is_v2 = query.get("list-type") == "2"
    most = _page_size(query)
    after = _position(query) if is_v2 else query.get("marker", "")
    entries = _entries(bucket, query.get("prefix", ""), query.get("delimiter", ""), after)
    page = [entry for entry, _ in zip(entries, range(most + 1), strict=False)]
    is_cut, page = len(page) > most, page[:most]
    encode = quote if query.get("encoding-type") == "url" else escape
    parts = [
        f"<Name>{bucket.name}</Name><Prefix>{encode(query.get('prefix', ''))}</Prefix>",
        f"<MaxKeys>{most}</MaxKeys><IsTruncated>{str(is_cut).lower()}</IsTruncated>",
        "".join(
            f"<{name}>{encode(query[parameter])}</{name}>"
            for parameter, name in (("delimiter", "Delimiter"), ("start-after", "StartAfter"), ("marker", "Marker"))
            if query.get(parameter)
        ),
        "<EncodingType>url</EncodingType>" if query.get("encoding-type") == "url" else "",
    ]
    if is_v2:
        parts.append(f"<KeyCount>{len(page)}</KeyCount>")
    if is_cut and page:
        last = page[-1]
        parts.append(
            f"<NextContinuationToken>{urlsafe_b64encode(last.encode()).decode()}</NextContinuationToken>"
            if is_v2
            else f"<NextMarker>{encode(last)}</NextMarker>"
        )
    for entry in page:
        if entry in bucket.objects:
            parts.append(_contents(store, bucket, entry, encode(entry), faults))
        else:
            parts.append(f"<CommonPrefixes><Prefix>{encode(entry)}</Prefix></CommonPrefixes>")
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{"".join(parts)}</ListBucketResult>'
    headers = {"Content-Type": "application/xml", "x-amz-bucket-region": bucket.scope[1]}
    return HTTPStatus.OK, headers, body


def _contents(store: LogStore, bucket: LogBucket, key: str, shown: str, faults: Iterable[str]) -> str:
    identity = store.identity(bucket, key, faults)
    milliseconds = bucket.objects[key].modified_ms
    modified = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return (
        f"<Contents><Key>{shown}</Key><LastModified>{modified:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
        f"<ETag>&quot;{identity.etag}&quot;</ETag><Size>{identity.size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def _entries(bucket: LogBucket, prefix: str, delimiter: str, after: str) -> Iterable[str]:
    """Keys and common prefixes after a position, in order; a prefix that was given stands for all of its keys."""
    previous = after if delimiter and after.endswith(delimiter) else None
    for key in bucket.keys_after(prefix, after):
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = key if cut < 0 else key[: cut + len(delimiter)]
        if entry != previous:
            yield entry
            previous = entry


def _page_size(query: Mapping[str, str]) -> int:
    text = query.get("max-keys", str(MOST_KEYS))
    if not text.isdigit():
        raise RefusedRequestError("InvalidArgument", "Provided max-keys not an integer or within integer range")
    return min(int(text), MOST_KEYS)


def _position(query: Mapping[str, str]) -> str:
    token = query.get("continuation-token")
    if token is None:
        return query.get("start-after", "")
    try:
        return urlsafe_b64decode(token).decode()
    except ValueError as error:  # not base64, not ASCII or not UTF-8
        raise RefusedRequestError("InvalidArgument", "The continuation token provided is incorrect") from error
