import duckdb

from usage_pipeline.config import ReportSettings
from usage_pipeline.raw_tables import SOURCE_STATUS
from usage_pipeline.report.contents import Pool, Quota, Report
from usage_pipeline.report.numbers import read_report
from usage_pipeline_tests.empty_warehouse import empty_warehouse
from usage_pipeline_tests.report.sample import (
    COVERED_UNTIL,
    DAYS,
    GENERATED_AT,
    HOSTILE_NAME,
    HOSTILE_PROFILE,
    IMPORTED_POOL,
    LITE_POOL,
    MICRO_POOL,
    PIXTRAL_POOL,
    RESEARCH_POOL,
    SEARCH_PROFILE,
    SONNET_POOL,
    SYSTEM_PROFILE,
    insert,
)


def pool_of(report: Report, pool_id: str) -> Pool:
    return next(pool for pool in report.pools if pool.pool_id == pool_id)


def quota_of(report: Report, pool_id: str, kind: str) -> Quota:
    return next(quota for quota in pool_of(report, pool_id).quotas if quota.kind == kind)


def test_pools_come_most_urgent_first(report: Report) -> None:
    assert [(pool.pool_id, pool.risk) for pool in report.pools] == [
        (SONNET_POOL, "critical"),
        (LITE_POOL, "warning"),
        (IMPORTED_POOL, "unknown"),
        (PIXTRAL_POOL, "unknown"),
        (RESEARCH_POOL, "unknown"),
        (MICRO_POOL, "idle"),
    ]


def test_verdict_counts_what_is_below_it(report: Report) -> None:
    summary = report.summary
    assert summary.pools_by_risk == {"critical": 1, "warning": 1, "unknown": 3, "ok": 0, "idle": 1}
    assert (summary.pools, summary.throttles, summary.unresolved_profiles) == (6, 450, 1)
    assert (summary.scopes_read, summary.scopes_failed) == (1, 1)
    assert (summary.checks_passed, summary.checks_failed) == (1, 1)
    assert summary.data_up_to == COVERED_UNTIL


def test_quota_has_its_value_source_and_evidence(report: Report) -> None:
    tpm = quota_of(report, SONNET_POOL, "tpm")
    assert (tpm.code, tpm.limit_value, tpm.limit_source) == ("L-00000001", 20_000, "applied")
    assert tpm.name == "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1"
    assert str(tpm.limit_as_of) == "2026-11-15"
    assert tpm.console_url == (
        "https://us-east-1.console.aws.amazon.com/servicequotas/home/services/bedrock/quotas/L-00000001"
    )


def test_quota_says_how_near_the_worst_minute_came(report: Report) -> None:
    tpm = quota_of(report, SONNET_POOL, "tpm")
    assert (tpm.peak, tpm.utilization_peak, round(tpm.headroom or 0, 9)) == (22_000, 1.1, -0.1)
    assert str(tpm.worst_minute) == "2026-11-15 10:00:00"
    assert (tpm.minutes_over_80pct, tpm.minutes_over_limit) == (1, 1)
    assert [(profile.profile_name, round(profile.share, 4)) for profile in tpm.top_profiles] == [
        (HOSTILE_NAME, 0.3636),
        ("search", 0.3182),
        ("US Claude Sonnet 4.5", 0.3182),
    ]


def test_earliest_of_equally_bad_days_is_named(report: Report) -> None:
    assert str(quota_of(report, LITE_POOL, "tpm").worst_minute) == "2026-11-13 09:29:00"


def test_doubled_day_quota_says_so(report: Report) -> None:
    tpd = quota_of(report, SONNET_POOL, "tpd")
    assert (tpd.limit_value, tpd.is_doubled) == (2_000_000, True)
    assert tpd.peak == 67_435


def test_unknown_limit_stays_unknown(report: Report) -> None:
    pool = pool_of(report, PIXTRAL_POOL)
    assert (pool.utilization_peak, pool.headroom) == (None, None)
    assert [(quota.kind, quota.limit_value, quota.mapping_status) for quota in pool.quotas] == [
        ("tpm", None, "unmapped"),
        ("rpm", None, "unmapped"),
    ]
    assert (pool.quotas[0].peak, pool.quotas[0].minutes_over_limit) == (550, None)


def test_pool_of_a_scope_that_was_not_read_has_unknown_use_not_zero(report: Report) -> None:
    unread, idle = pool_of(report, RESEARCH_POOL), pool_of(report, MICRO_POOL)
    assert (unread.throttles, unread.consumed_tokens) == (None, None)
    assert (idle.throttles, idle.consumed_tokens) == (0, 0)


def test_totals_are_the_tables(report: Report, sample: duckdb.DuckDBPyConnection) -> None:
    in_tables = sample.execute(
        "select pool_id, sum(consumed_tokens)::bigint, sum(throttles)::bigint from marts.quota_usage_minutely "
        "group by pool_id order by pool_id"
    ).fetchall()
    assert in_tables == sorted(
        (pool.pool_id, pool.consumed_tokens, pool.throttles) for pool in report.pools if pool.has_traffic
    )


def test_statistics_are_the_rows_of_the_table(report: Report, sample: duckdb.DuckDBPyConnection) -> None:
    columns = (
        "pool_id, profile_id, window_name, metric, basis, p50, p90, p95, p99, p999, max, average, total, data_points, "
        "covered_minutes, coarse_minutes, window_minutes"
    )
    in_table = sample.execute(f"select {columns} from marts.usage_statistics").fetchall()
    names = columns.split(", ")[1:]
    in_report = [
        (pool.pool_id, *(getattr(row, name) for name in names)) for pool in report.pools for row in pool.statistics
    ]
    assert sorted(in_report, key=str) == sorted(in_table, key=str)


def test_contributions_share_the_pools_tokens(report: Report) -> None:
    rows = [
        row
        for row in pool_of(report, SONNET_POOL).contributions
        if row.window_name == "1day" and row.basis == "active" and row.profile_id != "appidle00001"
    ]
    assert [(row.profile_id, row.consumed_tokens, row.throttles) for row in rows] == [
        (SEARCH_PROFILE, 52_435, 0),
        (HOSTILE_PROFILE, 8_000, 450),
        (SYSTEM_PROFILE, 7_000, 0),
    ]
    assert round(sum(row.share or 0 for row in rows), 9) == 1


def test_profiles_that_people_made_are_listed_even_when_idle(report: Report) -> None:
    tags = {profile.profile_name: profile.tags for profile in pool_of(report, SONNET_POOL).profiles}
    assert tags["search"] == {"team": "search"}
    assert tags["idle one"] is None
    assert "US Claude Sonnet 4.5" in tags


def test_days_of_a_quota_are_the_rows_of_headroom(report: Report) -> None:
    days = quota_of(report, LITE_POOL, "tpm").days
    assert [(day.usage_date, day.peak, day.minutes_over_80pct) for day in days] == [(day, 3400, 20) for day in DAYS]


def test_scopes_say_what_was_read_and_what_aws_refused(report: Report) -> None:
    production, research = report.scopes
    assert (production.account_name, production.failures) == ("production", ())
    assert [(str(stretch.start), stretch.end) for stretch in production.covered] == [
        ("2026-11-13 00:00:00", COVERED_UNTIL)
    ]
    assert (research.account_name, research.data_up_to, research.covered) == ("research", None, ())
    failure = research.failures[0]
    assert (failure.source, failure.status, failure.days) == ("cloudwatch_metrics", "denied", 1)
    assert failure.error_text == "AccessDenied: not authorized to perform: cloudwatch:GetMetricData"


def test_failed_checks_come_first_with_their_examples(report: Report) -> None:
    failed, passed = report.checks
    assert (failed.passed, failed.failing_rows, passed.passed) == (False, 1, True)
    assert failed.examples == ({"account_name": "research", "region": "eu-west-1", "note": "</script><b>y"},)


def test_use_of_an_unresolved_profile_is_shown_apart(report: Report) -> None:
    (profile,) = report.unresolved_profiles
    assert (profile.profile_id, profile.invocations, profile.input_tokens) == ("appambig0001", 5, 900)


def test_windows_end_where_the_data_ends_and_keep_their_granularity(report: Report) -> None:
    assert [(window.name, window.end, window.granularity_seconds) for window in report.windows] == [
        ("1hour", COVERED_UNTIL, 60),
        ("1day", COVERED_UNTIL, 60),
        ("7days", COVERED_UNTIL, 300),
        ("14days", COVERED_UNTIL, 900),
        ("30days", COVERED_UNTIL, 900),
    ]
    assert (str(report.first_day), str(report.last_day)) == ("2026-10-17", "2026-11-15")


def test_only_configured_windows_are_read(sample: duckdb.DuckDBPyConnection) -> None:
    settings = ReportSettings(windows=("1hour", "1day"), granularity="5min")
    report = read_report(sample, settings, GENERATED_AT)
    assert [(window.name, window.granularity_seconds) for window in report.windows] == [("1hour", 300), ("1day", 300)]
    assert {row.window_name for pool in report.pools for row in pool.statistics} == {"1hour", "1day"}
    assert (str(report.first_day), str(report.last_day)) == ("2026-11-15", "2026-11-15")


def test_account_that_could_not_be_reached_is_named() -> None:
    with empty_warehouse() as con:
        make_empty_marts(con)
        insert(
            con,
            SOURCE_STATUS,
            [
                {
                    "account_name": "partner",
                    "source": "foundation_models",
                    "partition_date": DAYS[-1],
                    "status": "denied",
                    "error_text": "AccessDenied: sts:AssumeRole",
                    "finished_at": GENERATED_AT,
                }
            ],
        )
        report = read_report(con, ReportSettings(), GENERATED_AT)
    (scope,) = report.scopes
    assert (scope.account_name, scope.account_id, scope.region) == ("partner", None, None)
    assert [failure.error_text for failure in scope.failures] == ["AccessDenied: sts:AssumeRole"]
    assert (report.windows, report.pools, report.summary.data_up_to) == ((), (), None)


def make_empty_marts(con: duckdb.DuckDBPyConnection) -> None:
    from usage_pipeline.sql_builds import build
    from usage_pipeline.sql_models import load_models

    build(con, load_models())
