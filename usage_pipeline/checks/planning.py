"""Checks of what planning says: whether its forecasts held, and whether something costs far more than usual.

Here: warnings that deserve a look; none blocks. Not here: budgets and quotas in use (`thresholds.py`).
"""

from usage_pipeline.checks.rules import Rule

LEAST_COVERAGE = 0.6
"""Share of truths inside their 80 % interval below which forecasts are not to be trusted."""

LEAST_FORECASTS = 20
"""Forecasts of days that have passed, of one kind of quota, that must be there to judge them."""

FORECASTS_COVER_WHAT_CAME = Rule(
    name="forecasts_cover_what_came",
    table="marts.forecast_backtests",
    severity="WARN",
    subject=("quota",),
    description=(
        "Of the last seven days, at least 60 % came within the 80 % interval that was forecast for them. If not, use "
        "changes in a way that its past does not show: do not plan with the dates of marts.quota_recommendations."
    ),
    contradictions="""
        select
            quota,
            count(*) as forecasts,
            count_if(is_inside) as inside,
            count(distinct pool_id) as pools,
            avg(if(is_inside, 1, 0)) as value,
            $least_coverage::double as threshold,
            'share' as unit,
            printf(
                '%.0f %% of %d forecasts of the quota %s held; of 80 %% intervals 80 %% should.',
                100 * avg(if(is_inside, 1, 0)),
                count(*),
                quota
            ) as summary,
        from marts.forecast_backtests
        group by quota
        having count(*) >= $least_forecasts and avg(if(is_inside, 1, 0)) < $least_coverage
        order by quota
    """,
    parameters={"least_coverage": LEAST_COVERAGE, "least_forecasts": LEAST_FORECASTS},
)

THERE_IS_NO_UNUSUAL_SPENDING = Rule(
    name="there_is_no_unusual_spending",
    table="marts.anomalies",
    severity="WARN",
    subject=("subject_kind", "subject"),
    description=(
        "On the two newest whole days, no application's model and no caller cost far more than on earlier days of its "
        "own. See who called in marts.usage_daily; if it is meant, nothing needs to be done."
    ),
    contradictions="""
        select
            subject_kind,
            subject,
            usage_date,
            value,
            expected as threshold,
            'USD' as unit,
            score,
            printf(
                'Cost %.2f USD on %s, where %.2f USD are usual.',
                value::double,
                strftime(usage_date, '%Y-%m-%d'),
                expected::double
            ) as summary,
        from marts.anomalies
        where
            metric = 'cost_usd'
            -- What a tag costs, its applications and callers cost.
            and subject_kind <> 'tag_model'
            and usage_date > (
                select max(usage_date) from staging.stg_cloudwatch_coverage
                where covered_until >= (usage_date + 1)::timestamp
            ) - 2
        order by value - expected desc, subject_kind, subject, usage_date
    """,
)

PLANNING_RULES = (FORECASTS_COVER_WHAT_CAME, THERE_IS_NO_UNUSUAL_SPENDING)
