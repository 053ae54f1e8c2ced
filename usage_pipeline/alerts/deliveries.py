"""Which message was delivered where: a small SQLite file beside the warehouse.

DuckDB has one writer, which is the run; the sensor sits in another process, looks every half minute and must note at
once what it sent, so that nobody hears the same thing twice. SQLite, in Python's own library, lets both write without
waiting long and commits each delivery for itself. Dagster's key-value storage was the other choice, but a run from cron
has no daemon and its instance may be another. Each run copies the file into `ops.alert_deliveries`.

Here: the file. Not here: what is due (`due.py`), sending (`channels.py`).
"""

import datetime as dt
import sqlite3
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

LONGEST_WAIT_SECONDS = 60
"""How long one dispatcher waits while another sends a message."""

_TABLES = (
    """
    create table if not exists deliveries (
        channel text not null,
        finding_id text not null,
        opened_at text not null,
        notice_number integer not null,
        reminder integer not null,
        notice text not null,
        attempts integer not null,
        first_attempt_at text not null,
        last_attempt_at text not null,
        delivered_at text,
        error text,
        primary key (channel, finding_id, opened_at, notice_number, reminder)
    )
    """,
    """
    create table if not exists run_outcomes (
        run_id text primary key,
        ended_at text not null,
        succeeded integer not null,
        job text not null,
        reason text not null
    )
    """,
)


@dataclass(frozen=True)
class MessageKey:
    """One message to one channel: which change of which finding, and how many reminders of it came before (0: none)."""

    channel: str
    finding_id: str
    opened_at: dt.datetime
    notice_number: int
    reminder: int


@dataclass(frozen=True)
class Delivery:
    """How sending one message went. `delivered_at` is None until a channel took it; `error` is the newest attempt's."""

    key: MessageKey
    notice: str
    attempts: int
    first_attempt_at: dt.datetime
    last_attempt_at: dt.datetime
    delivered_at: dt.datetime | None
    error: str | None


@dataclass(frozen=True)
class RunEnd:
    """How one run ended; `reason` is empty when it succeeded. `ended_at` is UTC."""

    run_id: str
    ended_at: dt.datetime
    succeeded: bool
    job: str
    reason: str


class DeliveryLog:
    """The file, open. Every method is one transaction, unless it is inside `alone`."""

    def __init__(self, con: sqlite3.Connection) -> None:
        self._con = con

    @contextmanager
    def alone(self) -> Generator[None]:
        """Nobody else writes meanwhile; what is noted inside is kept, or all of it is not."""
        self._con.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._con.execute("rollback")
            raise
        self._con.execute("commit")

    def deliveries(self) -> list[Delivery]:
        """Every message that was ever tried."""
        rows = self._con.execute(
            """
            select
                channel, finding_id, opened_at, notice_number, reminder,
                notice, attempts, first_attempt_at, last_attempt_at, delivered_at, error
            from deliveries
            order by first_attempt_at, channel, finding_id, notice_number, reminder
            """
        )
        return [
            Delivery(
                key=MessageKey(channel, finding, _moment(opened), number, reminder),
                notice=notice,
                attempts=attempts,
                first_attempt_at=_moment(first),
                last_attempt_at=_moment(last),
                delivered_at=None if delivered is None else _moment(delivered),
                error=error,
            )
            for channel, finding, opened, number, reminder, notice, attempts, first, last, delivered, error in rows
        ]

    def was_delivered(self, key: MessageKey) -> bool:
        """Whether a channel took the message."""
        found = self._con.execute(f"select delivered_at from deliveries where {_SAME}", _values(key)).fetchone()
        return found is not None and found[0] is not None

    def note(self, key: MessageKey, notice: str, now: dt.datetime, error: str | None) -> None:
        """Add an attempt; `error` None says that it was delivered."""
        self._con.execute(
            """
            insert into deliveries values (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?)
            on conflict do update set
                attempts = attempts + 1,
                last_attempt_at = excluded.last_attempt_at,
                delivered_at = excluded.delivered_at,
                error = excluded.error
            """,
            (*_values(key), notice, now.isoformat(), now.isoformat(), None if error else now.isoformat(), error),
        )

    def forget(self, keys: Iterable[MessageKey]) -> None:
        """Remove messages that will not be sent any more."""
        self._con.executemany(f"delete from deliveries where {_SAME}", [_values(key) for key in keys])

    def note_run(self, run: RunEnd) -> None:
        """Note how a run ended; a run that is there already stays as it is."""
        self._con.execute(
            "insert into run_outcomes values (?, ?, ?, ?, ?) on conflict do nothing",
            (run.run_id, run.ended_at.isoformat(), run.succeeded, run.job, run.reason),
        )

    def runs(self) -> list[RunEnd]:
        """Every run that was noted, in the order in which they ended."""
        rows = self._con.execute("select run_id, ended_at, succeeded, job, reason from run_outcomes order by 2, 1")
        return [RunEnd(row[0], _moment(row[1]), bool(row[2]), row[3], row[4]) for row in rows]


@contextmanager
def open_delivery_log(path: Path) -> Generator[DeliveryLog]:
    """Open the file, make it if it is not there; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path, timeout=LONGEST_WAIT_SECONDS, isolation_level=None)) as con:
        for statement in _TABLES:
            con.execute(statement)
        yield DeliveryLog(con)


def stored_deliveries(path: Path) -> list[Delivery]:
    """Every message that was ever tried; none when nobody was ever told anything."""
    if not path.exists():
        return []
    with open_delivery_log(path) as log:
        return log.deliveries()


_SAME = "channel = ? and finding_id = ? and opened_at = ? and notice_number = ? and reminder = ?"


def _values(key: MessageKey) -> tuple[str, str, str, int, int]:
    return key.channel, key.finding_id, key.opened_at.isoformat(), key.notice_number, key.reminder


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
