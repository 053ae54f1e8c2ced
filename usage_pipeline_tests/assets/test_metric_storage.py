import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from usage_pipeline.assets.metric_storage import metric_requests, store_metric_readings, stored_coverage
from usage_pipeline.assets.readings import Coverage
from usage_pipeline.aws.cloudwatch import POINT_SCHEMA, DiscoveredSeries
from usage_pipeline.aws.errors import Shortfall
from usage_pipeline.aws.metric_catalogue import BEDROCK, MAX_TOKENS
from usage_pipeline.aws.metric_reading import MetricReading, MetricRequest, StoredRead
from usage_pipeline.aws.read_plan import ACCOUNT_TOTAL, SeriesRead, SeriesState
from usage_pipeline.aws.scopes import Scope
from usage_pipeline.aws.source_reading import ScopeReading
from usage_pipeline.raw_tables import CLOUDWATCH_METRICS, MAX_TOKENS_METRIC
from usage_pipeline_tests.empty_warehouse import empty_warehouse

NOW = dt.datetime(2026, 11, 15, 10, 30, 40)
YESTERDAY, TODAY = dt.date(2026, 11, 14), dt.date(2026, 11, 15)
VIRGINIA = Scope("111122223333", "production", "us-east-1", "aws")
TOKYO = Scope("111122223333", "production", "ap-northeast-1", "aws")
KEY = ("111122223333", "us-east-1")
NOTHING_LISTED = DiscoveredSeries(frozenset(), frozenset(), {}, frozenset())
THROTTLED = Shortfall("throttled", "GetMetricData: Throttling: Rate exceeded")


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_warehouse() as con:
        yield con


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def state(model_id: str, day: dt.date, covered_until: str, is_final: bool = False, period: int = 60) -> SeriesState:
    return SeriesState(day, model_id, period, at(covered_until), is_final, BEDROCK.query_set)


def stored_read(folder: Path, start: str, end: str, states: list[SeriesState], *points: tuple[str, str]) -> StoredRead:
    """One range of Invocations; each point is a ModelId and a moment, with the value 1."""
    rows = [
        {
            "usage_date": at(moment).date(),
            "account_id": VIRGINIA.account_id,
            "region": VIRGINIA.region,
            "namespace": "AWS/Bedrock",
            "dimension_set": "ModelId" if model_id else "none",
            "model_id": model_id or None,
            "metric_name": "Invocations",
            "statistic": "Sum",
            "ts": at(moment),
            "period_seconds": 60 if model_id else 3600,
            "value": 1.0,
        }
        for model_id, moment in points
    ]
    file = folder / f"{len(list(folder.iterdir()))}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=POINT_SCHEMA), file)
    model_ids = tuple(sorted({state.model_id for state in states}))
    return StoredRead(SeriesRead(model_ids, 60, at(start), at(end), tuple(states)), file, len(rows))


def reading(
    *reads: StoredRead,
    scope: Scope = VIRGINIA,
    forgotten: tuple[dt.date, ...] = (),
    shortfall: Shortfall | None = None,
    unread: tuple[dt.date, ...] = (),
) -> ScopeReading[MetricReading]:
    value = MetricReading(reads, NOTHING_LISTED, forgotten, shortfall, unread)
    text = shortfall.text if shortfall else None
    return ScopeReading(scope, shortfall.status if shortfall else "ok", value, len(value), 1, text)


def refused(scope: Scope = VIRGINIA) -> ScopeReading[MetricReading]:
    return ScopeReading(scope, "denied", None, None, 1, "ListMetrics: AccessDenied: no")


def store(con: duckdb.DuckDBPyConnection, *readings: ScopeReading[MetricReading]) -> int:
    return store_metric_readings(con, CLOUDWATCH_METRICS, BEDROCK, readings)


def request(con: duckdb.DuckDBPyConnection, days: list[dt.date]) -> MetricRequest:
    return metric_requests(con, CLOUDWATCH_METRICS, BEDROCK, [KEY], days, NOW)[KEY]


def coverage(
    con: duckdb.DuckDBPyConnection, *readings: ScopeReading[MetricReading], days: list[dt.date]
) -> dict[dt.date, Coverage]:
    found = stored_coverage(con, CLOUDWATCH_METRICS, BEDROCK, readings, days, NOW)
    return {day: covered for (*_, day), covered in found.items()}


def points(con: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    return con.execute("select model_id, ts from raw.cloudwatch_metrics order by all").fetchall()


# The ledger


def test_what_was_stored_is_known_to_the_next_reading(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    states = [
        state(ACCOUNT_TOTAL, TODAY, "2026-11-15T10:30"),
        state("a", TODAY, "2026-11-15T10:30"),
        state("idle", TODAY, "2026-11-15T10:30"),
        state("a", YESTERDAY, "2026-11-15T00:00", is_final=True),
    ]
    read = stored_read(
        tmp_path, "2026-11-14T00:00", "2026-11-15T10:30", states, ("", "2026-11-15T09:00"), ("a", "2026-11-15T09:59")
    )

    assert store(con, reading(read)) == 2

    known = request(con, [TODAY])
    assert sorted(known.ledger, key=lambda state: state.model_id) == states[:3]
    assert list(known.ever_seen) == ["a"]
    assert list(request(con, [YESTERDAY]).ledger) == states[3:]


def test_the_ledger_of_one_namespace_and_scope_says_nothing_of_another(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    states = [state("a", TODAY, "2026-11-15T10:30")]
    store(con, reading(stored_read(tmp_path, "2026-11-15T00:00", "2026-11-15T10:30", states)))

    of_max_tokens = metric_requests(con, MAX_TOKENS_METRIC, MAX_TOKENS, [KEY], [TODAY], NOW)
    of_tokyo = metric_requests(con, CLOUDWATCH_METRICS, BEDROCK, [("111122223333", "ap-northeast-1")], [TODAY], NOW)

    assert [list(found.ledger) for found in (*of_max_tokens.values(), *of_tokyo.values())] == [[], []]


def test_a_request_knows_every_id_that_a_catalogue_of_the_scope_ever_had(con: duckdb.DuckDBPyConnection) -> None:
    scope = "'111122223333', 'us-east-1'"
    con.execute(
        f"""
        insert into raw.inference_profiles (snapshot_date, account_id, region, profile_id) values
            ('2026-11-01', {scope}, 'deleted'), ('2026-11-15', {scope}, 'us.m'),
            ('2026-11-15', '111122223333', 'eu-west-1', 'eu.m');
        insert into raw.custom_deployments (snapshot_date, account_id, region, deployment_arn)
            values ('2026-11-15', {scope}, 'arn:deployment');
        insert into raw.imported_models (snapshot_date, account_id, region, model_arn)
            values ('2026-11-15', {scope}, 'arn:imported');
        insert into raw.foundation_models (snapshot_date, account_id, region, model_id, inference_types) values
            ('2026-11-15', {scope}, 'm', ['ON_DEMAND']), ('2026-11-15', {scope}, 'n', ['INFERENCE_PROFILE']);
        """
    )

    known = request(con, [TODAY])

    assert sorted(known.catalogue) == ["arn:deployment", "arn:imported", "deleted", "us.m"]
    assert list(known.on_demand_models) == ["m"]


def test_a_range_that_is_read_again_replaces_its_own_points_only(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    first = stored_read(
        tmp_path,
        "2026-11-15T00:00",
        "2026-11-15T09:12",
        [state("a", TODAY, "2026-11-15T09:12"), state("b", TODAY, "2026-11-15T09:12")],
        ("a", "2026-11-15T01:00"),
        ("a", "2026-11-15T09:00"),
        ("b", "2026-11-15T09:00"),
    )
    again = stored_read(
        tmp_path,
        "2026-11-15T06:00",
        "2026-11-15T10:30",
        [state("a", TODAY, "2026-11-15T10:30")],
        ("a", "2026-11-15T09:01"),
    )

    store(con, reading(first))
    store(con, reading(again))

    assert points(con) == [
        ("a", at("2026-11-15T01:00")),
        ("a", at("2026-11-15T09:01")),
        ("b", at("2026-11-15T09:00")),
    ]


def test_storing_the_same_reading_twice_changes_nothing(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    states = [state("a", TODAY, "2026-11-15T10:30")]
    read = stored_read(tmp_path, "2026-11-15T00:00", "2026-11-15T10:30", states, ("a", "2026-11-15T01:00"))

    store(con, reading(read))
    store(con, reading(read))

    assert points(con) == [("a", at("2026-11-15T01:00"))]
    assert list(request(con, [TODAY]).ledger) == states


def test_a_reading_that_failed_loses_nothing(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    states = [state("a", TODAY, "2026-11-15T09:12")]
    store(
        con,
        reading(stored_read(tmp_path, "2026-11-15T00:00", "2026-11-15T09:12", states, ("a", "2026-11-15T01:00"))),
    )

    assert store(con, refused()) == 0
    assert store(con, reading(shortfall=THROTTLED, unread=(TODAY,))) == 0

    assert points(con) == [("a", at("2026-11-15T01:00"))]
    assert list(request(con, [TODAY]).ledger) == states


# Coverage


def test_a_day_reaches_as_far_as_its_least_read_model_id(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    states = [state("a", TODAY, "2026-11-15T10:30"), state("b", TODAY, "2026-11-15T10:25", period=300)]
    ok = reading(stored_read(tmp_path, "2026-11-15T00:00", "2026-11-15T10:30", states, ("a", "2026-11-15T01:00")))
    store(con, ok)

    assert coverage(con, ok, days=[TODAY]) == {TODAY: Coverage(1, at("2026-11-15T10:25"), 300)}


def test_a_finished_day_that_is_not_asked_again_still_says_what_is_stored(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    states = [state("a", YESTERDAY, "2026-11-15T00:00", is_final=True)]
    store(
        con,
        reading(stored_read(tmp_path, "2026-11-14T00:00", "2026-11-15T00:00", states, ("a", "2026-11-14T01:00"))),
    )

    assert coverage(con, reading(), days=[YESTERDAY]) == {YESTERDAY: Coverage(1, at("2026-11-15T00:00"), 60)}


def test_a_scope_without_any_model_id_was_read_as_far_as_the_clock(con: duckdb.DuckDBPyConnection) -> None:
    tomorrow = dt.date(2026, 11, 16)
    found = stored_coverage(con, MAX_TOKENS_METRIC, MAX_TOKENS, [reading()], [YESTERDAY, TODAY, tomorrow], NOW)

    assert {day: covered for (*_, day), covered in found.items()} == {
        YESTERDAY: Coverage(0, at("2026-11-15T00:00")),
        TODAY: Coverage(0, at("2026-11-15T10:30")),
        tomorrow: Coverage(0, None),
    }


def test_a_scope_that_could_not_be_read_says_nothing_of_its_days(con: duckdb.DuckDBPyConnection) -> None:
    found = stored_coverage(con, CLOUDWATCH_METRICS, BEDROCK, [refused(VIRGINIA), reading(scope=TOKYO)], [TODAY], NOW)

    assert list(found) == [("111122223333", "ap-northeast-1", TODAY)]


def test_of_a_reading_that_broke_off_the_whole_days_are_whole_and_the_rest_says_why(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    states = [state("a", YESTERDAY, "2026-11-15T00:00", is_final=True), state("a", TODAY, "2026-11-15T09:12")]
    whole = stored_read(tmp_path, "2026-11-14T00:00", "2026-11-15T09:12", states, ("a", "2026-11-14T01:00"))
    broken = reading(whole, shortfall=THROTTLED, unread=(TODAY,))
    store(con, broken)

    # Today's ModelId `new` was not read: the ledger's other rows do not make today covered.
    assert coverage(con, broken, days=[YESTERDAY, TODAY]) == {
        YESTERDAY: Coverage(1, at("2026-11-15T00:00"), 60),
        TODAY: Coverage(None, None, shortfall=THROTTLED),
    }


def test_a_day_that_cloudwatch_has_forgotten_is_failed_and_names_the_retention(
    con: duckdb.DuckDBPyConnection,
) -> None:
    old = dt.date(2025, 8, 1)

    assert coverage(con, reading(forgotten=(old,)), days=[old]) == {
        old: Coverage(
            None,
            None,
            shortfall=Shortfall(
                "failed",
                "CloudWatch keeps points for 455 days; this day is older and was not stored before. Its usage cannot "
                "be read any more.",
            ),
        )
    }
