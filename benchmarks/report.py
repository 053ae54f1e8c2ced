"""The report of 100 pools that are busy in every minute of 30 days, of one profile and of several: size, time, memory.

Here: a published file with such use, and the writing in a process of its own: `python -m benchmarks.report FILE`. Not
here: how the tables are made from raw ones (`log_marts.py`, `planning.py`).
"""

import datetime as dt
import sys
import tempfile
from pathlib import Path

import duckdb

from benchmarks.measuring import Result, measure, median
from usage_pipeline.config import ReportSettings
from usage_pipeline.report.write import write_report
from usage_pipeline.sql_builds import build
from usage_pipeline.sql_models import load_models
from usage_pipeline.warehouse import prepare_tables

DAYS, POOLS, APPLICATIONS = 30, 100, 5

PROFILES = (1, 3)
"""Application profiles of each pool: each number is a report of its own."""

END = dt.datetime(2026, 11, 15)  # noqa: DTZ001  (UTC without a zone, as everywhere inside)

_SCOPE = "'111122223333' as account_id, 'production' as account_name, 'us-east-1' as region"

# Use rises and falls with the hour of the day, and no two minutes are alike. With one profile a few of them are over
# their quota; with three a quarter of all, because each profile uses as much as the one did.
_USE = f"""
    insert into raw.scopes by name
    select {_SCOPE}, 'aws' as aws_partition, true as is_configured;

    insert into ops.source_status by name
    select
        {_SCOPE},
        source,
        day::date as partition_date,
        'ok' as status,
        day + interval 1 day as covered_until,
        60 as resolution_seconds,
        day + interval 1 day as finished_at,
    from
        range(timestamp '2026-10-16', timestamp '2026-11-15', interval 1 day) as days (day),
        (values ('cloudwatch_metrics'), ('invocations')) as sources (source);

    insert into staging.stg_cloudwatch_coverage by name
    select
        '111122223333' as account_id,
        'us-east-1' as region,
        day::date as usage_date,
        day as covered_from,
        day + interval 1 day as covered_until,
        60 as resolution_seconds,
    from range(timestamp '2026-10-16', timestamp '2026-11-15', interval 1 day) as days (day);

    insert into marts.quota_pools by name
    select
        {_SCOPE},
        '111122223333/us-east-1/geo/model-' || number as pool_id,
        'model-' || number as model_id,
        'Model ' || number as model_name,
        'Provider' as provider,
        'geo' as endpoint_type,
        5.0 as burndown_rate,
        'documented' as burndown_source,
        64_000 as max_output_tokens,
        200_000 as tpm_limit, 'L-00000001' as tpm_quota_code, 'tokens per minute' as tpm_quota_name,
        'applied' as tpm_limit_source, 'mapped' as tpm_mapping_status,
        500 as rpm_limit, 'L-00000002' as rpm_quota_code, 'requests per minute' as rpm_quota_name,
        'applied' as rpm_limit_source, 'mapped' as rpm_mapping_status,
        200_000_000 as tpd_limit, 'L-00000003' as tpd_quota_code, 'tokens per day' as tpd_quota_name,
        'applied' as tpd_limit_source, 'mapped' as tpd_mapping_status,
        false as tpd_is_doubled, 'rule' as mapping_method, 'mapped' as mapping_status,
        date '2026-11-14' as last_used_date,
    from range({POOLS}) as pools (number);

    insert into intermediate.int_profiles by name
    select
        {_SCOPE},
        'profile' || number || '-' || substr(md5(pool_id), 1, 8) as profile_id,
        'application ' || number as profile_name,
        'application' as profile_kind,
        map {{'team': 'team-' || number, 'environment': 'production'}} as tags,
        'geo' as endpoint_type,
        model_id,
        pool_id,
        'resolved' as status,
        true as is_listed,
    from marts.quota_pools, range(getvariable('profiles')) as profiles (number);

    insert into marts.usage_minutely by name
    select
        {_SCOPE},
        pool_id,
        ts::date as usage_date,
        ts,
        60 as resolution_seconds,
        profile_id,
        profile_name,
        profile_kind,
        tags,
        (1 + hash(pool_id, ts, profile_id) % 60 * (1 + sin(hour(ts) / 4)))::bigint as invocations,
        invocations * (900 + hash(ts, profile_id, pool_id) % 800)::bigint as consumed_tokens,
        invocations * 9_000::bigint as initial_reservation_tokens,
        if(hash(ts, pool_id) % 500 = 0, 7, 0)::bigint as throttles,
        (hash(profile_id, ts, pool_id) % 300 = 0)::bigint as client_errors,
        0::bigint as server_errors,
        invocations as latency_samples,
        invocations * (1500 + hash(profile_id, pool_id, ts) % 4000)::decimal(18, 3) as latency_ms_sum,
        invocations as ttft_samples,
        invocations * (300 + hash(pool_id, profile_id, ts) % 400)::decimal(18, 3) as ttft_ms_sum,
    from
        intermediate.int_profiles,
        range(timestamp '2026-10-16', timestamp '2026-11-15', interval 1 minute) as minutes (ts);

    insert into marts.quota_usage_minutely by name
    select
        pools.* exclude (tpm_limit, rpm_limit, tpd_limit),
        tpm_limit, rpm_limit, tpd_limit,
        usage_date,
        ts,
        60 as resolution_seconds,
        sums.* exclude (pool_id, usage_date, ts),
        (consumed_tokens * 7 / 5)::bigint as reserved_tokens,
        consumed_tokens::double as tokens_per_minute,
        invocations::double as requests_per_minute,
        sum(consumed_tokens) over (partition by sums.pool_id, usage_date order by ts) as day_tokens_running,
    from (
        select
            pool_id,
            usage_date,
            ts,
            sum(invocations)::bigint as invocations,
            sum(consumed_tokens)::bigint as consumed_tokens,
            sum(initial_reservation_tokens)::bigint as initial_reservation_tokens,
            max(throttles) as throttles,
            sum(client_errors)::bigint as client_errors,
            sum(server_errors)::bigint as server_errors,
            sum(latency_samples)::bigint as latency_samples,
            sum(latency_ms_sum) as latency_ms_sum,
            sum(ttft_samples)::bigint as ttft_samples,
            sum(ttft_ms_sum) as ttft_ms_sum,
        from marts.usage_minutely
        group by pool_id, usage_date, ts
    ) as sums
    inner join (
        select pool_id, account_id, account_name, region, tpm_limit, rpm_limit, tpd_limit from marts.quota_pools
    ) as pools using (pool_id);

    insert into marts.quota_headroom by name
    select
        {_SCOPE},
        pool_id,
        quota,
        usage_date,
        60 as resolution_seconds,
        case quota
            when 'tpm' then any_value(tpm_limit)
            when 'rpm' then any_value(rpm_limit)
            else any_value(tpd_limit)
        end as limit_value,
        case quota
            when 'tpm' then max(consumed_tokens)
            when 'rpm' then max(invocations)
            else sum(consumed_tokens)
        end::double as peak,
        peak / limit_value as utilization_peak,
        if(quota = 'tpd', null, quantile_cont(consumed_tokens, 0.99)) as p99,
        p99 as p99_active,
        count(*) filter (where consumed_tokens > 160_000) as minutes_over_80pct,
        count(*) filter (where consumed_tokens > 200_000) as minutes_over_limit,
        sum(throttles)::bigint as throttles,
        count(*) filter (where throttles > 0) as throttled_minutes,
        arg_max(ts, consumed_tokens) as worst_minute,
    from marts.quota_usage_minutely, (values ('tpm'), ('rpm'), ('tpd')) as quotas (quota)
    group by pool_id, quota, usage_date;

    -- Every minute has traffic, so both bases are alike; so few calls fail that percentiles of failures are 0.
    insert into marts.usage_statistics by name
    select
        {_SCOPE},
        pool_id,
        profile_id,
        window_name,
        timestamp '2026-11-15' - to_minutes(window_minutes) as window_start,
        timestamp '2026-11-15' as window_end,
        metric,
        basis,
        if(fails, 0, hash(pool_id, profile_id, window_name, counted) % 100_000)::double as p50,
        if(fails, 0, p50 + hash(profile_id, window_name, counted, pool_id) % 10_000) as p90,
        if(fails, 0, p90 + hash(window_name, counted, pool_id, profile_id) % 10_000) as p95,
        if(fails, 0, p95 + hash(counted, pool_id, profile_id, window_name) % 1_000_000 / 100) as p99,
        if(fails, 0, p99 + hash(counted, profile_id, pool_id, window_name) % 10_000_000 / 1000) as p999,
        ceil(p999) + hash(counted, window_name, pool_id, profile_id) % 10_000 as max,
        (p50 * window_minutes + hash(window_name, pool_id, counted, profile_id) % 100_000)::bigint as total,
        total / window_minutes as average,
        window_minutes as data_points,
        0 as unknown_periods,
        window_minutes as covered_minutes,
        0 as coarse_minutes,
        window_minutes,
    from
        (
            select pool_id, profile_id from intermediate.int_profiles
            union all
            select pool_id, 'ALL' from marts.quota_pools
        ) as subjects,
        (values ('1hour', 60), ('1day', 1440), ('7days', 10_080), ('14days', 20_160), ('30days', 43_200))
            as windows (window_name, window_minutes),
        (
            select
                metric,
                if(metric = 'invocations', 'rpm', metric) as counted,
                metric in ('throttles', 'client_errors', 'server_errors') as fails,
            from (
                values ('tpm'), ('rpm'), ('tpd'), ('invocations'), ('throttles'), ('client_errors'), ('server_errors'),
                ('input_tokens'), ('output_tokens'), ('cache_read_tokens'), ('cache_write_tokens'), ('reserved_tokens'),
                ('initial_reservation_tokens'), ('latency_ms'), ('ttft_ms')
            ) as metrics (metric)
        ) as metrics,
        (values ('active'), ('all')) as bases (basis);

    insert into marts.throttle_events by name
    select
        pool_id, account_id, account_name, region, usage_date, ts, resolution_seconds, throttles, invocations,
        'tpm' as cause, false as is_certain, false as is_retry_storm, consumed_tokens, tpm_limit, rpm_limit, tpd_limit,
    from marts.quota_usage_minutely
    where throttles > 0;

    insert into marts.usage_daily by name
    select
        {_SCOPE},
        pool_id,
        'model-' || split_part(pool_id, '-', -1) as model_id,
        'geo' as endpoint_type,
        usage_date,
        profile_id,
        profile_name,
        profile_kind,
        'application ' || application as application,
        'role-' || application || '-' || role as role_or_user,
        'role' as principal_type,
        'default' as service_tier,
        sum(invocations)::bigint as calls,
        0 as errors,
        sum(consumed_tokens)::bigint as input_tokens,
        sum(invocations)::bigint as output_tokens,
        0 as cache_read_tokens,
        0 as cache_write_tokens,
        (sum(consumed_tokens) * 0.000003)::decimal(38, 12) as input_cost_usd,
        (sum(invocations) * 0.000015)::decimal(38, 12) as output_cost_usd,
        0 as cache_read_cost_usd,
        0 as cache_write_cost_usd,
        input_cost_usd + output_cost_usd as cost_usd,
        0 as unpriced_calls,
        sum(latency_samples)::bigint as latency_samples,
        sum(latency_ms_sum) as latency_ms_sum,
        0 as tpot_samples,
        0 as tpot_ms_sum,
    from marts.usage_minutely, range({APPLICATIONS}) as applications (application), range(2) as roles (role)
    where hash(ts, pool_id) % {2 * APPLICATIONS} = application + {APPLICATIONS} * role
    group by all;
"""


def report(repeat: int) -> list[Result]:
    """100 busy pools: a page of at most 8 MB, by however many profiles they are used."""
    return [result for profiles in PROFILES for result in _report(profiles, repeat)]


def _report(profiles: int, repeat: int) -> list[Result]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "usage.duckdb"
        make(path, profiles)
        figure = median([measure([sys.executable, "-m", "benchmarks.report", str(path)]) for _ in range(repeat)])
        sizes = {kind: (Path(name) / f"report.{kind}").stat().st_size / 1e6 for kind in ("html", "json")}
    count = "1 profile" if profiles == 1 else f"{profiles} profiles"
    what = f"report of {POOLS} pools of {count} each, busy in each of {DAYS * 1440:,} minutes"
    return [
        Result(f"{what}: size of the page", sizes["html"], 8, "MB"),
        Result(f"{what}: size of its numbers as JSON", sizes["json"], 60, "MB"),
        Result(f"{what}: time", figure.wall_seconds, 60, "s"),
        Result(f"{what}: memory", figure.peak_megabytes, 1500, "MB"),
    ]


def make(path: Path, profiles: int) -> None:
    """A published file with the use, by that many application profiles a pool, and nothing else in it."""
    with duckdb.connect(str(path)) as con:
        prepare_tables(con)
        build(con, load_models())
        con.execute("set variable profiles = ?::integer", [profiles])
        con.execute(_USE)


def write(path: Path) -> None:
    """The report beside the file."""
    with duckdb.connect(str(path), read_only=True) as con:
        con.execute("set threads = 1")
        write_report(con, path.with_name("report.html"), path.with_name("report.json"), ReportSettings(), END)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
