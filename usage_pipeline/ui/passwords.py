"""A password's hash, and how wrong tries slow down whoever guesses.

Here: scrypt of the standard library, and the waiting. Not here: the sign-in page (`login.py`).
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable

_COST = 2**15
_BLOCK_SIZE = 8
_PARALLEL = 3
"""N, r and p of scrypt, of OWASP's Password Storage Cheat Sheet: 32 MiB and about a quarter of a second a try."""

_MEMORY = 64 * 1024 * 1024
"""Bytes that scrypt may take; it needs 128 x N x r."""

_SALT_BYTES = 16
_HASH_BYTES = 32

FREE_TRIES = 3
"""Wrong tries before waiting begins."""

LONGEST_WAIT_SECONDS = 60.0


class PasswordHashError(ValueError):
    """A text is no hash that `hash_password` made."""


def hash_password(password: str) -> str:
    """What to keep of a password: the kind, its parameters, a salt and the hash, with colons in between."""
    salt = secrets.token_bytes(_SALT_BYTES)
    made = _scrypt(password, salt, _COST, _BLOCK_SIZE, _PARALLEL)
    return ":".join(["scrypt", str(_COST), str(_BLOCK_SIZE), str(_PARALLEL), _text(salt), _text(made)])


def is_password(password: str, kept: str) -> bool:
    """Whether `kept` is the hash of the password; takes as long for a wrong one as for the right one.

    Raises:
        PasswordHashError: `kept` is no such hash.
    """
    cost, block_size, parallel, salt, expected = _read(kept)
    return hmac.compare_digest(_scrypt(password, salt, cost, block_size, parallel), expected)


def check_hash(kept: str) -> None:
    """Do nothing when `kept` is a hash.

    Raises:
        PasswordHashError: it is none.
    """
    _read(kept)


def _read(kept: str) -> tuple[int, int, int, bytes, bytes]:
    parts = kept.strip().split(":")
    try:
        kind, cost, block_size, parallel, salt, expected = parts
        numbers = int(cost), int(block_size), int(parallel)
        read = base64.b64decode(salt, validate=True), base64.b64decode(expected, validate=True)
    except (ValueError, binascii.Error) as error:
        raise PasswordHashError(_WRONG) from error
    # Lower parameters are no protection; higher ones would let a typing error take all memory.
    if kind != "scrypt" or numbers != (_COST, _BLOCK_SIZE, _PARALLEL) or len(read[1]) != _HASH_BYTES:
        raise PasswordHashError(_WRONG)
    return *numbers, *read


_WRONG = (
    "it is not a hash that this program made; allowed: the line that `usage-pipeline ui --hash-password` prints, "
    "beginning with scrypt:"
)


def _scrypt(password: str, salt: bytes, cost: int, block_size: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=cost, r=block_size, p=parallel, maxmem=_MEMORY, dklen=_HASH_BYTES
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


class Door:
    """Lets nobody try faster than the last wrong tries allow: 1 s after the third, twice as long after each more.

    One for the whole dashboard, whatever window or machine a try comes from, so that guessing from many is no faster.
    """

    def __init__(self, kept: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept = kept
        self._clock = clock
        self._wrong_tries = 0
        self._closed_until = clock()
        self._one_at_a_time = threading.Lock()

    def try_password(self, password: str) -> bool:
        """Whether the password is right.

        Raises:
            TooSoonError: it was not looked at.
        """
        with self._one_at_a_time:
            wait = self._closed_until - self._clock()
            if wait > 0:
                raise TooSoonError(wait)
            if is_password(password, self._kept):
                self._wrong_tries = 0
                return True
            self._wrong_tries += 1
            self._closed_until = self._clock() + wait_seconds(self._wrong_tries)
            return False


class TooSoonError(Exception):
    """A try came before the waiting was over; `seconds` are left."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def wait_seconds(wrong_tries: int) -> float:
    """How long the next try must wait."""
    if wrong_tries < FREE_TRIES:
        return 0.0
    # The exponent is bounded, for 2.0 ** 1100 is no number.
    return min(2.0 ** min(wrong_tries - FREE_TRIES, 10), LONGEST_WAIT_SECONDS)
