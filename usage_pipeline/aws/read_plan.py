"""Decides which series, period and time to ask CloudWatch for, so that nothing is missed and nothing asked twice.

Here: pure planning from the clock, the ledger and the known ModelIds. Not here: calls (`cloudwatch.py`), which
metrics exist (`metric_catalogue.py`), storing the ledger (`ops.cloudwatch_series`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

RETENTION = {60: timedelta(days=15), 300: timedelta(days=63), 3600: timedelta(days=455)}
"""How long CloudWatch keeps points of each period in seconds, finest first (user guide, 2026)."""

RETENTION_MARGIN = timedelta(hours=1)
"""Time kept clear of CloudWatch's limits, so that a slow reading does not lose the start of a range."""

SETTLING_TIME = timedelta(hours=3)
"""How long CloudWatch may still add to a minute; younger data is read again (peers re-read 1 to 3 hours)."""

LISTED_FOR = timedelta(days=13)
"""ListMetrics knows series of "the past two weeks"; a day less, because AWS does not say to the minute."""

ACCOUNT_TOTAL = ""
"""Stands for a ModelId where the series without dimensions is meant, in plans and in the ledger.

It is planned like any other, although its metrics are read by the hour: an hour that is not over is left out.
"""

FINEST_PERIOD = 60
"""Seconds; Bedrock publishes its metrics by the minute."""

_HOUR = 3600


@dataclass(frozen=True)
class SeriesState:
    """What is stored of one day and ModelId: one row of `ops.cloudwatch_series` without scope and namespace.

    `covered_until` is exclusive. `is_final` says that CloudWatch will add no more to the day.
    """

    usage_date: date
    model_id: str
    resolution_seconds: int
    covered_until: datetime
    is_final: bool
    query_set: str


@dataclass(frozen=True)
class SeriesRead:
    """One time range to ask for some ModelIds, `end` exclusive, and the ledger rows that hold once it is stored.

    Rows stored before of these ModelIds from `start` to `end` are to be replaced by what comes.
    """

    model_ids: tuple[str, ...]
    period_seconds: int
    start: datetime
    end: datetime
    states: tuple[SeriesState, ...]


@dataclass(frozen=True)
class ReadPlan:
    """What to ask, oldest first, and the days that CloudWatch no longer has although they are not stored."""

    reads: tuple[SeriesRead, ...]
    forgotten_days: tuple[date, ...]


@dataclass(frozen=True)
class KnownModelIds:
    """The ModelIds that may have data: `recent` for days that ListMetrics still sees, `older` for days before."""

    recent: frozenset[str]
    older: frozenset[str]

    @classmethod
    def of(
        cls,
        always: Collection[str],
        on_demand_models: Collection[str] = (),
    ) -> "KnownModelIds":
        """`always` may have data on any day; `on_demand_models` had some only if ListMetrics or the store shows them.

        ListMetrics forgets, so foundation models that can be called by their own id are asked for on older days.
        """
        recent = frozenset(always)
        return cls(recent, recent.union(on_demand_models))


@dataclass(frozen=True)
class _Need:
    start: datetime
    end: datetime
    period: int
    state: SeriesState


def is_listed(moment: datetime, now: datetime) -> bool:
    """Whether ListMetrics shows every series that had data at the moment or since."""
    return now - moment < LISTED_FOR


def plan_reads(
    days: Collection[date],
    now: datetime,
    known: KnownModelIds,
    ledger: Iterable[SeriesState],
    query_set: str,
) -> ReadPlan:
    """Plan the reading of whole UTC days up to `now` (UTC, without a zone).

    Each day and ModelId is asked at the finest period that CloudWatch still has, from where it was left less three
    hours. Days that are final with the same `query_set` are not asked, and finer stored points stay. Neighbouring days
    that need the same are asked as one range.
    """
    states = {(state.usage_date, state.model_id): state for state in ledger}
    needs: defaultdict[str, list[_Need]] = defaultdict(list)
    forgotten: set[date] = set()
    seen_while_listed = {
        state.usage_date for state in states.values() if state.is_final and state.resolution_seconds == FINEST_PERIOD
    }
    # A profile may be deleted before its last day was read to the end.
    begun: defaultdict[date, set[str]] = defaultdict(set)
    for state in states.values():
        if not state.is_final:
            begun[state.usage_date].add(state.model_id)
    for day in sorted(set(days)):
        listed = is_listed(_start_of(day), now) or day in seen_while_listed
        if _finest_kept(_start_of(day), now) is None and not any(
            (day, model_id) in states for model_id in known.recent
        ):
            forgotten.add(day)
        for model_id in begun[day].union(known.recent if listed else known.older):
            state = states.get((day, model_id))
            if need := _need(day, model_id, state, now, query_set):
                needs[model_id].append(need)
    return ReadPlan(tuple(_grouped(needs)), tuple(sorted(forgotten)))


def _need(day: date, model_id: str, state: SeriesState | None, now: datetime, query_set: str) -> _Need | None:
    """What is still to be asked of one day and ModelId; None when nothing is, or nothing can be."""
    day_start, day_end = _start_of(day), _start_of(day + timedelta(days=1))
    asked_the_same = state is not None and state.query_set == query_set
    if state and asked_the_same and state.is_final:
        return None
    start = day_start
    if state and asked_the_same:
        start = max(day_start, _floor(state.covered_until - SETTLING_TIME, _HOUR))
    period = _finest_kept(start, now)
    if state and (period is None or period > state.resolution_seconds):
        # Only coarser points are left: keep what is stored, and ask for the rest. The one period in which the stored
        # points end is replaced, because half of it would be lost otherwise.
        period = _finest_kept(state.covered_until, now)
        start = _floor(state.covered_until, period or _HOUR)
        if state.covered_until == day_end:
            return None
    if period is None:
        return None
    end = min(day_end, _floor(now, period))
    if start >= end:
        return None
    kept = state.resolution_seconds if state and start > day_start else 0
    is_final = end == day_end and now >= day_end + SETTLING_TIME
    return _Need(start, end, period, SeriesState(day, model_id, max(kept, period), end, is_final, query_set))


def _grouped(needs: Mapping[str, list[_Need]]) -> Iterator[SeriesRead]:
    """Join neighbouring days of a ModelId, then ModelIds that need the same range."""
    ranges: defaultdict[tuple[datetime, datetime, int], list[tuple[str, list[_Need]]]] = defaultdict(list)
    for model_id, of_model in needs.items():
        runs: list[list[_Need]] = []
        for need in sorted(of_model, key=lambda need: need.start):
            if runs and runs[-1][-1].end == need.start and runs[-1][-1].period == need.period:
                runs[-1].append(need)
            else:
                runs.append([need])
        for run in runs:
            ranges[run[0].start, run[-1].end, run[0].period].append((model_id, run))
    for (start, end, period), members in sorted(ranges.items(), key=lambda item: item[0]):
        members.sort(key=lambda member: member[0])
        states = tuple(need.state for _, run in members for need in run)
        yield SeriesRead(tuple(model_id for model_id, _ in members), period, start, end, states)


def _finest_kept(moment: datetime, now: datetime) -> int | None:
    """The finest period in seconds at which CloudWatch still has the moment; None when it has forgotten it."""
    age = now - moment + RETENTION_MARGIN
    return next((period for period, kept in RETENTION.items() if age < kept), None)


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time())


def _floor(moment: datetime, seconds: int) -> datetime:
    """The moment rounded down to whole periods since midnight."""
    midnight = _start_of(moment.date())
    return midnight + (moment - midnight) // timedelta(seconds=seconds) * timedelta(seconds=seconds)
