"""The truth is computed from requests, the metrics too, on different ways: they must meet."""

import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.metrics import BEDROCK, Metric, Series
from usage_pipeline.sandbox.organisation import SCOPES
from usage_pipeline.sandbox.truth import write_truth

SUPPORT_POOL = "111122223333/us-east-1/geo/anthropic.claude-sonnet-4-20250514-v1:0"


def per_minute(series: Series | None) -> dict[int, float]:
    if series is None:
        return {}
    timestamps, values = series.points("Sum", 60, 0, 2**40)
    return dict(zip(timestamps.tolist(), values.tolist(), strict=True))


@pytest.mark.parametrize(
    ("column", "metric_names"),
    [
        ("invocations", ("Invocations",)),
        ("throttles", ("InvocationThrottles",)),
        ("client_errors", ("InvocationClientErrors",)),
        ("server_errors", ("InvocationServerErrors",)),
        ("input_tokens", ("InputTokenCount",)),
        ("output_tokens", ("OutputTokenCount",)),
        ("cache_read_tokens", ("CacheReadInputTokenCount", "CacheReadInputTokens")),
        ("cache_write_tokens", ("CacheWriteInputTokenCount", "CacheWriteInputTokens")),
        ("latency_ms_total", ("InvocationLatency",)),
        ("ttft_ms_total", ("TimeToFirstToken",)),
    ],
)
def test_every_minute_of_every_profile_is_the_metrics_sum(
    truth: duckdb.DuckDBPyConnection, two_days: AccountData, column: str, metric_names: tuple[str, ...]
):
    rows = truth.execute(
        f"""
        select account_id, region, profile_id, epoch(ts)::bigint, {column}
        from truth.usage_minutely
        where {column} > 0
        """
    ).fetchall()
    expected = {(account, region, profile, ts): value for account, region, profile, ts, value in rows}
    found: dict[tuple[str, str, str, int], float] = {}
    for account, region in SCOPES:
        series = two_days.metrics.scope(account, region).series
        profiles = {dict(m.dimensions)["ModelId"] for m in series if len(m.dimensions) == 1}
        for profile in profiles:
            named = (series.get(Metric(BEDROCK, name, (("ModelId", profile),))) for name in metric_names)
            points = per_minute(next((one for one in named if one is not None), None))
            found |= {(account, region, profile, ts): value for ts, value in points.items()}
    assert found == expected
    assert len(expected) > 10


def test_consumed_tokens_are_the_estimated_quota_usage(truth: duckdb.DuckDBPyConnection, two_days: AccountData):
    rows = truth.execute(
        """
        select account_id, region, profile_id, sum(consumed_tokens)
        from truth.usage_minutely
        where endpoint_type in ('on_demand', 'geo', 'global')
        group by all
        having sum(invocations) > 0
        """
    ).fetchall()
    assert len(rows) > 30
    for account, region, profile, consumed in rows:
        series = two_days.metrics.scope(account, region).series
        estimated = series[Metric(BEDROCK, "EstimatedTPMQuotaUsage", (("ModelId", profile),))]
        assert estimated.values.sum() == consumed, profile


def test_consumed_tokens_use_the_true_burndown(truth: duckdb.DuckDBPyConnection):
    (wrong,) = truth.execute(
        """
        select count(*)
        from truth.usage_minutely
        join truth.pools using (pool_id)
        where consumed_tokens <> input_tokens + cache_write_tokens + output_tokens * burndown_rate
        """
    ).fetchone() or (None,)
    assert wrong == 0


def test_every_throttle_has_a_cause(truth: duckdb.DuckDBPyConnection):
    counted = "select sum(throttles), count(distinct pool_id) from"
    throttles = truth.execute(f"{counted} truth.usage_minutely where throttles > 0").fetchone()
    assert truth.execute(f"{counted} truth.throttle_causes").fetchone() == throttles
    kinds = truth.execute("select distinct cause, pool_id from truth.throttle_causes order by all").fetchall()
    assert kinds == [(cause, SUPPORT_POOL) for cause in ("reservation", "rpm", "tpm")]


def test_pools_say_what_really_limits_them(truth: duckdb.DuckDBPyConnection):
    columns = (
        "burndown_rate, tpm_quota_code, tpm_limit, rpm_quota_code, rpm_limit, tpd_quota_code, tpd_limit, mapping_status"
    )
    row = truth.execute(f"select {columns} from truth.pools where pool_id = ?", [SUPPORT_POOL]).fetchone()
    assert row == (5.0, "L-59759B4A", 200_000.0, "L-559DCC33", 200.0, "L-22F701C5", 288_000_000.0, "mapped")
    without = truth.execute(
        "select model_id from truth.pools where mapping_status = 'no_quota' order by all"
    ).fetchall()
    assert without == [("imported-model/imp8w3z5v1t6",), ("writer.palmyra-x5-v1:0",)]


def test_profiles_have_their_pool_and_tags(truth: duckdb.DuckDBPyConnection):
    row = truth.execute("from truth.profiles where name = 'tokyo-assistant'").fetchone()
    assert row == (
        "z4x8c2v6b1ni",
        "application",
        "111122223333/ap-northeast-1/geo/anthropic.claude-haiku-4-5-20251001-v1:0",
        "tokyo-assistant",
        {"team": "tokyo", "application": "assistant", "environment": "prod"},
    )
    kinds = truth.execute("select kind, count(*) from truth.profiles group by all order by all").fetchall()
    assert kinds == [("application", 12), ("base", 9), ("custom_deployment", 1), ("imported", 1), ("system", 16)]


def test_requests_carry_what_an_invocation_log_needs(truth: duckdb.DuckDBPyConnection, two_days: AccountData):
    row = truth.execute(
        """
        select
            count(*),
            count(distinct request_id),
            count(*) filter (where request_metadata['application'] = 'search') > 100
        from truth.requests
        """
    ).fetchone()
    assert row == (len(two_days.requests), len(two_days.requests), True)
    retry = truth.execute(
        "select r.attempt > 1, f.attempt, f.error_code from truth.requests r "
        "join truth.requests f on f.request_id = r.retry_of group by all"
    ).fetchall()
    assert retry == [(True, 1, "ThrottlingException")]


def test_reserved_tokens_take_the_models_maximum_where_none_was_asked(two_days: AccountData):
    requests = two_days.requests
    unset = np.flatnonzero((requests.max_tokens == 0) & requests.accepted)
    maximum = [c.called.model_id == "deepseek.r1-v1:0" for c in requests.callers]
    deepseek = unset[np.array(maximum)[requests.caller[unset]]]
    assert len(deepseek) > 10
    taken = requests.input_tokens + requests.cache_write
    assert (requests.reserved[deepseek] == taken[deepseek] + 32_768).all()


def test_truth_is_written_anew(two_days: AccountData, truth_file: Path, tmp_path: Path):
    path = Path(shutil.copy(truth_file, tmp_path))
    write_truth(path, two_days)
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("select count(*) from truth.requests").fetchone() == (len(two_days.requests),)
