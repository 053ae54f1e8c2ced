"""Whole days through Dagster, from AWS's wire protocol to the published file, held against the sandbox's truth."""

import datetime as dt
import re
from collections.abc import Iterator

import duckdb
import pytest

from usage_pipeline.planning.reservations import held_by_minute
from usage_pipeline.sandbox import MARKER
from usage_pipeline_tests.pipeline_runs import (
    DAYS,
    FIRST_DAY,
    MEASURES,
    WholeRun,
    rows_that_differ,
)


@pytest.fixture
def published(whole_run: WholeRun) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published tables, and the truth as schema `truth`."""
    with duckdb.connect(str(whole_run.settings.published_file), read_only=True) as con:
        con.execute(f"attach '{whole_run.truth_file}' as truth (read_only)")
        yield con
        con.execute("detach truth")


def test_usage_of_every_profile_and_minute_equals_the_truth(published: duckdb.DuckDBPyConnection) -> None:
    ours = f"select {MEASURES} from marts.usage_minutely"
    truth = f"select {MEASURES} from truth.usage_minutely"

    assert rows_that_differ(published, ours, truth) == []
    assert published.execute("select count(*) > 5000 from marts.usage_minutely").fetchone() == (True,)


def test_usage_of_every_pool_and_minute_equals_the_truth(published: duckdb.DuckDBPyConnection) -> None:
    measures = "sum(invocations), sum(throttles), sum(consumed_tokens)"
    ours = f"select pool_id, ts, {measures} from marts.quota_usage_minutely group by all"
    truth = f"select pool_id, ts, {measures} from truth.usage_minutely group by all"

    assert rows_that_differ(published, ours, truth) == []


def test_pools_have_the_true_quotas_limits_and_burndown_rates(published: duckdb.DuckDBPyConnection) -> None:
    columns = """
        pool_id, burndown_rate, tpm_quota_code, tpm_limit, rpm_quota_code, rpm_limit, tpd_quota_code, tpd_limit,
        mapping_status
    """
    ours = f"select {columns} from marts.quota_pools where last_used_date is not null"
    truth = f"""
        select {columns} from truth.pools where pool_id in (select pool_id from truth.usage_minutely)
    """

    assert rows_that_differ(published, ours, truth) == []


def test_every_profile_belongs_to_its_true_pool(published: duckdb.DuckDBPyConnection) -> None:
    ours = "select distinct profile_id, profile_kind, pool_id from marts.usage_minutely"
    truth = """
        select profile_id, kind, pool_id from truth.profiles
        where (profile_id, pool_id) in (select (profile_id, pool_id) from truth.usage_minutely)
    """

    assert rows_that_differ(published, ours, truth) == []


def test_throttles_sit_at_their_own_minute(published: duckdb.DuckDBPyConnection) -> None:
    ours = "select pool_id, ts, throttles from marts.quota_usage_minutely where throttles > 0"
    truth = "select pool_id, ts, sum(throttles) from truth.throttle_causes group by all"

    assert rows_that_differ(published, ours, truth) == []


def test_throttled_minutes_get_their_true_cause_and_no_wrong_certain_one(published: duckdb.DuckDBPyConnection) -> None:
    row = published.execute(
        """
        with true_causes as (
            select pool_id, ts, max(throttles) as most, map(list(cause), list(throttles)) as counts
            from truth.throttle_causes
            group by pool_id, ts
        )

        select
            count(*) as throttled,
            count(*) filter (where events.cause <> 'not_explained') as explained,
            count(*) filter (where counts[events.cause] = most) as right_cause,
            count(*) filter (where is_certain) as certain,
            count(*) filter (where events.cause is null) as without_event,
        from true_causes
        left join marts.throttle_events as events using (pool_id, ts)
        """
    ).fetchone()

    assert row is not None
    throttled, explained, right, certain, without_event = row
    assert throttled > 80
    assert explained >= 0.85 * throttled
    assert right >= 0.95 * explained
    # The throttled pools have calls as large as a quarter of their quota: what was turned away may not have fitted.
    assert (certain, without_event) == (0, 0)


def test_what_calls_held_equals_the_truth_wherever_the_logs_tell_all(published: duckdb.DuckDBPyConnection) -> None:
    known = published.execute(
        """
        select pool_id, epoch(ts)::bigint // 60, reserved_tokens from marts.reservations_minutely where source = 'logs'
        """
    ).fetchall()
    first = int(dt.datetime.combine(FIRST_DAY, dt.time(), dt.UTC).timestamp()) // 60
    held = {
        # A log has whole seconds; a call without a latency failed at once.
        pool_id: held_by_minute(
            *published.execute(
                """
                select epoch_ms(date_trunc('second', ts)) as started, coalesce(latency_ms, 0), reserved_tokens
                from truth.requests
                where is_accepted and pool_id = ?
                """,
                [pool_id],
            )
            .fetchnumpy()
            .values(),
            first,
            len(DAYS) * 1440,
        )
        for pool_id in {row[0] for row in known}
    }

    assert [row for row in known if held[row[0]][row[1] - first] != row[2]] == []
    assert len(known) > 4000


def test_every_logged_call_has_its_true_caller_pool_and_cost(published: duckdb.DuckDBPyConnection) -> None:
    ours = """
        select
            request_id, date_trunc('second', ts) as second, account_id, region, operation, pool_id, profile_id,
            principal_type, role_or_user, session_name, application, error_code, cost_usd,
        from marts.invocations
    """
    truth = """
        select
            request_id, date_trunc('second', ts)::timestamp as second, account_id, region, operation, pool_id,
            profile_id, principal_type, role_or_user, session_name, application, error_code, cost_usd,
        from truth.requests
        where is_logged and delivered_at <= (select max(ts) + interval 1 hour from marts.quota_usage_minutely)
    """

    assert rows_that_differ(published, ours, truth) == []
    assert published.execute("select count(*) > 10000 from marts.invocations").fetchone() == (True,)


def test_cost_by_day_and_application_equals_the_truth_to_the_last_digit(published: duckdb.DuckDBPyConnection) -> None:
    sums = ", ".join(
        f"sum({name}) as {name}"
        for name in (
            *("calls", "errors", "input_tokens", "output_tokens", "cache_read_tokens", "cost_usd", "input_cost_usd"),
            *("output_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd", "unpriced_calls"),
        )
    )
    keys = "usage_date, account_id, region, pool_id, model_id, application"

    assert (
        rows_that_differ(
            published,
            f"select {keys}, {sums} from marts.usage_daily group by all",
            f"select {keys}, {sums} from truth.costs group by all",
        )
        == []
    )


def test_no_prompt_or_answer_is_kept_anywhere(whole_run: WholeRun, published: duckdb.DuckDBPyConnection) -> None:
    tables = published.execute(
        "select table_schema || '.' || table_name from information_schema.tables where table_catalog = 'usage'"
    ).fetchall()

    # Rows as text, because a file's bytes are compressed.
    kept = [
        name
        for (name,) in tables
        if published.execute(f"select count(*) from {name} as t where contains(t::varchar, ?)", [MARKER]).fetchone()
        != (0,)
    ]
    files = [path for path in whole_run.settings.data_folder.rglob("*") if path.is_file()]

    assert kept == []
    assert [path for path in files if MARKER.encode() in path.read_bytes()] == []
    assert {"report.html", "report.json", "warehouse.duckdb"} <= {path.name for path in files}


def test_demo_leaves_report_tables_and_truth_and_stops_its_sandbox(
    whole_run: WholeRun, published: duckdb.DuckDBPyConnection
) -> None:
    folder = whole_run.settings.data_folder
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert {
        "warehouse.duckdb",
        "published/usage.duckdb",
        "report.html",
        "report.json",
        "report.md",
        "truth.duckdb",
    } <= files
    assert not whole_run.sandbox_answered

    days = published.execute("select count(distinct usage_date) from marts.usage_minutely").fetchone()
    bill = published.execute("select sum(billed_usd), sum(billed_usd) > 1 from raw.bill").fetchone()
    divided = published.execute("select sum(billed_usd), count(divided_by) > 100 from marts.billed_cost").fetchone()
    assert days == (len(DAYS),)
    assert bill is not None
    assert divided == bill == (bill[0], True)


def test_only_the_planned_faults_fail_a_check(whole_run: WholeRun) -> None:
    said = re.findall(r"^(?:WARN |ERROR) not true for [a-z_.]+: (.*) \(\d+ rows\)$", whole_run.output, re.MULTILINE)

    assert len(said) == whole_run.output.count("not true")
    assert set(said) == {
        "applied quotas are not below default",
        "computed cost agrees with the bill",
        "every burndown rate is known",
        "every call has a price",
        "every pool with traffic has a limit",
        "no conversation fills its context window",
        "no model in use ends soon",
        "no pool is throttled too often",
        "no pool stays close to its quota",
    }
