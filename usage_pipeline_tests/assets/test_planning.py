"""The marts that Python makes, held against what the sample's use means."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from usage_pipeline.assets.planning import planning_rows
from usage_pipeline.planning_evidence import max_tokens_evidence, quota_evidence
from usage_pipeline.planning_inputs import Days, daily_peaks, newest_whole_days, used_pools
from usage_pipeline.planning_tables import PLANNING_TABLES, QUOTA_RECOMMENDATIONS
from usage_pipeline.warehouse import arrow_schema
from usage_pipeline_tests.assets.planning_sample import NOVA_POOL, SONNET_POOL, TODAY, TPM_LIMIT, planning_store
from usage_pipeline_tests.empty_warehouse import empty_warehouse
from usage_pipeline_tests.marts.factory import ACCOUNT, DAY, NOVA

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def _built() -> Iterator[duckdb.DuckDBPyConnection]:
    with planning_store().con as con:
        yield con


@pytest.fixture
def con(_built: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The sample, inside a transaction that is rolled back."""
    _built.begin()
    yield _built
    _built.rollback()


@pytest.fixture(scope="module")
def rows(_built: duckdb.DuckDBPyConnection) -> Rows:
    """The rows of every planning table."""
    return by_table(_built)


def by_table(con: duckdb.DuckDBPyConnection) -> Rows:
    return {table.name: made.to_pylist() for table, made in planning_rows(con).items()}


def only(found: list[dict[str, Any]], **columns: object) -> dict[str, Any]:
    """The one row with these values."""
    (row,) = [row for row in found if all(row[name] == value for name, value in columns.items())]
    return row


def test_an_empty_warehouse_gives_empty_tables() -> None:
    with empty_warehouse() as con:
        con.execute("create table staging.stg_cloudwatch_coverage (usage_date date, covered_until timestamp)")

        assert {table: made.num_rows for table, made in planning_rows(con).items()} == dict.fromkeys(PLANNING_TABLES, 0)


def test_equal_tables_give_equal_rows(con: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    assert by_table(con) == rows
    assert all(rows.values())


def test_a_day_that_is_not_over_is_not_looked_at(con: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    con.execute("delete from staging.stg_cloudwatch_coverage where usage_date = '2026-11-15'")
    con.execute("delete from marts.quota_usage_minutely where usage_date = '2026-11-15'")

    assert newest_whole_days(con) == Days(dt.date(2026, 10, 16), DAY)
    assert by_table(con)["quota_recommendations"] == rows["quota_recommendations"]


def test_idle_minutes_count_in_all_and_not_in_active(con: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    found = rows["percentile_confidence"]
    at = {"pool_id": SONNET_POOL, "quota": "tpm"}
    highest = con.execute(
        "select max(consumed_tokens) from marts.quota_usage_minutely where pool_id = ? and usage_date <= ?",
        [SONNET_POOL, DAY],
    ).fetchone()

    assert only(found, basis="all", percentile="p50", **at)["value"] == 0
    assert only(found, basis="all", percentile="p50", **at)["data_points"] == 30 * 1440
    assert only(found, basis="active", percentile="p50", **at)["data_points"] == 30 * 24
    active = only(found, basis="active", percentile="p999", **at)
    assert active["low"] <= active["value"] <= active["high"]
    assert (active["days"], active["window_start"], active["window_end"]) == (30, dt.date(2026, 10, 16), DAY)
    maximum = only(found, basis="all", percentile="max", **at)
    assert (maximum["value"],) == highest
    assert maximum["low"] <= maximum["value"] <= maximum["high"]
    assert {row["grade"] for row in found if row["low"] is not None} <= {"high", "medium", "low"}


def test_a_minute_of_unknown_consumption_makes_its_day_unknown_and_not_idle(
    con: duckdb.DuckDBPyConnection, rows: Rows
) -> None:
    con.execute(
        "update marts.quota_usage_minutely set consumed_tokens = null where pool_id = ? and ts = '2026-11-01 05:05'",
        [SONNET_POOL],
    )
    found = by_table(con)["percentile_confidence"]
    at = {"pool_id": SONNET_POOL, "basis": "all", "percentile": "p99"}

    assert only(found, quota="tpm", **at)["data_points"] == 29 * 1440
    assert only(found, quota="rpm", **at) == only(rows["percentile_confidence"], quota="rpm", **at)


def test_a_day_of_coarser_periods_has_no_highest_minute(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.quota_headroom set resolution_seconds = 300 where usage_date = '2026-11-01'")
    peaks = daily_peaks(con, DAY)
    at = (dt.date(2026, 11, 1) - peaks[SONNET_POOL, "tpm"].days.first).days

    assert str(peaks[SONNET_POOL, "tpm"].values[at]) == "nan"
    assert peaks[SONNET_POOL, "tpd"].values[at] > 0


def test_a_day_without_use_is_a_peak_of_zero_and_one_that_was_not_read_is_unknown(
    con: duckdb.DuckDBPyConnection,
) -> None:
    con.execute("delete from marts.quota_headroom where usage_date in ('2026-11-01', '2026-11-02')")
    con.execute("delete from staging.stg_cloudwatch_coverage where usage_date = '2026-11-02'")
    peaks = daily_peaks(con, DAY)[SONNET_POOL, "tpm"]
    at = (dt.date(2026, 11, 1) - peaks.days.first).days

    assert [str(value) for value in peaks.values[at : at + 2]] == ["0.0", "nan"]


def test_a_quota_that_reservations_fill_asks_for_lower_max_tokens(rows: Rows) -> None:
    row = only(rows["quota_recommendations"], pool_id=SONNET_POOL, quota="tpm")

    # Two calls of a minute do not overlap: one holds its input and 8,192 tokens.
    assert 8192 < row["reserved_peak"] < 8192 + 2500
    assert (row["current_limit"], row["action"], row["dominant_term"]) == (
        TPM_LIMIT,
        "lower_max_tokens",
        "reservations",
    )
    assert row["recommended_low"] <= row["recommended"] <= row["recommended_high"]
    assert row["recommended"] > (row["peak"] + row["reserved_peak"]) / 0.8
    assert row["ratio"] == row["recommended"] / TPM_LIMIT
    assert row["caveats"] == []
    assert "from 10,000 to" in row["request_text"]
    assert f"({row['quota_code']})" in row["request_text"]


def test_growth_is_seen_and_dates_the_end_of_the_quota(rows: Rows) -> None:
    row = only(rows["quota_recommendations"], pool_id=SONNET_POOL, quota="tpm")

    assert row["daily_growth"] == pytest.approx(0.02, abs=0.005)
    assert row["reaches_limit"] == "dated"
    assert DAY < row["reaches_80pct_on"] < row["reaches_limit_on"]
    assert row["reaches_limit_earliest"] <= row["reaches_limit_on"] <= row["reaches_limit_latest"]


def test_without_complete_logs_reservations_are_unknown(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.data_completeness set logged_calls = logged_calls // 2")

    row = only(by_table(con)["quota_recommendations"], pool_id=SONNET_POOL, quota="tpm")

    assert (row["reserved_peak"], row["caveats"]) == (None, ["reservations_unknown"])


def test_a_pool_without_a_known_limit_gets_a_number_and_no_request(rows: Rows) -> None:
    row = only(rows["quota_recommendations"], pool_id=NOVA_POOL, quota="tpm")

    assert row["recommended"] > 20_000_000
    assert (row["action"], row["current_limit"], row["ratio"]) == ("limit_unknown", None, None)
    assert (row["request_text"], row["reaches_limit"]) == (None, None)


def test_a_daily_quota_has_dates_and_no_recommended_value(rows: Rows) -> None:
    row = only(rows["quota_recommendations"], pool_id=SONNET_POOL, quota="tpd")

    assert (row["recommended"], row["action"], row["request_text"]) == (None, None, None)
    assert row["reaches_limit"] in ("dated", "later")


def test_the_evidence_of_a_quota_shows_every_day_and_counts_its_peak_anew(
    con: duckdb.DuckDBPyConnection, rows: Rows
) -> None:
    assert {row["quota"] for row in rows["quota_recommendations"]} == {"tpm", "rpm", "tpd"}
    for row in rows["quota_recommendations"]:
        shown = con.execute(row["evidence_sql"]).to_arrow_table().to_pylist()
        assert len(shown) == 30
        assert {each["window_peak"] for each in shown} == {row["peak"]}


def test_the_evidence_of_max_tokens_counts_its_calls_anew(con: duckdb.DuckDBPyConnection) -> None:
    # One answer in ten thousand was cut, and some are longer than what is recommended.
    con.execute(
        """
        update marts.invocations set stop_reason = 'Max_Tokens' where application = 'chat' and ts::time = '05:05:01';
        update marts.invocations set output_tokens = 300 where application = 'chat' and ts::time = '06:05:01'
        """
    )
    for row in by_table(con)["max_tokens_recommendations"]:
        (shown,) = con.execute(row["evidence_sql"]).to_arrow_table().to_pylist()
        assert {name: row[name] for name in shown} == pytest.approx(shown)


def test_the_evidence_quotes_what_aws_named() -> None:
    assert "pool_id = 'a''b'" in quota_evidence("a'b", "tpm", Days(DAY, DAY))
    assert "application = 'a''b'" in max_tokens_evidence("pool", "a'b", None, Days(DAY, DAY))


def test_max_tokens_far_above_the_answers_is_lowered(rows: Rows) -> None:
    row = only(rows["max_tokens_recommendations"], pool_id=SONNET_POOL, application="chat")

    assert (row["requests"], row["p999_output"], row["max_tokens_p50"], row["max_tokens_max"]) == (
        1440,
        100,
        8192,
        8192,
    )
    assert (row["status"], row["recommended"], row["reason"]) == ("lower", 256, None)
    assert (row["truncated_share"], row["truncated_share_after"]) == (0, 0)
    # 48 calls of 4 s a day free 7,936 tokens each.
    assert row["freed_tokens"] == pytest.approx(48 * 4 * 7936 / 86_400)
    assert row["more_at_once"] > 0


def test_few_calls_get_a_reason_instead_of_a_number(rows: Rows) -> None:
    row = only(rows["max_tokens_recommendations"], pool_id=NOVA_POOL, application="nightly")

    assert (row["status"], row["recommended"], row["requests"]) == ("too_few_requests", None, 49)
    assert row["reason"] == "Fewer than 1,000 requests say nothing of the longest answer in a thousand."
    assert (row["requests_without_max_tokens"], row["requests_without_latency"]) == (49, 49)
    assert row["max_tokens_max"] == 4096


def test_embeddings_have_no_max_tokens(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.invocations set output_tokens = 0 where pool_id = ?", [NOVA_POOL])

    found = by_table(con)["max_tokens_recommendations"]

    assert {row["pool_id"] for row in found} == {SONNET_POOL}


def test_every_pool_and_quota_is_forecast_for_thirty_days(rows: Rows) -> None:
    found = [row for row in rows["quota_forecasts"] if (row["pool_id"], row["quota"]) == (SONNET_POOL, "tpm")]

    assert [row["usage_date"] for row in found] == [DAY + dt.timedelta(days=ahead) for ahead in range(1, 31)]
    assert all(row["low"] <= row["forecast"] <= row["high"] for row in found)
    # 2 % a day from peaks of about 4,900 tokens a minute.
    assert found[29]["forecast"] == pytest.approx(1000 * 1.02**64 * 2 * 1.08 + 1000, rel=0.15)


def test_backtests_hold_earlier_forecasts_against_the_truth(con: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    found = [row for row in rows["forecast_backtests"] if (row["pool_id"], row["quota"]) == (SONNET_POOL, "tpm")]
    truth = dict(
        con.execute(
            "select usage_date, peak from marts.quota_headroom where pool_id = ? and quota = 'tpm'", [SONNET_POOL]
        ).fetchall()
    )

    assert len(found) == 7 + 6 + 5 + 4 + 3 + 2 + 1
    assert all(row["truth"] == truth[row["usage_date"]] for row in found)
    assert all(row["forecast_on"] < row["usage_date"] <= DAY for row in found)
    assert all(row["is_inside"] == (row["low"] <= row["truth"] <= row["high"]) for row in found)


def test_the_day_that_is_not_over_is_projected_from_the_same_weekdays(
    con: duckdb.DuckDBPyConnection, rows: Rows
) -> None:
    row = only(rows["day_end_forecasts"], pool_id=SONNET_POOL)

    # An output token counts five: 9,000 an hour, and half of a usual day's tokens are used by noon.
    assert (row["usage_date"], row["status"], row["used_tokens"], row["weekdays"]) == (TODAY, "projected", 12 * 9000, 4)
    assert row["projected_tokens"] == pytest.approx(24 * 9000, rel=0.03)
    assert row["low"] <= row["projected_tokens"] <= row["high"]
    assert (row["limit_value"], row["reaches_limit_at"]) == (10_000_000, None)
    shown = con.execute(row["evidence_sql"]).to_arrow_table().to_pylist()
    assert sum(hour["tokens"] for hour in shown if hour["usage_date"] == TODAY) == row["used_tokens"]
    assert len({hour["usage_date"] for hour in shown}) == 5


def test_the_quota_of_a_day_is_reached_at_a_time(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.quota_pools set tpd_limit = 120000 where pool_id = ?", [SONNET_POOL])

    row = only(by_table(con)["day_end_forecasts"], pool_id=SONNET_POOL)

    # 108,000 are used until noon, and 9,000 more at five past every hour.
    assert row["reaches_limit_at"] == dt.datetime.combine(TODAY, dt.time(13, 5))


def test_a_pool_that_is_not_used_today_is_projected_to_stay_so(rows: Rows) -> None:
    row = only(rows["day_end_forecasts"], pool_id=NOVA_POOL)

    # Its batch runs at three, and did not.
    assert (row["status"], row["used_tokens"], row["projected_tokens"]) == ("projected", 0, 0)


def test_a_minute_of_unknown_use_leaves_the_day_unknown(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update marts.quota_usage_minutely set consumed_tokens = null where ts = '2026-11-15 05:05'")

    row = only(by_table(con)["day_end_forecasts"], pool_id=SONNET_POOL)

    assert (row["status"], row["used_tokens"], row["projected_tokens"], row["grade"]) == (
        "unknown_use",
        None,
        None,
        None,
    )


def test_a_day_of_which_nothing_was_read_is_not_projected(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from staging.stg_cloudwatch_coverage where usage_date = '2026-11-15'")

    assert by_table(con)["day_end_forecasts"] == []


def test_an_endpoint_type_with_room_is_named_with_what_it_costs(con: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    (row,) = rows["endpoint_moves"]
    quota = only(rows["quota_recommendations"], pool_id=SONNET_POOL, quota="tpm")

    assert (row["pool_id"], row["to_endpoint_type"]) == (SONNET_POOL, "global")
    assert (row["peak"], row["to_peak"], row["to_limit"]) == (quota["peak"], 0, 100_000)
    assert row["utilization"] == quota["peak"] / 100_000
    assert row["rpm_utilization"] == 2 / 1000
    assert row["cost_change"] == pytest.approx(2.7 / 3 - 1)
    con.register("recommended", planning_rows(con)[QUOTA_RECOMMENDATIONS])
    con.execute("insert into marts.quota_recommendations by name from recommended")
    (shown,) = con.execute(row["evidence_sql"]).to_arrow_table().to_pylist()
    assert {name: row[name] for name in shown} == pytest.approx(shown)


@pytest.mark.parametrize(
    "change", ["tpm_limit = 5000", "rpm_limit = 2", "tpm_limit = null", "endpoint_type = 'provisioned'"]
)
def test_an_endpoint_type_without_room_is_not_named(con: duckdb.DuckDBPyConnection, change: str) -> None:
    con.execute(f"update marts.quota_pools set {change} where endpoint_type = 'global'")

    assert by_table(con)["endpoint_moves"] == []


def test_without_a_price_a_move_has_no_cost(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create or replace table marts.model_prices as "
        "select * from marts.model_prices where endpoint_type <> 'global' or token_kind <> 'output'"
    )

    (row,) = by_table(con)["endpoint_moves"]

    assert row["cost_change"] is None


def test_caching_is_told_in_dollars_and_in_quota(con: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    (row,) = rows["cache_opportunities"]
    (tokens,) = con.execute(
        """
        select sum(input_tokens)::bigint from marts.usage_daily
        where application = 'chat' and usage_date >= '2026-10-16'
        """
    ).fetchone() or (0,)

    assert (row["pool_id"], row["application"], row["input_tokens"]) == (SONNET_POOL, "chat", tokens)
    assert (row["saved_usd"], row["hit_ratio"], row["break_even_reads"]) == (0, 0, pytest.approx(0.75 / 2.7))
    # A tenth is repeated: a fifth of it is written at 0.75 more, the rest is read at 2.70 less.
    assert row["possible_quota_tokens"] == pytest.approx(tokens * 0.08, abs=2)
    assert float(row["possible_usd"]) == pytest.approx(tokens * (0.08 * 2.7 - 0.02 * 0.75) / 1e6, rel=1e-3)


def test_the_evidence_of_caching_counts_it_anew(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        update marts.usage_daily
        set cache_read_tokens = 70_000, cache_write_tokens = 9000, cache_write_5m_tokens = 9000
        where application = 'chat'
        """
    )
    (row,) = by_table(con)["cache_opportunities"]

    assert row["saved_usd"] == 30 * (70_000 * Decimal("2.7") - 9000 * Decimal("0.75")) / 1_000_000
    (shown,) = con.execute(row["evidence_sql"]).to_arrow_table().to_pylist()
    assert {name: float(row[name]) for name in shown} == pytest.approx({name: float(shown[name]) for name in shown})


def test_the_months_cost_is_that_of_its_days_and_what_is_to_come(con: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    spent = con.execute("select sum(cost_usd) from marts.usage_daily where usage_date >= '2026-11-01'").fetchone()
    total = only(rows["cost_forecasts"], subject_kind="total")
    parts = [row["to_date_usd"] for row in rows["cost_forecasts"] if row["subject_kind"] == "application"]

    assert (total["to_date_usd"],) == spent
    assert sum(parts) == total["to_date_usd"]
    assert (total["usage_month"], total["projected_days"]) == (dt.date(2026, 11, 1), 16)
    assert total["low_usd"] <= total["projected_usd"] <= total["high_usd"]
    assert only(rows["cost_forecasts"], subject_kind="scope")["region"] == "us-east-1"
    # Each of the 16 days to come costs what batches usually do; the last day's does not make it a habit.
    nightly = only(rows["cost_forecasts"], subject="nightly")
    assert nightly["projected_usd"] - nightly["to_date_usd"] < 16 * Decimal("3.1") + 90


def test_a_day_of_which_logs_are_missing_is_not_a_day_without_cost(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("delete from ops.source_status where source = 'invocations' and partition_date = '2026-11-10'")

    total = only(by_table(con)["cost_forecasts"], subject_kind="total")

    assert total["projected_days"] == 17


def test_calls_without_a_price_are_an_unknown_cost_and_not_none(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        update marts.usage_daily set unpriced_calls = calls, cost_usd = null
        where application = 'nightly' and usage_date > '2026-10-12'
        """
    )

    row = only(by_table(con)["cost_forecasts"], subject="nightly")

    assert (row["to_date_usd"], row["unpriced_calls"]) == (None, 13 + 20)


def test_a_cost_far_above_the_same_weekdays_stands_out(rows: Rows) -> None:
    by_model = only(rows["anomalies"], subject_kind="application_model", metric="cost_usd")
    tokens = only(rows["anomalies"], subject_kind="application_model", metric="consumed_tokens")
    by_caller = only(rows["anomalies"], subject_kind="caller")

    assert (by_model["usage_date"], by_model["subject"]) == (DAY, f"nightly/{NOVA}")
    # Every earlier day was the same, so there is no scale for a score.
    assert (by_model["value"], by_model["expected"], by_model["score"]) == (
        Decimal("60.00006"),
        Decimal("3.000003"),
        None,
    )
    assert (tokens["subject"], tokens["value"]) == (f"nightly/{NOVA}", Decimal(20_000_020))
    assert (by_caller["subject"], by_caller["value"]) == (f"{ACCOUNT}/Batch", Decimal("60.00006"))


def test_a_team_is_a_tag(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "update marts.usage_daily set tags = map {'team': 'search', 'stage': 'test'} where application = 'nightly'"
    )

    found = [row for row in by_table(con)["anomalies"] if row["subject_kind"] == "tag_model"]

    assert {(row["subject"], row["metric"], row["value"]) for row in found} == {
        (f"{tag}/{NOVA}", metric, value)
        for tag in ("team=search", "stage=test")
        for metric, value in (("cost_usd", Decimal("60.00006")), ("consumed_tokens", Decimal(20_000_020)))
    }


def test_a_pool_that_takes_far_more_tokens_stands_out(rows: Rows) -> None:
    row = only(rows["anomalies"], subject_kind="pool")

    assert (row["subject"], row["metric"], row["value"]) == (NOVA_POOL, "consumed_tokens", Decimal(20_000_020))


def test_a_profile_that_nobody_uses_is_told_after_thirty_days_of_watching(
    con: duckdb.DuckDBPyConnection, rows: Rows
) -> None:
    row = only(rows["anomalies"], subject_kind="profile")

    assert row["subject"].endswith("/us-east-1/forgotten123")
    # It was made before the first day that was read, and nobody knows whether it was used then.
    assert (row["value"], row["expected"]) == (34, 30)
    con.execute("delete from staging.stg_cloudwatch_coverage where usage_date < '2026-11-01'")
    assert [found for found in by_table(con)["anomalies"] if found["subject_kind"] == "profile"] == []


def test_a_scope_that_was_not_read_gets_no_percentile(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("update staging.stg_cloudwatch_coverage set region = 'eu-west-1'")

    found = by_table(con)

    assert len(used_pools(con, Days(DAY, DAY))) == 2
    assert found["percentile_confidence"] == found["quota_recommendations"] == found["quota_forecasts"] == []


@pytest.mark.parametrize("table", PLANNING_TABLES, ids=lambda table: table.name)
def test_every_column_is_filled_somewhere(table: Any, rows: Rows) -> None:
    empty = {name for name in arrow_schema(table).names if all(row[name] is None for row in rows[table.name])}

    # Nothing here varied before it stood out, and no day's quota is used up.
    expected = {"anomalies": {"score"}, "day_end_forecasts": {"reaches_limit_at"}}
    assert empty == expected.get(table.name, set())
