"""Checks of use against limits that the configuration sets: quotas, throttles, budgets, ends of models, alerts.

They say nothing of the tables' truth, so none blocks. Each names its value, its threshold and a sentence, which become
the alert. Not here: whether a quota's value changed (`quota_values.py`), where messages go (`alerts/`).
"""

import json
from typing import Any

from usage_pipeline.checks.rules import CONFIGURED_SCOPES, Rule
from usage_pipeline.config_alerts import AlertSettings, BudgetSettings, ThresholdSettings

FEWEST_MINUTES_TO_PROJECT = 360
"""Minutes of a UTC day that must be read before its total is projected: a quarter of the day."""

DAYS_LEFT_FOR_AN_ERROR = 14
"""Days before a used model's end of life from which it is an error, not a warning."""

THROTTLED_ERROR_SHARE = 0.01
"""Share of a pool's requests of a day from which throttles are an error, not a warning."""


def threshold_rules(alerts: AlertSettings) -> tuple[Rule, ...]:
    """The rules for one configuration; the same names for every configuration."""
    return (
        _utilization(alerts.thresholds),
        _throttles(alerts.thresholds),
        _daily_quota(alerts.thresholds),
        _budgets(alerts.budgets),
        _end_of_life(alerts.thresholds),
        _delivered([channel.name for channel in alerts.channels]),
    )


def _utilization(thresholds: ThresholdSettings) -> Rule:
    return Rule(
        name="no_pool_stays_close_to_its_quota",
        table="marts.quota_usage_minutely",
        severity="WARN",
        subject=("pool_id", "quota"),
        description=(
            "On the two newest days, no pool was above the configured share of its tokens-per-minute or "
            "requests-per-minute quota for as many minutes as configured (alerts.thresholds). An error where it was so "
            "long above the quota itself. Spread the load, lower max_tokens, or ask AWS for more."
        ),
        contradictions=f"""
            with recent as (
                select
                    pool_id,
                    account_name,
                    account_id,
                    region,
                    usage_date,
                    ts,
                    resolution_seconds,
                    unnest(['tpm', 'rpm']) as quota,
                    unnest([tpm_utilization, rpm_utilization]) as utilization,
                    unnest([tokens_per_minute, requests_per_minute]) as per_minute,
                    unnest([tpm_limit, rpm_limit]) as limit_value,
                from marts.quota_usage_minutely
                semi join {CONFIGURED_SCOPES} using (account_id, region)
                where usage_date >= (select max(usage_date) from marts.quota_usage_minutely) - 1
            ),

            close as (
                select
                    pool_id,
                    quota,
                    any_value(account_name) as account_name,
                    any_value(region) as region,
                    (sum(resolution_seconds) filter (where utilization > $share) / 60)::bigint as minutes_above,
                    coalesce(sum(resolution_seconds) filter (where utilization > 1) / 60, 0)::bigint
                        as minutes_over_the_quota,
                    arg_min(ts, (-utilization, ts)) as worst_minute,
                    arg_min(usage_date, (-utilization, ts)) as worst_day,
                    max(utilization) as utilization,
                    max(per_minute) as peak_per_minute,
                    arg_min(limit_value, (-utilization, ts)) as limit_value,
                from recent
                group by pool_id, quota
                having sum(resolution_seconds) filter (where utilization > $share) >= 60 * $minutes
            )

            select
                close.pool_id,
                close.quota,
                close.account_name,
                close.region,
                close.minutes_above,
                close.minutes_over_the_quota,
                close.worst_minute,
                close.peak_per_minute,
                close.limit_value,
                headroom.top_profiles[1].profile_id as top_profile,
                round(headroom.top_profiles[1].share, 4) as top_profile_share,
                if(close.quota = 'tpm', pools.tpm_quota_code, pools.rpm_quota_code) as quota_code,
                ceil(close.peak_per_minute / $share)::bigint as desired_value,
                close.utilization as value,
                $share::double as threshold,
                'share' as unit,
                if(close.minutes_over_the_quota >= $minutes, 'ERROR', 'WARN') as severity,
                printf(
                    '%.0f %% of the %s quota was used at the worst minute, %s UTC; %d minutes of two days were above '
                    || '%.0f %%.',
                    100 * close.utilization,
                    if(close.quota = 'tpm', 'tokens-per-minute', 'requests-per-minute'),
                    strftime(close.worst_minute, '%Y-%m-%d %H:%M'),
                    close.minutes_above,
                    100 * $share::double
                ) as summary,
            from close
            left join marts.quota_pools as pools using (pool_id)
            left join marts.quota_headroom as headroom
                on
                    headroom.pool_id = close.pool_id
                    and headroom.quota = close.quota
                    and headroom.usage_date = close.worst_day
            order by close.pool_id, close.quota
        """,
        parameters={"share": thresholds.utilization, "minutes": thresholds.utilization_minutes},
    )


def _throttles(thresholds: ThresholdSettings) -> Rule:
    return Rule(
        name="no_pool_is_throttled_too_often",
        table="marts.quota_headroom",
        severity="WARN",
        subject=("pool_id",),
        description=(
            "On the two newest days, no pool had more throttled requests than configured "
            "(alerts.thresholds.throttles_per_day). An error where they are more than one request in a hundred. Look "
            "at the worst minute in the report: which quota was reached, and by whom."
        ),
        contradictions=f"""
            with days as (
                select
                    pool_id,
                    account_name,
                    account_id,
                    region,
                    usage_date,
                    sum(throttles)::bigint as throttles,
                    sum(invocations)::bigint as invocations,
                    arg_min(ts, (-throttles, ts)) as worst_minute,
                from marts.quota_usage_minutely
                semi join {CONFIGURED_SCOPES} using (account_id, region)
                where usage_date >= (select max(usage_date) from marts.quota_usage_minutely) - 1
                group by all
            )

            select
                pool_id,
                account_name,
                region,
                usage_date as day,
                throttles,
                invocations,
                worst_minute,
                throttles as value,
                $throttles as threshold,
                'throttles per day' as unit,
                if(throttles > $error_share * (invocations + throttles), 'ERROR', 'WARN') as severity,
                printf(
                    '%d of %d requests were throttled on %s.',
                    throttles,
                    invocations + throttles,
                    usage_date::varchar
                ) as summary,
            from days
            where throttles > $throttles
            order by pool_id, usage_date
        """,
        parameters={"throttles": thresholds.throttles_per_day, "error_share": THROTTLED_ERROR_SHARE},
    )


def _daily_quota(thresholds: ThresholdSettings) -> Rule:
    return Rule(
        name="every_daily_quota_lasts_the_day",
        table="marts.quota_headroom",
        severity="WARN",
        subject=("pool_id",),
        description=(
            "The newest day's consumed tokens of each pool, divided by the share of the day that was read, stay below "
            "the configured share of its tokens-per-day quota (alerts.thresholds.daily_quota_projection). The "
            "projection takes the rest of the day to be as busy, from 06:00 UTC on. An error once the quota is reached."
        ),
        contradictions=f"""
            with newest_day as (
                select
                    *,
                    peak / (covered_minutes / 1440) as projected,
                from marts.quota_headroom
                semi join {CONFIGURED_SCOPES} using (account_id, region)
                where
                    quota = 'tpd'
                    and limit_value > 0
                    and covered_minutes >= $fewest_minutes
                    and usage_date = (select max(usage_date) from marts.quota_headroom)
            )

            select
                newest_day.pool_id,
                newest_day.account_name,
                newest_day.region,
                newest_day.usage_date as day,
                newest_day.peak::bigint as tokens_so_far,
                newest_day.projected::bigint as projected_tokens,
                newest_day.limit_value,
                newest_day.covered_minutes,
                pools.tpd_quota_code as quota_code,
                ceil(newest_day.projected / $share)::bigint as desired_value,
                newest_day.projected / newest_day.limit_value as value,
                $share::double as threshold,
                'share' as unit,
                if(newest_day.peak >= newest_day.limit_value, 'ERROR', 'WARN') as severity,
                printf(
                    '%.0f %% of the tokens-per-day quota will be used on %s if the day goes on like this; %.0f %% are '
                    || 'used by now.',
                    100 * newest_day.projected / newest_day.limit_value,
                    newest_day.usage_date::varchar,
                    100 * newest_day.peak / newest_day.limit_value
                ) as summary,
            from newest_day
            left join marts.quota_pools as pools using (pool_id)
            where newest_day.projected > $share * newest_day.limit_value
            order by newest_day.pool_id
        """,
        parameters={"share": thresholds.daily_quota_projection, "fewest_minutes": FEWEST_MINUTES_TO_PROJECT},
    )


def _budgets(budgets: tuple[BudgetSettings, ...]) -> Rule:
    return Rule(
        name="costs_stay_within_their_budgets",
        table="marts.usage_daily",
        severity="WARN",
        subject=("budget",),
        description=(
            "Costs of the current calendar month, or of each of the two newest days, stay below the configured share "
            "of their budget (alerts.budgets). An error once the budget is spent. Calls without a price are in no "
            "cost, so the true cost may be higher."
        ),
        contradictions="""
            with budgets as (
                select
                    unnest(
                        from_json(
                            $budgets,
                            '[{
                                "budget": "VARCHAR", "usd": "DECIMAL(14, 2)", "per": "VARCHAR", "warn_at": "DOUBLE",
                                "application": "VARCHAR", "account": "VARCHAR",
                                "tag_key": "VARCHAR", "tag_value": "VARCHAR"
                            }]'
                        ),
                        recursive := true
                    ),
            ),

            newest as (
                select max(usage_date) as newest_day,
                from marts.usage_daily
            ),

            spent as (
                select
                    budgets.budget,
                    budgets.per,
                    budgets.usd,
                    budgets.warn_at,
                    if(budgets.per = 'day', usage.usage_date, date_trunc('month', usage.usage_date)::date)
                        as period_start,
                    sum(usage.cost_usd) as cost_usd,
                    sum(usage.unpriced_calls)::bigint as unpriced_calls,
                from marts.usage_daily as usage
                cross join newest
                inner join budgets
                    on
                        (budgets.application is null or usage.application = budgets.application)
                        and (budgets.account is null or budgets.account in (usage.account_id, usage.account_name))
                        and (budgets.tag_key is null or usage.tags[budgets.tag_key] = budgets.tag_value)
                        and usage.usage_date >= if(
                            budgets.per = 'day', newest.newest_day - 1, date_trunc('month', newest.newest_day)::date
                        )
                group by all
            )

            select
                budget,
                per,
                period_start,
                unpriced_calls,
                cost_usd as value,
                usd as threshold,
                'USD' as unit,
                if(cost_usd >= usd, 'ERROR', 'WARN') as severity,
                printf(
                    'Budget %s: %.0f %% of $%s is spent in the %s from %s.',
                    budget,
                    (100 * cost_usd / usd)::double,
                    usd::varchar,
                    per,
                    period_start::varchar
                ) as summary,
            from spent
            where cost_usd >= usd * warn_at
            order by budget, period_start
        """,
        parameters={"budgets": json.dumps([_budget(budget) for budget in budgets])},
    )


def _budget(budget: BudgetSettings) -> dict[str, Any]:
    key, _, value = (budget.tag or "").partition("=")
    return {
        "budget": budget.name,
        "usd": str(budget.usd),
        "per": budget.per,
        "application": budget.application,
        "account": budget.account,
        "tag_key": key or None,
        "tag_value": value or None,
        "warn_at": budget.warn_at,
    }


def _end_of_life(thresholds: ThresholdSettings) -> Rule:
    return Rule(
        name="no_model_in_use_ends_soon",
        table="marts.model_lifecycle",
        severity="WARN",
        subject=("account_id", "region", "model_id"),
        description=(
            "AWS ends no model within the configured days (alerts.thresholds.end_of_life_days) that was called in the "
            "last 30. An error within two weeks, and after its end. Move its callers to a newer model and ask for "
            "quotas there in time."
        ),
        contradictions=f"""
            with newest as (
                select max(usage_date) as newest_day,
                from marts.usage_minutely
            )

            select
                account_id,
                account_name,
                region,
                model_id,
                model_name,
                lifecycle_status,
                end_of_life_at::date as ends_on,
                calls_30_days,
                last_used_on,
                date_diff('day', newest_day, end_of_life_at::date) as value,
                $days as threshold,
                'days left' as unit,
                if(date_diff('day', newest_day, end_of_life_at::date) <= $error_days, 'ERROR', 'WARN') as severity,
                printf(
                    'AWS ends %s on %s; it was called %d times in the last 30 days.',
                    model_id,
                    end_of_life_at::date::varchar,
                    calls_30_days
                ) as summary,
            from marts.model_lifecycle
            semi join {CONFIGURED_SCOPES} using (account_id, region)
            cross join newest
            where calls_30_days > 0 and end_of_life_at::date <= newest_day + $days
            order by end_of_life_at, account_id, region, model_id
        """,
        parameters={"days": thresholds.end_of_life_days, "error_days": DAYS_LEFT_FOR_AN_ERROR},
    )


def _delivered(channels: list[str]) -> Rule:
    return Rule(
        name="every_alert_was_delivered",
        table="ops.alert_deliveries",
        subject=("channel",),
        description=(
            "Each configured channel took its messages. What it did not take is tried again at every look; the error "
            "says why it failed last. Try the channel with `usage-pipeline alerts test`."
        ),
        contradictions="""
            with newest_messages as (
                select *
                from ops.alert_deliveries
                where list_contains($channels::varchar[], channel)
                qualify
                    row_number() over (
                        partition by channel, finding_id, opened_at
                        order by notice_number desc, reminder desc
                    ) = 1
            )

            select
                channel,
                max_by(error, last_attempt_at) as error,
                min(first_attempt_at) as failing_since,
                sum(attempts)::bigint as attempts,
                count(*) as value,
                0 as threshold,
                'messages not delivered' as unit,
            from newest_messages
            where delivered_at is null
            group by channel
            order by channel
        """,
        parameters={"channels": channels},
    )
