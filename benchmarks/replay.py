"""Ten million stored calls replayed by `usage-pipeline replay`: with the settings of today and a lower `max_tokens`.

Here: the calls, and the limits of time and memory. Not here: the limiters (`usage_pipeline/planning/limiter.py`).
"""

import tempfile
from pathlib import Path

import duckdb

from benchmarks.measuring import Result, measure, median, usage_pipeline

POOL = "111122223333/us-east-1/geo/anthropic.claude-sonnet-4-5-20250929-v1:0"

TOO_SMALL = "1.5e6"
"""Tokens per minute; the calls settle at about 3.2 million."""

CONFIGURATION = """\
accounts:
  - name: production
    role_arn: arn:aws:iam::111122223333:role/usage-pipeline-reader
    regions: [us-east-1]
warehouse: data/warehouse.duckdb
"""

# A busy second in sixty takes ten times the calls of the others, so that some calls are throttled.
TABLES = """
    create schema marts;
    create table marts.quota_pools as
    select
        $pool as pool_id,
        '111122223333' as account_id,
        'us-east-1' as region,
        'geo' as endpoint_type,
        'anthropic.claude-sonnet-4-5-20250929-v1:0' as model_id,
        4_000_000::bigint as tpm_limit,
        10_000::bigint as rpm_limit,
        5.0::double as burndown_rate;
    create table marts.quota_usage_minutely (
        pool_id varchar, usage_date date, ts timestamp, latency_ms_avg double
    );
    create table marts.invocations as
    with calls as (
        select
            number,
            (hash(number) % 604_800)::bigint as second,
            if(hash(number + 8) % 8 = 0, second - second % 60, second) as moment,
        from range($calls) as calls (number)
    )

    select
        md5(number::varchar) as request_id,
        $pool as pool_id,
        timestamp '2026-11-08' + to_seconds(moment) as ts,
        ts::date as usage_date,
        'app-' || hash(number + 1) % 40 as application,
        null::varchar as error_code,
        (hash(number + 2) % 3000)::bigint as input_tokens,
        (hash(number + 3) % 600)::bigint as output_tokens,
        (hash(number + 4) % 500)::bigint as cache_write_tokens,
        4096::bigint as max_tokens,
        input_tokens + cache_write_tokens + 4096 as reserved_tokens,
        'end_turn' as stop_reason,
        (500 + hash(number + 5) % 20_000)::double as latency_ms,
    from calls
    order by ts;
"""


def store(folder: Path, calls: int) -> Path:
    """A configuration beside a published file with so many calls of a pool in a week; returns the configuration."""
    published = folder / "data" / "published" / "usage.duckdb"
    published.parent.mkdir(parents=True)
    with duckdb.connect(str(published), config={"memory_limit": "1GB"}) as con:
        for statement in TABLES.split(";\n"):
            if statement.strip():
                names = {"pool": POOL, "calls": calls}
                con.execute(statement, {name: value for name, value in names.items() if f"${name}" in statement})
    configuration = folder / "usage_pipeline.yaml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    return configuration


def replay(repeat: int) -> list[Result]:
    """10,000,000 calls, both shapes, with `max_tokens` 1,024 or a quota that turns most away: 60 s and 2 GB."""
    with tempfile.TemporaryDirectory() as name:
        configuration = store(Path(name), 10_000_000)
        command = usage_pipeline("replay", "--pool", POOL, "--config", str(configuration))
        figures = {
            said: median([measure([*command, *option]) for _ in range(repeat)])
            for said, option in (
                ("10,000,000 stored calls replayed four times", ("--max-tokens", "1024")),
                ("the same, where a quota is too small for most calls", ("--quota", TOO_SMALL)),
            )
        }
    return [
        result
        for said, figure in figures.items()
        for result in (
            Result(said, figure.wall_seconds, 60, "s"),
            Result("the same: memory", figure.peak_megabytes, 2000, "MB"),
        )
    ]
