"""Use of Amazon Q Developer and Kiro, read from the published tables.

Here: rows of `marts.q_developer_*` for the report's days, cut to what a page can hold. Not here: formulas
(`dbt_like_sql/`), the types (`q_developer_contents.py`), calls of models on Bedrock.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, timedelta
from typing import Any, cast

import duckdb

from usage_pipeline.report.q_developer_contents import (
    QDeveloper,
    QDeveloperConversation,
    QDeveloperDay,
    QDeveloperLimit,
    QDeveloperSpike,
    QDeveloperTotal,
    QDeveloperTrend,
    QDeveloperValue,
)
from usage_pipeline.report.table_rows import filled, rows

MOST_USER_DAYS = 20_000
"""Rows of users' days; those of the users with the least use are put together by day, account, Region and product."""

MOST_ROWS = 1000
"""Rows of each other table, the most urgent first."""

MOST_CONVERSATIONS = 100

DAYS_WITHOUT_WINDOWS = 30
"""Days of a report that has no window to take them from, because CloudWatch was never read."""

# What one row of marts.q_developer_usage says, under the report's names. Kiro's report has messages of its own.
_MEASURES = """
    interactions,
    coalesce(chat_messages_sent, total_messages) as messages,
    inline_suggestions_count as suggestions,
    inline_acceptance_count as accepted_suggestions,
    inline_ai_code_lines as inline_lines,
    chat_ai_code_lines as chat_lines,
    coalesce(dev_generation_event_count, dev_requests) as dev_runs,
    test_generation_event_count as test_runs,
    doc_generation_event_count as doc_runs,
    requests,
    uncounted_requests,
    chat_requests,
    inline_requests,
    dev_requests,
    chat_input_tokens,
    chat_output_tokens,
    inline_input_tokens,
    inline_output_tokens,
    dev_input_tokens,
    input_tokens,
    output_tokens,
    estimated_input_tokens_low,
    estimated_input_tokens_mean,
    estimated_input_tokens_high,
    estimated_output_tokens_low,
    estimated_output_tokens_mean,
    estimated_output_tokens_high,
"""

_USAGE = f"""
    select
        usage_date,
        account_id,
        account_name,
        region,
        product,
        user_id,
        user_email,
        token_source,
        {_MEASURES}
    from marts.q_developer_usage
    where usage_date between $first_day and $last_day
"""


def _sums_of(kind: type) -> str:
    """A column for each number that a dataclass and the days of users have in common; 'estimated' sorts last."""
    names = (part.name for part in fields(cast(Any, kind)))
    summed = (name for name in names if f" {name},\n" in _MEASURES)
    sums = "".join(f"sum({name})::bigint as {name},\n" for name in summed)
    return f"{sums} max(token_source) as token_source,\n"


_TOTAL = f"""
    select
        count(distinct (account_id, user_id)) filter (where user_id is not null) as people,
        count(distinct (account_id, user_id)) filter (where user_id is not null and interactions > 0) as active_people,
        {_sums_of(QDeveloperTotal)}
    from ({_USAGE})
"""

_USER_DAYS = f"""
    with usage as ({_USAGE}),

    users as (
        select
            account_id,
            product,
            user_id,
            sum(count(*)) over (
                order by coalesce(sum(interactions), 0) desc, account_id, product, user_id
            ) > $most as is_merged,
        from usage
        group by account_id, product, user_id
    )

    select
        usage_date,
        usage.account_id,
        any_value(account_name) as account_name,
        region,
        usage.product,
        if(is_merged, null, usage.user_id) as user_id,
        if(is_merged, null, any_value(user_email)) as user_email,
        if(is_merged, count(*), 0) as merged_users,
        {_sums_of(QDeveloperDay)}
    from usage
    inner join users
        on
            users.account_id = usage.account_id
            and users.product = usage.product
            and users.user_id is not distinct from usage.user_id
    group by usage_date, usage.account_id, region, usage.product, if(is_merged, null, usage.user_id), is_merged
    order by usage_date, usage.account_id, region, usage.product, is_merged, user_id
"""

_MONTHS = "usage_month between date_trunc('month', $first_day) and $last_day"

_LIMITS = f"""
    select
        *,
        count(*) over () as all_rows,
    from marts.q_developer_limits
    where {_MONTHS}
    order by
        usage_month desc,
        greatest(used_share, projected_share) desc nulls last,
        account_id,
        product,
        user_id,
        limit_name
    limit $most
"""

_VALUES = f"""
    select
        *,
        count(*) over () as all_rows,
    from marts.q_developer_value
    where {_MONTHS}
    order by usage_month desc, virtual_cost_usd desc nulls last, account_id, product, subscription_tier
    limit $most
"""

_CONVERSATIONS = """
    select
        *,
        count(*) over () as all_rows,
    from marts.q_developer_conversations
    where last_request_at >= $first_day and last_request_at < $last_day + interval 1 day
    order by context_tokens desc nulls last, last_request_at desc, account_id, product, conversation_id
    limit $most
"""

_SPIKES = """
    select
        *,
        count(*) over () as all_rows,
    from marts.q_developer_spikes
    where usage_date between $first_day and $last_day
    order by usage_date desc, score desc, account_id, product, user_id nulls first
    limit $most
"""

_TRENDS = """
    select
        *,
        count(*) over () as all_rows,
    from marts.q_developer_trends
    where last_day >= $first_day and first_day <= $last_day
    order by subject_kind = 'user', interactions desc, account_id, product, user_id
    limit $most
"""

_TABLES: Mapping[str, tuple[type, str, int]] = {
    "limits": (QDeveloperLimit, _LIMITS, MOST_ROWS),
    "values": (QDeveloperValue, _VALUES, MOST_ROWS),
    "conversations": (QDeveloperConversation, _CONVERSATIONS, MOST_CONVERSATIONS),
    "spikes": (QDeveloperSpike, _SPIKES, MOST_ROWS),
    "trends": (QDeveloperTrend, _TRENDS, MOST_ROWS),
}


def read_q_developer(
    con: duckdb.DuckDBPyConnection, first_day: date | None, last_day: date | None, most_user_days: int = MOST_USER_DAYS
) -> QDeveloper | None:
    """Use in the days, or in the newest known ones when none are given; None where nobody used either product."""
    if first_day is None or last_day is None:
        ((last_day,),) = con.execute("select max(usage_date) from marts.q_developer_usage").fetchall()
        if last_day is None:
            return None
        first_day = last_day - timedelta(days=DAYS_WITHOUT_WINDOWS - 1)
    days = {"first_day": first_day, "last_day": last_day}
    user_days = rows(con, _USER_DAYS, days | {"most": most_user_days})
    if not user_days:
        return None
    (total,) = rows(con, _TOTAL, days)
    found = {name: rows(con, query, days | {"most": most}) for name, (_, query, most) in _TABLES.items()}
    tables = {name: tuple(filled(kind, row) for row in found[name]) for name, (kind, _, _) in _TABLES.items()}
    return QDeveloper(
        first_day=first_day,
        last_day=last_day,
        total=filled(QDeveloperTotal, total),
        user_days=tuple(filled(QDeveloperDay, row) for row in user_days),
        left_out={name: part[0]["all_rows"] - len(part) for name, part in found.items() if part},
        **cast(dict[str, Any], tables),
    )
