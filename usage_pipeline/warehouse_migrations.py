"""Bringing stored tables of an earlier version to the shape that this version writes, without losing what they hold.

Here: tables whose rows mean something else than before. Not here: columns that were only added (`warehouse.py`).
"""

from collections.abc import Callable, Mapping

import duckdb

from usage_pipeline.raw_tables import SERVICE_QUOTAS, StoredTable

_SAID = "quota_name, limit_value, limit_source, default_value, unit, adjustable, quota_arn"

# Until 2026-11 the table had one row per day asked. A value held from the first day of a stretch of readings that said
# the same to the first reading of its account and Region that did not.
_QUOTA_PERIODS = f"""
    insert into {SERVICE_QUOTAS.qualified_name} by name
    with reading_days as (
        select
            account_id,
            region,
            snapshot_date,
            row_number() over readings as place,
            lead(snapshot_date) over readings as next_day,
        from (select distinct account_id, region, snapshot_date from raw.service_quotas_by_day)
        window readings as (partition by account_id, region order by snapshot_date)
    ),

    begun as (
        select
            *,
            row({_SAID}) as said,
            lag(place) over code is distinct from place - 1 or lag(said) over code is distinct from said as begins,
        from raw.service_quotas_by_day
        inner join reading_days using (account_id, region, snapshot_date)
        window code as (partition by account_id, region, quota_code order by snapshot_date)
    ),

    periods as (
        select
            *,
            count_if(begins) over (
                partition by account_id, region, quota_code order by snapshot_date
            ) as period,
        from begun
    )

    select
        account_id,
        region,
        quota_code,
        {", ".join(f"any_value({name.strip()}) as {name.strip()}" for name in _SAID.split(","))},
        min(snapshot_date)::timestamp as valid_from,
        if(bool_or(next_day is null), null, max(next_day))::timestamp as valid_to,
    from periods
    group by account_id, region, quota_code, period
"""


def bring_up_to_date(
    con: duckdb.DuckDBPyConnection,
    present: Mapping[str, Mapping[str, str]],
    create: Callable[[duckdb.DuckDBPyConnection, StoredTable], None],
) -> bool:
    """Remake the tables whose rows meant something else in an earlier version; True when there was one.

    Args:
        con: a warehouse, outside any transaction.
        present: column types of every stored table that exists, by `schema.table` and column.
        create: makes a stored table.
    """
    if "snapshot_date" not in present.get(SERVICE_QUOTAS.qualified_name, {}):
        return False
    con.begin()
    try:
        con.execute("alter table raw.service_quotas rename to service_quotas_by_day")
        create(con, SERVICE_QUOTAS)
        con.execute(_QUOTA_PERIODS)
        con.execute("drop table raw.service_quotas_by_day")
    except BaseException:
        con.rollback()
        raise
    con.commit()
    return True
