"""Records that could not be read: where they are, why, and a hash to recognise them by; never their text."""

from hashlib import sha256

import msgspec

LISTED_PER_OBJECT = 1_000
"""An object that is no log at all would otherwise fill memory with one entry per line; the rest is counted."""


class QuarantinedRecord(msgspec.Struct, frozen=True):
    """One record that could not be read.

    `line_number` is its line in the object, from 1, or None when the object itself is broken; `reason` says what is
    wrong without the text; `record_hash` is the SHA-256 of the record's bytes, or the object's.
    """

    line_number: int | None
    reason: str
    record_hash: str


class Quarantine:
    """The unreadable records of one object."""

    def __init__(self) -> None:
        self.records: list[QuarantinedRecord] = []
        self.count = 0
        self.is_complete = True
        """False once something shows that the object is not whole."""

    def add(self, line_number: int | None, reason: str, content: bytes) -> None:
        """Set one record aside."""
        self.add_hashed(line_number, reason, sha256(content).hexdigest())

    def add_hashed(self, line_number: int | None, reason: str, record_hash: str) -> None:
        """Set one record aside whose bytes are not at hand."""
        self.count += 1
        if len(self.records) < LISTED_PER_OBJECT:
            self.records.append(QuarantinedRecord(line_number, reason, record_hash))
