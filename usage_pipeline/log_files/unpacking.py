"""Bytes of a log object, gunzipped as they are read, up to the last byte that can be had of a damaged object.

Not here: lines and records (`reading.py`).
"""

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from isal import isal_zlib

PIECE_BYTES = 16 * 1024
"""Read at once: small enough that what comes out, 3 to 15 times as much, stays in the processor's cache."""

_GZIP_WBITS = 31
_GZIP_ERRORS: tuple[type[Exception], ...] = (
    isal_zlib.IsalError,  # pyright: ignore[reportAssignmentType] - the stub says an exception instead of its type
    zlib.error,
)
_GZIP_FIRST_BYTE = b"\x1f"
"""JSON never starts with it, so the content says what it is; names such as `.json.gz` are not looked at."""


class DamagedObjectError(Exception):
    """The object is not whole. Raised after everything readable was given; the message holds no content."""


def unpacked(source: BinaryIO) -> Iterator[bytes]:
    """Give the content in pieces; gzip of any number of members is unpacked, anything else is passed on.

    Raises:
        DamagedObjectError: after the last readable piece, when the object ends early, has no bytes, fails its
            checksum, or goes on after the gzip stream.
    """
    first = source.read(PIECE_BYTES)
    if not first:
        raise DamagedObjectError("the object has 0 bytes")
    source.seek(0)
    if first[:1] == _GZIP_FIRST_BYTE:
        yield from _gunzipped(source)
        return
    while piece := source.read(PIECE_BYTES):
        yield piece


class _Member(Protocol):
    """One gzip stream being unpacked: isal's object and zlib's alike."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _BrokenGzipError(Exception):
    """The gzip stream ends or is wrong in the piece that starts at `position` of the object."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


def _gunzipped(source: BinaryIO) -> Iterator[bytes]:
    given = 0
    try:
        for piece in _members(source, isal_zlib.decompressobj):
            given += len(piece)
            yield piece
    except _BrokenGzipError as error:
        broken = error
    else:
        return
    # isal gives nothing of the piece in which it fails and up to a few bytes less of one that ends early. So unpack
    # again with zlib, which gives all there is when the broken piece reaches it byte by byte.
    source.seek(0)
    unpacked_again = 0
    try:
        for piece in _members(source, zlib.decompressobj, bytewise_from=broken.position):
            unpacked_again += len(piece)
            if unpacked_again > given:
                yield piece[given - unpacked_again :]
                given = unpacked_again
    except _BrokenGzipError as error:
        raise DamagedObjectError(error.reason) from None


def _members(
    source: BinaryIO, new_member: Callable[[int], _Member], bytewise_from: int | None = None
) -> Iterator[bytes]:
    """Unpack member after member.

    Raises:
        _BrokenGzipError: after everything that could be unpacked.
    """
    member = new_member(_GZIP_WBITS)
    position = 0
    while piece := source.read(PIECE_BYTES if bytewise_from is None or position < bytewise_from else 1):
        rest = piece
        while rest:
            if member.eof:
                rest = rest.lstrip(b"\0")  # gzip files may be padded with zeros
                if not rest:
                    break
                if rest[:1] != _GZIP_FIRST_BYTE:
                    raise _BrokenGzipError("the object goes on after the gzip stream", position)
                member = new_member(_GZIP_WBITS)
            try:
                unpacked_piece = member.decompress(rest)
            except _GZIP_ERRORS:
                raise _BrokenGzipError("the gzip stream is damaged or fails its checksum", position) from None
            if unpacked_piece:
                yield unpacked_piece
            rest = member.unused_data if member.eof else b""
        position += len(piece)
    if not member.eof:
        raise _BrokenGzipError("the gzip stream ends early", max(position - 1, 0) // PIECE_BYTES * PIECE_BYTES)
