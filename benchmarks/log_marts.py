"""Stored requests to tables: what the SQL models take for a day of calls, and for making many days anew.

Here: the limits, and the build in a process of its own: `python -m benchmarks.log_marts FILE`. Not here: reading
logs (`log_ingest.py`).
"""

import datetime as dt
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Figure, Result, measure, median
from usage_pipeline.raw_tables import INVOCATIONS, SQL_MODEL_BUILDS
from usage_pipeline.reference import reference_path
from usage_pipeline.sql_builds import build
from usage_pipeline.sql_models import load_models
from usage_pipeline.warehouse import Warehouse, note_changed_days

FIRST_DAY = dt.date(2026, 10, 15)

CATALOGUES = """
    insert into raw.scopes values ('111122223333', 'us-east-1', 'production', 'aws', true);
    insert into raw.endpoint_prefixes values ('us', 'geo', 'benchmark');
    insert into raw.application_rules by name
        select 1 as position, 'role' as subject, '(.+)-BedrockRole' as pattern;
    insert into raw.foundation_models by name
        select
            date '2026-10-15' as snapshot_date,
            '111122223333' as account_id,
            'us-east-1' as region,
            model_id,
            model_id as model_name,
        from (select distinct model_id from raw.model_prices);
"""

REQUESTS = """
    with models as (
        select list(distinct model_id order by model_id)[:8] as ids
        from raw.model_prices
        where endpoint_type = 'geo' and token_kind = 'cache_read' and service_tier = 'default'
    )

    select
        $first_day::date + (number % $days)::integer as usage_date,
        '111122223333' as account_id,
        'us-east-1' as region,
        md5(number::varchar) as request_id,
        usage_date + to_seconds((hash(number) % 86400)::bigint) as ts,
        'Converse' as operation,
        'us.' || ids[1 + (hash(number + 1) % 8)::integer] as logged_model_id,
        logged_model_id as profile_id,
        format(
            'arn:aws:sts::111122223333:assumed-role/app{}-BedrockRole/i-{}',
            hash(number + 2) % 40,
            hash(number + 3) % 20
        ) as principal_arn,
        (hash(number + 4) % 5000)::bigint as input_tokens,
        (hash(number + 5) % 800)::bigint as output_tokens,
        (hash(number + 6) % 9000)::bigint as cache_read_tokens,
        4096 as max_tokens,
        (300 + hash(number + 7) % 20000)::double as latency_ms,
    from range($requests) as requests (number)
    cross join models
    order by usage_date, ts
"""


def store(path: Path, requests: int, days: int) -> None:
    """A warehouse with requests of 8 models by 40 callers, spread evenly over the days, and nothing built from them."""
    with Warehouse(database=str(path)).connect() as con:
        for name in ("burndown_rates", "model_limits", "model_prices"):
            con.execute(f"insert into raw.{name} by name from read_csv(?)", [str(reference_path(name))])
        con.execute(CATALOGUES)
        con.execute(
            f"insert into {INVOCATIONS.qualified_name} by name {REQUESTS}",
            {"first_day": FIRST_DAY, "requests": requests, "days": days},
        )
        note_changed_days(
            con, INVOCATIONS.qualified_name, [FIRST_DAY + dt.timedelta(days=number) for number in range(days)]
        )


def build_again(path: Path) -> None:
    """Make every model's table anew."""
    with Warehouse(database=str(path)).connect() as con:
        con.execute(f"delete from {SQL_MODEL_BUILDS.qualified_name}")
        build(con, load_models())


def log_marts(repeat: int) -> list[Result]:
    """A day of a million calls: 12 s, 1.5 GB. Three million over 30 days made anew: the same memory, 3.5 x the CPU."""
    figures = {days: _figure(requests, days, repeat) for requests, days in ((1_000_000, 1), (3_000_000, 30))}
    return [
        Result("a day of 1,000,000 stored calls to all tables", figures[1].wall_seconds, 12, "s"),
        Result("the same: memory", figures[1].peak_megabytes, 1500, "MB"),
        Result("3,000,000 stored calls of 30 days: memory", figures[30].peak_megabytes, 1500, "MB"),
        Result("3x the calls: CPU time", figures[30].cpu_seconds / figures[1].cpu_seconds, 3.5, "x"),
    ]


def _figure(requests: int, days: int, repeat: int) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        store(path, requests, days)
        return median([measure([sys.executable, "-m", __name__, str(path)]) for _ in range(repeat)])


if __name__ == "__main__":
    build_again(Path(sys.argv[1]))
