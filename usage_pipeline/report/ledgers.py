"""AWS's bill against the computed cost, and quotas whose value changed: what is held against what, and since when.

Here: rows of the published tables by subject. Not here: formulas (`dbt_like_sql/`), cost by caller (`costs.py`).
"""

from collections.abc import Mapping
from datetime import date

import duckdb

from usage_pipeline.report.ledger_contents import Bill, BillRow, QuotaChange
from usage_pipeline.report.table_rows import filled, rows

_BILL = """
    select
        account_id,
        any_value(account_name order by account_name) as account_name,
        region,
        model_id,
        min(usage_date) as first_day,
        max(usage_date) as last_day,
        sum(computed_usd) as computed_usd,
        sum(billed_usd) as billed_usd,
        sum(difference_usd) as difference_usd,
        sum(computed_usd)::double / nullif(sum(billed_usd), 0)::double as ratio,
        count(*) filter (where status = 'agrees') as agrees,
        count(*) filter (where status = 'differs') as differs,
        count(*) filter (where status = 'only_billed') as only_billed,
        count(*) filter (where status = 'only_computed') as only_computed,
        sum(unpriced_calls)::bigint as unpriced_calls,
    from marts.bill_reconciliation
    where usage_date between $first_day and $last_day
    group by account_id, region, model_id
    order by billed_usd desc nulls last, computed_usd desc nulls last, account_id, region, model_id
"""

# A value that AWS says for the first time is no change.
_QUOTA_CHANGES = """
    with named as (
        select
            account_id,
            region,
            pool_id,
            unnest([tpm_quota_code, rpm_quota_code, tpd_quota_code, concurrency_quota_code]) as quota_code,
        from marts.quota_pools
        where last_used_date is not null
    ),

    pools as (
        select
            account_id,
            region,
            quota_code,
            list(distinct pool_id order by pool_id) as pools,
        from named
        group by account_id, region, quota_code
    ),

    readings as (
        select
            *,
            lag(limit_value) over quota as value_before,
            lag(valid_from) over quota is not null as has_before,
        from raw.service_quotas
        window quota as (partition by account_id, region, quota_code order by valid_from)
    )

    select
        readings.valid_from::date as since,
        readings.account_id,
        scopes.account_name,
        readings.region,
        readings.quota_code,
        readings.quota_name,
        readings.limit_source,
        readings.value_before as before,
        readings.limit_value as after,
        coalesce(pools.pools, []) as pools,
    from readings
    left join (select distinct account_id, account_name from raw.scopes) as scopes using (account_id)
    left join pools using (account_id, region, quota_code)
    where
        has_before
        and value_before is distinct from limit_value
        and readings.valid_from::date between $first_day and $last_day
    order by since desc, readings.account_id, readings.region, readings.quota_code
"""


def read_bill(con: duckdb.DuckDBPyConnection, days: Mapping[str, date]) -> Bill | None:
    """The computed cost against the bill, over the days that were billed; None without a bill."""
    found = rows(con, _BILL, days)
    if not found:
        return None
    return Bill(
        first_day=min(row["first_day"] for row in found),
        last_day=max(row["last_day"] for row in found),
        rows=tuple(filled(BillRow, row) for row in found),
    )


def read_quota_changes(con: duckdb.DuckDBPyConnection, days: Mapping[str, date]) -> tuple[QuotaChange, ...]:
    """Quotas that got another value in the days, newest first."""
    return tuple(filled(QuotaChange, row) for row in rows(con, _QUOTA_CHANGES, days))
