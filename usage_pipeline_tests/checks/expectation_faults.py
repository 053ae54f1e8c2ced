"""For every expectation, one thing done to the healthy warehouse that contradicts it, made from the expectation itself.

A row of its table is copied and broken, or rows are deleted. Where the healthy warehouse has no row to copy, there is
one in `FIRST_ROWS`.
"""

from usage_pipeline.checks.expectation_suites import (
    Between,
    InSet,
    MatchesRegex,
    Newest,
    NotNull,
    PairInOrder,
    RowCount,
    Statement,
    Suite,
    UniqueKey,
)
from usage_pipeline.checks.expectations import EXPECTATION_SUITES
from usage_pipeline_tests.checks.healthy import GEO_POOL

_SCOPE = "'111122223333' as account_id, 'us-east-1' as region"

FIRST_ROWS: dict[str, str] = {
    "raw.application_rules": "select 1 as position, 'role' as subject, 'Search' as pattern, 'search' as application",
    "raw.enabled_regions": f"select {_SCOPE}, 'production' as account_name, timestamp '2026-11-15 10:30' as asked_at",
    "raw.quota_overrides": """
        select 'amazon.nova-lite-v1:0' as model_id, 'on_demand' as endpoint_type, 'tpm' as quota_kind
    """,
    "raw.llm_quota_mappings": f"""
        select {_SCOPE}, 'amazon.nova-lite-v1:0' as model_id, 'on_demand' as endpoint_type, 'tpm' as quota_kind,
        'refused' as status, 'It is another model''s.' as reason
    """,
    "raw.custom_deployments": f"""
        select date '2026-11-15' as snapshot_date, {_SCOPE},
        'arn:aws:bedrock:us-east-1:111122223333:custom-model-deployment/abc' as deployment_arn
    """,
    "raw.imported_models": f"""
        select date '2026-11-15' as snapshot_date, {_SCOPE},
        'arn:aws:bedrock:us-east-1:111122223333:imported-model/abc' as model_arn
    """,
    "raw.max_tokens_metric": f"""
        select date '2026-11-14' as usage_date, {_SCOPE}, 'Bedrock/Quotas' as namespace, 'ModelId' as dimension_set,
        'MaxTokens' as metric_name, 'Sum' as statistic, timestamp '2026-11-14 02:05' as ts, 60 as period_seconds,
        4096 as value
    """,
    "raw.price_overrides": """
        select 'amazon.*' as model_pattern, '*' as endpoint_type, '*' as token_kind, 10 as discount_percent,
        timestamp '2026-01-01' as valid_from
    """,
    "intermediate.int_applications": f"""
        select date '2026-11-14' as usage_date, {_SCOPE}, 'searchsearch' as profile_id, 1 as rule_position,
        'search' as application
    """,
    "intermediate.int_profiles": f"select {_SCOPE}, 'gone' as profile_id, 'unknown' as status, 'Gone.' as reason",
    "marts.unresolved_profiles": f"select {_SCOPE}, 'gone' as profile_id, 'unknown' as status, 'Gone.' as reason",
    "marts.percentile_confidence": f"""
        select {_SCOPE}, '{GEO_POOL}' as pool_id, 'tpm' as quota, 'all' as basis, 'p99' as percentile, 5 as value,
        4 as low, 6 as high, 'low' as grade
    """,
    "marts.quota_recommendations": f"""
        select {_SCOPE}, '{GEO_POOL}' as pool_id, 'tpm' as quota, 2000 as recommended, 1000 as recommended_low,
        3000 as recommended_high, 'enough' as action
    """,
    "marts.max_tokens_recommendations": f"""
        select {_SCOPE}, '{GEO_POOL}' as pool_id, 'search' as application, 512 as recommended, 4096 as max_tokens_p50
    """,
    "marts.quota_forecasts": f"""
        select {_SCOPE}, '{GEO_POOL}' as pool_id, 'tpm' as quota, date '2026-11-15' as usage_date, 5 as forecast,
        4 as low, 6 as high
    """,
    "marts.forecast_backtests": f"""
        select {_SCOPE}, '{GEO_POOL}' as pool_id, 'tpm' as quota, date '2026-11-14' as usage_date,
        date '2026-11-13' as forecast_on
    """,
    "marts.day_end_forecasts": f"""
        select {_SCOPE}, '{GEO_POOL}' as pool_id, date '2026-11-15' as usage_date, 'projected' as status
    """,
    "marts.endpoint_moves": f"""
        select {_SCOPE}, '{GEO_POOL}' as pool_id, 'other' as to_pool_id, 0.5 as utilization, 0.5 as rpm_utilization
    """,
    "marts.cache_opportunities": f"""
        select {_SCOPE}, '{GEO_POOL}' as pool_id, 'search' as application, 5 as input_tokens, 0 as cache_read_tokens,
        4 as possible_quota_tokens
    """,
    "marts.q_developer_spikes": f"""
        select {_SCOPE}, 'q_developer' as product, 'user' as subject_kind, 'a-user' as user_id,
        date '2026-11-14' as usage_date, 100 as value, 10 as expected
    """,
    "marts.cost_forecasts": """
        select date '2026-11-01' as usage_month, 'total' as subject_kind, 'everything' as subject, 1 as low_usd,
        2 as high_usd
    """,
    "marts.anomalies": """
        select date '2026-11-13' as usage_date, 'caller' as subject_kind, 'nightly-batch' as subject,
        'cost_usd' as metric
    """,
}
"""A valid row for each table in which the healthy warehouse has none of a kind that is looked at."""

VIEWS = {"intermediate.int_calls", "marts.bill_reconciliation", "marts.q_developer_conversations"}
"""Models that are views: their rows are broken in a table of the same name."""


def before_faults(table: str) -> str:
    """What is done first so that the table has a row that can be broken."""
    done = ""
    if table in VIEWS:
        schema, name = table.split(".")
        done += f"""
            create table {schema}.copied as from {table};
            drop view {table};
            alter table {schema}.copied rename to {name};
        """
    if first := FIRST_ROWS.get(table):
        done += f"insert into {table} by name {first};"
    if table == "raw.max_tokens_metric":
        done += "insert into ops.day_changes values ('raw.max_tokens_metric', '2026-11-14', 99);"
    return done


def fault_of(suite: Suite, statement: Statement) -> str:
    """SQL that makes the statement false."""
    return before_faults(suite.table) + _fault(suite, statement)


def _fault(suite: Suite, statement: Statement) -> str:
    match statement:
        case RowCount():
            return f"delete from {suite.table}"
        case Newest():
            return f"delete from {suite.table} where {statement.columns[0]} >= ({statement.at_least})"
        case UniqueKey():
            return _broken_copy(suite, statement)
        case NotNull():
            return _broken_copy(suite, statement, f"null as {statement.columns[-1]}")
        case InSet():
            wrong = 7 if isinstance(statement.value_set[0], int) else "'nonsense'"
            return _broken_copy(suite, statement, f"{wrong} as {statement.columns[-1]}")
        case MatchesRegex():
            return _broken_copy(suite, statement, f"'two words' as {statement.columns[-1]}")
        case Between():
            wrong = statement.min_value - 1 if statement.min_value is not None else (statement.max_value or 0) + 1
            return _broken_copy(suite, statement, f"{wrong} as {statement.columns[-1]}")
        case PairInOrder():
            first, second = statement.columns
            is_time = {first, second} & {"valid_from", "valid_to", "usage_date"}
            lower, higher = ("'2020-01-01'", "'2021-01-01'") if is_time else ("1", "2")
            return _broken_copy(suite, statement, f"{lower} as {first}", f"{higher} as {second}")


def _broken_copy(suite: Suite, statement: Statement, *replaced: str) -> str:
    """One more row like one that is looked at, with other values in some columns."""
    conditions = [condition for condition in (suite.only, statement.where) if condition]
    return f"""
        insert into {suite.table}
        select * {f"replace ({', '.join(replaced)})" if replaced else ""}
        from {suite.table}
        where {" and ".join(f"({condition})" for condition in conditions) or "true"}
        limit 1
    """


EXPECTATION_FAULTS = {
    statement.name: fault_of(suite, statement) for suite in EXPECTATION_SUITES for statement in suite.statements
}
"""SQL by the expectation's name."""
