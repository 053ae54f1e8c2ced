"""All planning tables of 100 pools that are busy in every minute of 30 days.

Here: the tables that planning reads, the limits, and the work in a process of its own: `python -m benchmarks.planning
FILE`. Not here: how the tables are made (`log_marts.py`).
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Result, measure, median
from usage_pipeline.assets.planning import planning_rows
from usage_pipeline.warehouse import Warehouse, replace_all

DAYS, POOLS, CALLS = 30, 100, 1_000_000

TABLES = f"""
    create table staging.stg_cloudwatch_coverage as
    select
        date '2026-10-16' + day::integer as usage_date,
        '111122223333' as account_id,
        'us-east-1' as region,
        usage_date::timestamp as covered_from,
        (usage_date + 1)::timestamp as covered_until,
        60 as resolution_seconds,
    from range({DAYS}) as days (day);
    create table staging.stg_scopes (account_id varchar, region varchar, account_name varchar);
    create table intermediate.int_profile_days_summed (
        account_id varchar, region varchar, profile_id varchar, usage_date date, invocations bigint
    );
    create table marts.quota_pools as
    select
        '111122223333/us-east-1/geo/model-' || number as pool_id,
        '111122223333' as account_id,
        'production' as account_name,
        'us-east-1' as region,
        'geo' as endpoint_type,
        'model-' || number as model_id,
        model_id as model_name,
        8192::bigint as max_output_tokens,
        200_000::bigint as tpm_limit,
        500::bigint as rpm_limit,
        200_000_000::bigint as tpd_limit,
        'L-1' as tpm_quota_code,
        'L-2' as rpm_quota_code,
        'L-3' as tpd_quota_code,
        'tokens per minute' as tpm_quota_name,
        'requests per minute' as rpm_quota_name,
        'tokens per day' as tpd_quota_name,
    from range({POOLS}) as pools (number);
    create table marts.quota_usage_minutely as
    select
        pool_id,
        date '2026-10-16' + day::integer as usage_date,
        usage_date + to_minutes(minute) as ts,
        60 as resolution_seconds,
        1 + (hash(pool_id, day, minute) % 200)::bigint as invocations,
        (invocations * (500 + 10 * day + hash(day, minute) % 400))::bigint as consumed_tokens,
        consumed_tokens as input_tokens,
        invocations as output_tokens,
        0::bigint as throttles,
        3000::double as latency_ms_avg,
    from marts.quota_pools, range({DAYS}) as days (day), range(1440) as minutes (minute);
    create table marts.quota_headroom as
    select
        pool_id,
        '111122223333' as account_id,
        'us-east-1' as region,
        quota,
        usage_date,
        60 as resolution_seconds,
        case quota
            when 'tpm' then max(consumed_tokens)
            when 'rpm' then max(invocations)
            else sum(consumed_tokens)
        end::double as peak,
    from marts.quota_usage_minutely, (values ('tpm'), ('rpm'), ('tpd')) as quotas (quota)
    group by pool_id, quota, usage_date;
    create table marts.data_completeness as
    select
        pool_id,
        usage_date,
        1::bigint as logged_calls,
        1::bigint as cloudwatch_calls,
    from marts.quota_headroom where quota = 'tpm';
    create table marts.invocations as
    select
        '111122223333/us-east-1/geo/model-' || number % {POOLS} as pool_id,
        timestamp '2026-10-16' + to_seconds((hash(number) % ({DAYS} * 86_400))::bigint) as ts,
        ts::date as usage_date,
        'app-' || hash(number + 1) % 10 as application,
        null::varchar as error_code,
        (hash(number + 2) % 3000)::bigint as input_tokens,
        (hash(number + 3) % 600)::bigint as output_tokens,
        0::bigint as cache_write_tokens,
        4096::bigint as max_tokens,
        input_tokens + 4096 as reserved_tokens,
        'end_turn' as stop_reason,
        (500 + hash(number + 5) % 20_000)::double as latency_ms,
    from range({CALLS}) as calls (number);
    create table marts.usage_daily as
    select
        usage_date,
        '111122223333' as account_id,
        'production' as account_name,
        'us-east-1' as region,
        application,
        split_part(pool_id, '/', 4) as model_id,
        'role-' || application as role_or_user,
        pool_id,
        'geo' as endpoint_type,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        0::bigint as cache_read_tokens,
        0::bigint as cache_write_tokens,
        0::bigint as cache_write_1h_tokens,
        sum(input_tokens + 5 * output_tokens)::bigint as consumed_tokens,
        map {{'team': application}} as tags,
        sum(input_tokens * 0.000003)::decimal(38, 12) as cost_usd,
        0::bigint as unpriced_calls,
    from marts.invocations
    group by all;
    create table marts.model_prices as
    select
        model_id,
        'geo' as endpoint_type,
        '*' as region,
        'default' as service_tier,
        'standard' as context_band,
        token_kind,
        3::decimal(18, 6) as usd_per_million,
        null::timestamp as valid_to,
    from marts.quota_pools,
    (values ('input'), ('output'), ('cache_read'), ('cache_write_5m')) as kinds (token_kind);
    insert into ops.source_status by name
    select
        account_id,
        region,
        'invocations' as source,
        usage_date as partition_date,
        'ok' as status,
        covered_until,
    from staging.stg_cloudwatch_coverage;
"""


def store(path: Path) -> None:
    """A warehouse with the tables that planning reads."""
    with Warehouse(database=str(path)).connect() as con:
        con.execute(TABLES)


def plan(path: Path) -> None:
    """Make every planning table."""
    with Warehouse(database=str(path)).connect() as con:
        for table, rows in planning_rows(con).items():
            replace_all(con, table, rows)


def planning(repeat: int) -> list[Result]:
    """30 days of 100 pools: 60 s."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        store(path)
        figure = median([measure([sys.executable, "-m", __name__, str(path)]) for _ in range(repeat)])
    return [
        Result("plans for 100 pools from 30 days", figure.wall_seconds, 60, "s"),
        Result("the same: memory", figure.peak_megabytes, 1500, "MB"),
    ]


if __name__ == "__main__":
    plan(Path(sys.argv[1]))
