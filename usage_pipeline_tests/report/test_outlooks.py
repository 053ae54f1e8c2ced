from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from usage_pipeline.report.chart_levels import ChartWindow
from usage_pipeline.report.contents import Report
from usage_pipeline.report.ledgers import read_bill, read_quota_changes
from usage_pipeline.report.outlook_contents import QuotaOutlook
from usage_pipeline.report.outlooks import KnownCosts, cost_change, exhaustion, read_cost_changes
from usage_pipeline_tests.report.sample import LITE_POOL, SONNET_POOL

LAST = date(2026, 11, 14)


def outlook_of(report: Report, pool_id: str, kind: str) -> QuotaOutlook:
    pool = next(pool for pool in report.pools if pool.pool_id == pool_id)
    found = next(quota.outlook for quota in pool.quotas if quota.kind == kind)
    assert found
    return found


def test_quota_has_what_planning_says_of_it(planned_report: Report) -> None:
    found = outlook_of(planned_report, SONNET_POOL, "tpm")
    assert (found.recommended, found.recommended_low, found.recommended_high) == (30_000, 27_000, 33_000)
    assert (found.action, found.grade, found.caveats) == ("increase", "medium", ("reservations_unknown",))
    assert found.reaches_limit_on == date(2026, 12, 1)


def test_quota_has_its_days_to_come(planned_report: Report) -> None:
    pool = next(pool for pool in planned_report.pools if pool.pool_id == SONNET_POOL)
    days = next(quota.forecast for quota in pool.quotas if quota.kind == "tpm")
    assert [(str(day.usage_date), day.forecast, day.low, day.high) for day in days] == [
        ("2026-11-15", 20_015, 18_000, 20_000),
        ("2026-11-16", 20_016, 18_000, 20_000),
    ]


def test_pool_is_used_up_by_its_first_quota(planned_report: Report) -> None:
    found = {pool.pool_id: pool.exhaustion for pool in planned_report.pools}
    sonnet, lite = found[SONNET_POOL], found[LITE_POOL]
    assert sonnet
    assert (sonnet.quota, sonnet.status, str(sonnet.on), str(sonnet.earliest), sonnet.grade) == (
        *("tpm", "dated", "2026-12-01", "2026-11-25", "medium"),
    )
    assert lite
    assert (lite.status, lite.on) == ("later", None)
    assert [pool_id for pool_id, exhausted in found.items() if exhausted] == [SONNET_POOL, LITE_POOL]


@pytest.mark.parametrize(
    ("statuses", "first"),
    [
        ({"tpm": ("later", None), "rpm": ("dated", date(2027, 1, 1))}, "rpm"),
        ({"tpm": ("dated", date(2027, 2, 1)), "rpm": ("dated", date(2027, 1, 1))}, "rpm"),
        ({"tpm": ("dated", date(2026, 11, 20)), "tpd": ("reached", date(2026, 11, 14))}, "tpd"),
        ({"tpm": ("too_few_days", None), "rpm": ("no_upward_trend", None)}, "rpm"),
        ({"tpm": (None, None)}, None),
        ({}, None),
    ],
)
def test_first_quota_to_be_used_up(
    planned_report: Report, statuses: Mapping[str, tuple[str | None, date | None]], first: str | None
) -> None:
    like = outlook_of(planned_report, SONNET_POOL, "tpm")
    outlooks = [
        (quota, replace(like, reaches_limit=status, reaches_limit_on=day)) for quota, (status, day) in statuses.items()
    ]
    found = exhaustion(outlooks)
    assert (found.quota if found else None) == first


def test_month_is_the_row_of_the_total(planned_report: Report) -> None:
    month = planned_report.month
    assert month
    assert (month.to_date_usd, month.projected_usd, month.low_usd, month.high_usd, month.projected_days) == (
        *(Decimal("1.25"), Decimal(40), Decimal(30), Decimal("55.5"), 16),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Cost against the time before


def days(first: int, last: int) -> list[date]:
    """Days of November 2026."""
    return [date(2026, 11, day) for day in range(first, last + 1)]


def known(costs: dict[int, str | None], whole: list[date], **missing: list[date]) -> KnownCosts:
    return KnownCosts(
        by_day={date(2026, 11, day): None if usd is None else Decimal(usd) for day, usd in costs.items()},
        unpriced=frozenset(missing.get("unpriced", [])),
        whole=frozenset(whole),
        incomplete=frozenset(missing.get("incomplete", [])),
    )


def test_cost_is_held_against_as_many_days_before() -> None:
    found = cost_change("7days", LAST, 7, known({1: "10", 7: "10", 8: "5", 14: "25"}, days(1, 14)))
    assert (found.first_day, found.last_day) == (date(2026, 11, 8), LAST)
    assert (found.previous_first_day, found.previous_last_day) == (date(2026, 11, 1), date(2026, 11, 7))
    assert (found.cost_usd, found.previous_cost_usd, found.change) == (30, 20, 0.5)
    assert not found.is_at_least


def test_days_before_that_were_not_all_read_are_unknown() -> None:
    found = cost_change("7days", LAST, 7, known({7: "10", 14: "25"}, days(2, 14)))
    assert (found.cost_usd, found.previous_cost_usd, found.change) == (25, None, None)


@pytest.mark.parametrize(
    "missing", [{"unpriced": days(9, 9)}, {"incomplete": days(14, 14)}, {"whole": [*days(1, 10), *days(12, 14)]}]
)
def test_cost_with_something_missing_is_at_least_that(missing: dict[str, list[date]]) -> None:
    whole = missing.pop("whole", days(1, 14))
    assert cost_change("7days", LAST, 7, known({14: "25"}, whole, **missing)).is_at_least


def test_what_was_missing_before_does_not_bound_the_cost_now() -> None:
    assert not cost_change("7days", LAST, 7, known({14: "25"}, days(1, 14), unpriced=days(3, 3))).is_at_least


def test_days_without_a_priced_call_have_no_cost() -> None:
    found = cost_change("1day", LAST, 1, known({13: "0", 14: None}, days(1, 14)))
    assert (found.cost_usd, found.previous_cost_usd, found.change) == (None, 0, None)


def test_windows_shorter_than_a_day_have_no_change_of_cost() -> None:
    with duckdb.connect() as con:
        con.execute("create schema marts; create schema ops")
        con.execute("""
            create table marts.usage_daily as
            select
                day::date as usage_date,
                'a' as account_id,
                'r' as region,
                10::decimal(38, 12) as cost_usd,
                0::bigint as unpriced_calls
            from range(date '2026-11-01', date '2026-11-16', interval 1 day) as days (day);
            create table ops.source_status as
            select
                account_id,
                region,
                'invocations' as source,
                usage_date as partition_date,
                if(usage_date = '2026-11-15', '2026-11-15T10:00'::timestamp, usage_date + interval 1 day)
                    as covered_until,
            from marts.usage_daily;
            create table marts.data_completeness (usage_date date, status varchar);
        """)
        end = datetime.fromisoformat("2026-11-15T10:00")
        windows = [
            ChartWindow(name, end - length, end, 60)
            for name, length in (("1hour", timedelta(hours=1)), ("1day", timedelta(1)), ("7days", timedelta(7)))
        ]
        found = read_cost_changes(con, windows)
        assert [(change.window_name, change.last_day, change.cost_usd, change.change) for change in found] == [
            ("1day", LAST, 10, 0.0),
            ("7days", LAST, 70, 0.0),
        ]
        con.execute("delete from ops.source_status")
        assert read_cost_changes(con, windows) == ()
        assert read_cost_changes(con, windows[:1]) == ()


# ---------------------------------------------------------------------------------------------------------------------
# Bill and quotas that changed

DAYS = {"first_day": date(2026, 11, 1), "last_day": date(2026, 11, 15)}


def test_bill_is_added_up_by_account_region_and_model() -> None:
    with duckdb.connect() as con:
        con.execute("create schema marts")
        con.execute("""
            create table marts.bill_reconciliation as
            select 'a' as account_id, 'acme' as account_name, 'r' as region, *,
            from (values
                ('2026-11-01'::date, 'm', 10.5::decimal(38, 12), 10::decimal(38, 12), 'agrees', 0::bigint),
                ('2026-11-02', 'm', null, 2, 'only_billed', 4),
                ('2026-11-02', null, null, 5, 'only_billed', 0),
                ('2026-10-31', 'm', 99, 1, 'differs', 0)
            ) as rows (usage_date, model_id, computed_usd, billed_usd, status, unpriced_calls)
        """)
        con.execute("alter table marts.bill_reconciliation add column difference_usd decimal(38, 12)")
        con.execute("update marts.bill_reconciliation set difference_usd = computed_usd - billed_usd")
        bill = read_bill(con, DAYS)
        assert bill
        assert (str(bill.first_day), str(bill.last_day)) == ("2026-11-01", "2026-11-02")
        assert [
            (row.model_id, row.computed_usd, row.billed_usd, row.difference_usd, row.ratio, row.agrees, row.only_billed)
            for row in bill.rows
        ] == [
            ("m", Decimal("10.5"), 12, Decimal("0.5"), 0.875, 1, 1),
            (None, None, 5, None, None, 0, 1),
        ]
        con.execute("delete from marts.bill_reconciliation")
        assert read_bill(con, DAYS) is None


def test_quota_that_got_another_value_is_told_with_its_pools() -> None:
    with duckdb.connect() as con:
        con.execute("create schema marts; create schema raw")
        con.execute("""
            create table raw.service_quotas as
            select 'a' as account_id, 'r' as region, 'applied' as limit_source, *,
            from (values
                ('L-1', 'tokens', 100.0::double, '2026-10-01'::timestamp),
                ('L-1', 'tokens', 200.0, '2026-11-02T10:00'),
                ('L-1', 'tokens', 300.0, '2026-11-20'),
                ('L-2', 'first seen', 5.0, '2026-11-03'),
                ('L-3', 'renamed', 7.0, '2026-10-01'),
                ('L-3', 'renamed again', 7.0, '2026-11-04')
            ) as rows (quota_code, quota_name, limit_value, valid_from);
            create table raw.scopes as select 'a' as account_id, 'acme' as account_name;
            create table marts.quota_pools as
            select 'a' as account_id, 'r' as region, *,
            from (values
                ('p1', 'L-1', null::varchar, null::varchar, null::varchar, '2026-11-01'::date),
                ('p2', null, 'L-1', null, null, '2026-11-01'),
                ('unused', 'L-1', null, null, null, null)
            ) as rows (
                pool_id, tpm_quota_code, rpm_quota_code, tpd_quota_code, concurrency_quota_code, last_used_date
            )
        """)
        (change,) = read_quota_changes(con, DAYS)
    assert (str(change.since), change.quota_code, change.before, change.after) == ("2026-11-02", "L-1", 100, 200)
    assert (change.account_name, change.pools) == ("acme", ("p1", "p2"))
