"""Usage and cost of the callers whose name has a text in it.

Here: the query, with the text bound as a parameter. The text is taken literally: `%`, `_`, quotes and `OR 1=1` have no
meaning of their own. Not here: who a caller is (`dbt_like_sql/intermediate/int_callers.sql`), showing it (`report/`).
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import duckdb

CALLER_USAGE = """
    select
        account_id,
        account_name,
        region,
        role_or_user,
        principal_type,
        application,
        coalesce(model_id, profile_id) as model_id,
        sum(calls)::bigint as calls,
        sum(errors)::bigint as errors,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(cache_read_tokens)::bigint as cache_read_tokens,
        sum(cache_write_tokens)::bigint as cache_write_tokens,
        sum(cost_usd) as cost_usd,
        sum(unpriced_calls)::bigint as unpriced_calls,
    from marts.usage_daily
    where
        usage_date between $first_day and $last_day
        and contains(lower(role_or_user), lower($caller))
    group by all
    order by cost_usd desc nulls last, role_or_user, application, model_id, account_id, region, principal_type
"""
"""One row per caller, application and model. `$caller` is the text, in any case; the empty text fits every caller."""


@dataclass(frozen=True)
class CallerUsage:
    """What one role or user used of one model for one application. `cost_usd` is None when no call has a price."""

    account_id: str
    account_name: str
    region: str
    role_or_user: str
    principal_type: str
    application: str
    model_id: str
    calls: int
    errors: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: Decimal | None
    unpriced_calls: int


def caller_usage(
    con: duckdb.DuckDBPyConnection, caller: str, first_day: dt.date, last_day: dt.date
) -> list[CallerUsage]:
    """Usage of callers whose role or user name contains the text; UTC days, both inclusive; the dearest first."""
    rows = con.execute(CALLER_USAGE, {"caller": caller, "first_day": first_day, "last_day": last_day}).fetchall()
    return [CallerUsage(*row) for row in rows]
