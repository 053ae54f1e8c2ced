"""Checks of use against limits that the configuration sets: all of them, and those on costs, models and alerts.

Not here: pools against their quotas (`quota_thresholds.py`), whether a quota's value changed (`quota_values.py`), where
messages go (`alerts/`).
"""

import json
from typing import Any

from usage_pipeline.checks.quota_thresholds import daily_quotas_last, no_pool_is_throttled, no_pool_stays_close
from usage_pipeline.checks.rules import CONFIGURED_SCOPES, Rule
from usage_pipeline.config_alerts import AlertSettings, BudgetSettings, ThresholdSettings

DAYS_LEFT_FOR_AN_ERROR = 14
"""Days before a used model's end of life from which it is an error, not a warning."""


def threshold_rules(alerts: AlertSettings) -> tuple[Rule, ...]:
    """The rules for one configuration; the same names for every configuration."""
    return (
        no_pool_stays_close(alerts.thresholds),
        no_pool_is_throttled(alerts.thresholds),
        daily_quotas_last(alerts.thresholds),
        _budgets(alerts.budgets),
        _end_of_life(alerts.thresholds),
        _delivered([channel.name for channel in alerts.channels]),
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
