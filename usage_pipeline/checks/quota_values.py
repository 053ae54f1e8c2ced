"""Checks on the values of quotas: they can be, they did not change unnoticed, the account is not below AWS's default.

Not here: which quota limits which pool (`quota_mappings.py`), how near use comes to a quota (`thresholds.py`).
"""

from usage_pipeline.checks.rules import CONFIGURED_SCOPES, Rule
from usage_pipeline.raw_tables import SERVICE_QUOTAS

_SUBJECT = ("account_id", "region", "quota_code")

_POOLS = """
    select
        account_id,
        region,
        quota_code,
        case any_value(quota_kind)
            when 'tpm' then 'tokens per minute'
            when 'rpm' then 'requests per minute'
            when 'tpd' then 'tokens per day'
            else 'concurrent requests'
        end as unit,
        string_agg(pool_id, ', ' order by pool_id) as pools,
    from staging.stg_quota_mappings
    where status = 'mapped' and {condition}
    group by account_id, region, quota_code
"""
"""SQL of the mapped quota codes: what their value counts, and the pools that they limit."""

_USED_LATELY = """
    pool_id in (
        select pool_id
        from marts.quota_pools
        where last_used_date > (select max(last_used_date) from marts.quota_pools) - 30
    )
"""

QUOTA_VALUES_CAN_BE = Rule(
    name="quota_values_are_positive_and_dated",
    table=SERVICE_QUOTAS.qualified_name,
    subject=_SUBJECT,
    description=(
        "Every quota has one value at a time, from a moment on, and no value is below zero; zero only where nobody is "
        "answered. Compare with `aws service-quotas get-service-quota --service-code bedrock --quota-code CODE "
        "--region REGION`: if AWS says something else, run `usage-pipeline refresh quotas`; if that does not help, "
        "please report it."
    ),
    contradictions=f"""
        with periods as (
            select
                account_id,
                region,
                quota_code,
                quota_name,
                limit_value,
                valid_from,
                valid_to,
                lead(valid_from) over (partition by account_id, region, quota_code order by valid_from) as next_from,
            from {SERVICE_QUOTAS.qualified_name}
        ),

        answered as (
            select
                limits.account_id,
                limits.region,
                limits.quota_code,
                max(headroom.usage_date) as answered_on,
            from marts.quota_headroom as headroom
            inner join intermediate.int_quota_limits as limits
                on headroom.pool_id = limits.pool_id and headroom.quota = limits.quota_kind
            where headroom.limit_value = 0 and headroom.peak > 0
            group by limits.account_id, limits.region, limits.quota_code
        )

        select
            periods.account_id,
            periods.region,
            periods.quota_code,
            periods.quota_name,
            periods.limit_value,
            periods.valid_from,
            periods.valid_to,
            case
                when isnan(periods.limit_value) or isinf(periods.limit_value) then 'the value is no number'
                when periods.limit_value < 0 then 'the value is below zero'
                when periods.valid_from is null then 'it has no beginning'
                when periods.valid_to <= periods.valid_from then 'it ends before it begins'
                when periods.next_from < coalesce(periods.valid_to, 'infinity')
                    then 'the next value holds before this one ends'
                when
                    periods.limit_value = 0
                    and periods.valid_to is null
                    and answered.answered_on > periods.valid_from::date
                    then 'the value is zero, but calls were answered'
            end as problem,
        from periods
        left join answered using (account_id, region, quota_code)
        where problem is not null
        order by periods.account_id, periods.region, periods.quota_code, periods.valid_from
    """,
)

QUOTA_VALUES_ARE_UNCHANGED = Rule(
    name="quota_values_are_unchanged",
    table=SERVICE_QUOTAS.qualified_name,
    severity="WARN",
    subject=_SUBJECT,
    description=(
        "No quota of a pool changed its value within the day before its newest reading. If it rose, an increase was "
        "granted: lift limits of your own that follow it. If it fell, expect throttles: see who asked for it with `aws "
        "service-quotas list-requested-service-quota-change-history --service-code bedrock --region REGION`, else ask "
        "AWS Support. It passes again a day later."
    ),
    contradictions=f"""
        with readings as (
            select
                account_id,
                region,
                max(finished_at) as read_at,
            from ops.source_status
            where source = '{SERVICE_QUOTAS.name}' and status = 'ok'
            group by account_id, region
        ),

        periods as (
            select
                account_id,
                region,
                quota_code,
                quota_name,
                row_number() over code as place,
                lag(limit_value) over code as value_before,
                limit_value as value,
                valid_from as changed_at,
            from {SERVICE_QUOTAS.qualified_name}
            window code as (partition by account_id, region, quota_code order by valid_from)
        )

        select
            account_id,
            region,
            quota_code,
            periods.quota_name,
            periods.value_before,
            periods.value,
            pools.unit,
            periods.changed_at,
            pools.pools,
        from periods
        inner join readings using (account_id, region)
        inner join ({_POOLS.format(condition="true")}) as pools using (account_id, region, quota_code)
        semi join {CONFIGURED_SCOPES} using (account_id, region)
        where
            periods.place > 1
            and periods.value is distinct from periods.value_before
            and periods.changed_at > readings.read_at - interval 1 day
        order by account_id, region, quota_code, changed_at
    """,
)

APPLIED_QUOTAS_ARE_NOT_BELOW_DEFAULT = Rule(
    name="applied_quotas_are_not_below_default",
    table=SERVICE_QUOTAS.qualified_name,
    severity="WARN",
    subject=_SUBJECT,
    description=(
        "No pool that was used in the last 30 days has less than AWS's default quota; new accounts often begin below. "
        "Ask for the default with `aws service-quotas request-service-quota-increase --service-code bedrock "
        "--quota-code CODE --desired-value VALUE --region REGION`, or at AWS Support where the quota is not adjustable."
    ),
    contradictions=f"""
        select
            account_id,
            region,
            quota_code,
            quotas.quota_name,
            quotas.limit_value as value,
            quotas.default_value as threshold,
            pools.unit,
            quotas.adjustable,
            pools.pools,
        from {SERVICE_QUOTAS.qualified_name} as quotas
        inner join ({_POOLS.format(condition=_USED_LATELY)}) as pools using (account_id, region, quota_code)
        semi join {CONFIGURED_SCOPES} using (account_id, region)
        where quotas.valid_to is null and quotas.limit_source = 'applied' and quotas.limit_value < quotas.default_value
        order by account_id, region, quota_code
    """,
)

QUOTA_VALUE_RULES = (QUOTA_VALUES_CAN_BE, QUOTA_VALUES_ARE_UNCHANGED, APPLIED_QUOTAS_ARE_NOT_BELOW_DEFAULT)
