from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_pipeline.aws.read_plan import (
    RETENTION,
    RETENTION_MARGIN,
    SETTLING_TIME,
    KnownModelIds,
    ReadPlan,
    SeriesState,
    plan_reads,
)

NOW = datetime.fromisoformat("2026-11-15T10:30:40")
TODAY = date(2026, 11, 15)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def days(first: str, last: str) -> list[date]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def state(
    day: str, model_id: str, covered_until: str, resolution: int = 60, final: bool = False, query_set: str = "q"
) -> SeriesState:
    return SeriesState(date.fromisoformat(day), model_id, resolution, at(covered_until), final, query_set)


def plan(
    wanted: list[date], ledger: Iterable[SeriesState] = (), models: Iterable[str] = ("m",), now: datetime = NOW
) -> list[tuple[tuple[str, ...], int, datetime, datetime]]:
    reads = plan_reads(wanted, now, KnownModelIds.of(set(models)), ledger, "q").reads
    return [(read.model_ids, read.period_seconds, read.start, read.end) for read in reads]


def test_a_first_run_of_thirty_days_is_two_ranges() -> None:
    assert plan(days("2026-10-17", "2026-11-15"), models=("a", "b")) == [
        (("a", "b"), 300, at("2026-10-17T00:00"), at("2026-11-01T00:00")),
        (("a", "b"), 60, at("2026-11-01T00:00"), at("2026-11-15T10:30")),
    ]


def test_the_unfinished_minute_is_left_out() -> None:
    assert plan([TODAY]) == [(("m",), 60, at("2026-11-15T00:00"), at("2026-11-15T10:30"))]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-11-01", 60),
        ("2026-10-31", 300),
        ("2026-09-14", 300),
        ("2026-09-13", 3600),
        ("2025-08-18", 3600),
    ],
)
def test_the_period_is_the_finest_that_cloudwatch_keeps(day: str, expected: int) -> None:
    assert [period for _, period, _, _ in plan(days(day, day))] == [expected]


def test_a_day_older_than_455_days_is_named_and_not_asked() -> None:
    assert plan_reads(days("2025-08-16", "2025-08-16"), NOW, KnownModelIds.of({"m"}), [], "q") == ReadPlan(
        (), (date(2025, 8, 16),)
    )


def test_a_day_that_is_stored_is_not_named_forgotten() -> None:
    stored = state("2025-08-16", "m", "2025-08-17T00:00", 3600, final=True)
    assert plan_reads(days("2025-08-16", "2025-08-16"), NOW, KnownModelIds.of({"m"}), [stored], "q") == ReadPlan((), ())


def test_a_day_to_come_is_not_asked() -> None:
    assert plan(days("2026-11-16", "2026-11-17")) == []


def test_a_final_day_is_not_asked_again() -> None:
    assert plan(days("2026-11-13", "2026-11-13"), [state("2026-11-13", "m", "2026-11-14T00:00", final=True)]) == []


def test_a_final_day_is_asked_again_for_other_metrics() -> None:
    ledger = [state("2026-11-13", "m", "2026-11-14T00:00", final=True, query_set="older")]
    assert plan(days("2026-11-13", "2026-11-13"), ledger) == [
        (("m",), 60, at("2026-11-13T00:00"), at("2026-11-14T00:00"))
    ]


def test_a_day_that_was_read_too_early_is_read_again_from_three_hours_before() -> None:
    ledger = [
        state("2026-11-14", "m", "2026-11-15T00:00"),
        state("2026-11-15", "m", "2026-11-15T09:12"),
    ]
    assert plan(days("2026-11-14", "2026-11-15"), ledger) == [
        (("m",), 60, at("2026-11-14T21:00"), at("2026-11-15T00:00")),
        (("m",), 60, at("2026-11-15T06:00"), at("2026-11-15T10:30")),
    ]


def test_a_day_becomes_final_three_hours_after_its_end() -> None:
    def final_at(now: str) -> list[bool]:
        reads = plan_reads(days("2026-11-14", "2026-11-14"), at(now), KnownModelIds.of({"m"}), [], "q").reads
        return [state.is_final for read in reads for state in read.states]

    assert final_at("2026-11-15T02:59") == [False]
    assert final_at("2026-11-15T03:00") == [True]


def test_the_ledger_rows_of_a_range_say_what_it_will_cover() -> None:
    ledger = [state("2026-11-14", "m", "2026-11-14T12:00")]
    (read,) = plan_reads(days("2026-11-14", "2026-11-15"), NOW, KnownModelIds.of({"m"}), ledger, "q").reads
    assert (read.start, read.end) == (at("2026-11-14T09:00"), at("2026-11-15T10:30"))
    assert read.states == (
        state("2026-11-14", "m", "2026-11-15T00:00", final=True),
        state("2026-11-15", "m", "2026-11-15T10:30"),
    )


def test_a_model_that_is_new_is_asked_for_its_own_range() -> None:
    ledger = [
        state(day.isoformat(), "old", f"{day + timedelta(days=1)}T00:00", final=True)
        for day in days("2026-11-12", "2026-11-14")
    ]
    assert plan(days("2026-11-12", "2026-11-15"), ledger, ("old", "new")) == [
        (("new",), 60, at("2026-11-12T00:00"), at("2026-11-15T10:30")),
        (("old",), 60, at("2026-11-15T00:00"), at("2026-11-15T10:30")),
    ]


def test_a_model_that_is_gone_is_read_to_the_end_of_the_day_it_was_begun() -> None:
    ledger = [
        state("2026-11-14", "gone", "2026-11-14T12:00"),
        state("2026-11-13", "gone", "2026-11-14T00:00", final=True),
    ]
    assert plan(days("2026-11-13", "2026-11-14"), ledger, models=()) == [
        (("gone",), 60, at("2026-11-14T09:00"), at("2026-11-15T00:00"))
    ]


def test_finer_points_stay_and_only_the_rest_is_asked_coarser() -> None:
    ledger = [state("2026-10-20", "m", "2026-10-20T10:30")]
    assert plan(days("2026-10-20", "2026-10-20"), ledger) == [
        (("m",), 300, at("2026-10-20T10:30"), at("2026-10-21T00:00"))
    ]


def test_the_one_period_in_which_finer_points_end_is_replaced() -> None:
    ledger = [state("2026-10-20", "m", "2026-10-20T10:32")]
    assert plan(days("2026-10-20", "2026-10-20"), ledger) == [
        (("m",), 300, at("2026-10-20T10:30"), at("2026-10-21T00:00"))
    ]


def test_a_whole_day_of_finer_points_is_left_alone() -> None:
    ledger = [state("2026-10-20", "m", "2026-10-21T00:00", query_set="older")]
    assert plan(days("2026-10-20", "2026-10-20"), ledger) == []


def test_a_mixed_day_says_its_coarsest_period() -> None:
    ledger = [state("2026-09-01", "m", "2026-09-01T10:00", 300)]
    (read,) = plan_reads(days("2026-09-01", "2026-09-01"), NOW, KnownModelIds.of({"m"}), ledger, "q").reads
    assert [row.resolution_seconds for row in read.states] == [3600]


def test_foundation_models_are_asked_only_where_list_metrics_has_forgotten() -> None:
    known = KnownModelIds.of({"profile"}, {"base"})
    reads = plan_reads(days("2026-11-01", "2026-11-03"), NOW, known, [], "q").reads
    assert [(read.model_ids, read.start, read.end) for read in reads] == [
        (("base",), at("2026-11-01T00:00"), at("2026-11-03T00:00")),
        (("profile",), at("2026-11-01T00:00"), at("2026-11-04T00:00")),
    ]


def test_a_day_that_was_read_in_time_is_not_asked_for_foundation_models_later() -> None:
    known = KnownModelIds.of({"profile"}, {"base"})
    ledger = [state("2026-10-20", "profile", "2026-10-21T00:00", final=True)]
    assert plan_reads(days("2026-10-20", "2026-10-20"), NOW, known, ledger, "q").reads == ()


# Properties -----------------------------------------------------------------------------------------------------------

MODELS = ("a", "b", "c")


@st.composite
def ledgers(draw: st.DrawFn, now: datetime) -> dict[tuple[date, str], SeriesState]:
    """A ledger such as earlier plans leave: covered to a whole period, never beyond now, final only when settled."""
    rows = {}
    for back in draw(st.sets(st.integers(0, 70), max_size=6)):
        day = now.date() - timedelta(days=back)
        start = datetime.combine(day, datetime.min.time())
        end = start + timedelta(days=1)
        for model_id in draw(st.sets(st.sampled_from(MODELS))):
            resolution = draw(st.sampled_from((60, 300, 3600)))
            periods = int((min(end, now) - start).total_seconds()) // resolution
            if not periods:
                continue
            covered = start + timedelta(seconds=resolution) * draw(st.integers(1, periods))
            covered = draw(st.sampled_from((covered, start + timedelta(seconds=resolution) * periods)))
            settled = covered == end and now >= end + SETTLING_TIME
            final = settled and draw(st.booleans())
            query_set = draw(st.sampled_from(("q", "older")))
            rows[day, model_id] = SeriesState(day, model_id, resolution, covered, final, query_set)
    return rows


moments = st.integers(0, 3 * 24 * 60 * 60).map(
    lambda seconds: datetime.fromisoformat("2026-11-14T00:00") + timedelta(seconds=seconds)
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[datetime, list[date], dict[tuple[date, str], SeriesState]]:
    now = draw(moments)
    first = draw(st.integers(0, 70))
    wanted = [now.date() - timedelta(days=back) for back in range(first, max(-1, first - draw(st.integers(1, 40))), -1)]
    return now, wanted, draw(ledgers(now))


@settings(max_examples=150, deadline=None)
@given(cases())
def test_a_plan_never_overlaps_never_asks_a_final_day_and_never_puts_coarser_over_finer(case: tuple) -> None:
    now, wanted, ledger = case
    asked: dict[str, list[tuple[datetime, datetime]]] = {model_id: [] for model_id in MODELS}
    for read in plan_reads(wanted, now, KnownModelIds.of(set(MODELS)), ledger.values(), "q").reads:
        assert read.start < read.end <= now
        for model_id in read.model_ids:
            asked[model_id].append((read.start, read.end))
            for (day, of_model), row in ledger.items():
                begin = datetime.combine(day, datetime.min.time())
                if of_model != model_id or read.end <= begin or read.start >= begin + timedelta(days=1):
                    continue
                assert not (row.is_final and row.query_set == "q")
                if read.period_seconds > row.resolution_seconds:
                    assert max(read.start, begin) > row.covered_until - timedelta(seconds=read.period_seconds)
    for ranges in asked.values():
        ranges.sort()
        assert all(end <= start for (_, end), (start, _) in pairwise(ranges))


@settings(max_examples=150, deadline=None)
@given(cases())
def test_stored_and_planned_minutes_together_are_all_that_is_over(case: tuple) -> None:
    now, wanted, ledger = case
    plan = plan_reads(wanted, now, KnownModelIds.of(set(MODELS)), ledger.values(), "q")
    for model_id in MODELS:
        asked = sorted((read.start, read.end) for read in plan.reads if model_id in read.model_ids)
        for day in wanted:
            start = datetime.combine(day, datetime.min.time())
            row = ledger.get((day, model_id))
            covered = row.covered_until if row else start
            for begin, end in asked:
                if begin <= covered:
                    covered = max(covered, end)
            finest = next(period for period, kept in RETENTION.items() if now - start + RETENTION_MARGIN < kept)
            last = min(start + timedelta(days=1), now.replace(second=0, microsecond=0))
            assert covered >= start + (last - start) // timedelta(seconds=finest) * timedelta(seconds=finest)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_a_settled_plan_leaves_nothing_for_the_next(case: tuple) -> None:
    now, wanted, ledger = case
    known = KnownModelIds.of(set(MODELS))
    first = plan_reads(wanted, now, known, ledger.values(), "q")
    after = dict(ledger)
    for read in first.reads:
        after |= {(row.usage_date, row.model_id): row for row in read.states}
    settled = [day for day in wanted if datetime.combine(day, datetime.min.time()) + timedelta(days=1, hours=3) <= now]
    assert plan_reads(settled, now, known, after.values(), "q").reads == ()
