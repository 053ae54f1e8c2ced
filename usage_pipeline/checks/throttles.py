"""Checks on what throttles are put down to: none is left out, and most are explained by a quota.

Not here: whether there are too many of them (`thresholds.py`), the causes themselves (`throttle_events.sql`).
"""

from usage_pipeline.checks.rules import CONFIGURED_SCOPES, NEWLY_STORED_DAYS, Rule

EVERY_THROTTLED_MINUTE_HAS_AN_EVENT = Rule(
    name="every_throttled_minute_has_an_event",
    table="marts.throttle_events",
    subject=("pool_id",),
    description=(
        "On the 62 days that were stored last, each pool's throttled minutes, and no others, have an event with the "
        "same number of throttles. This is a fault in the pipeline; please report it."
    ),
    contradictions=f"""
        with throttled as (
            select
                pool_id,
                ts,
                throttles,
            from marts.quota_usage_minutely
            where throttles > 0 and usage_date in {NEWLY_STORED_DAYS}
        ),

        events as (
            select
                pool_id,
                ts,
                throttles,
            from marts.throttle_events
            where usage_date in {NEWLY_STORED_DAYS}
        )

        select
            pool_id,
            ts,
            throttled.throttles,
            events.throttles as throttles_of_event,
        from throttled
        full join events using (pool_id, ts)
        where throttled.throttles is distinct from events.throttles
        order by pool_id, ts
    """,
)

MOST_NOT_EXPLAINED = 0.5
"""Share of a pool's throttles of a day that may have no quota as their cause. A choice, without a source."""

THROTTLES_ARE_EXPLAINED_BY_QUOTAS = Rule(
    name="throttles_are_explained_by_quotas",
    table="marts.throttle_causes_daily",
    severity="WARN",
    subject=("pool_id",),
    description=(
        "On the two newest days, quotas explain at least half of each pool's throttles. Where they do not, a limit may "
        "be unknown or outdated (run `usage-pipeline refresh quotas`), bursts may be too short for totals to "
        "show, logs may be missing, or AWS itself had no capacity: look at the minutes in marts.throttle_events."
    ),
    contradictions=f"""
        select
            causes.pool_id,
            causes.account_name,
            causes.region,
            causes.usage_date as day,
            causes.throttles as throttles_not_explained,
            causes.throttled_minutes as minutes_not_explained,
            pools.tpm_limit,
            pools.rpm_limit,
            pools.tpd_limit,
            causes.throttles_share as value,
            $share::double as threshold,
            'share' as unit,
            printf(
                'No quota explains %.0f %% of the throttles on %s.',
                100 * causes.throttles_share,
                causes.usage_date::varchar
            ) as summary,
        from marts.throttle_causes_daily as causes
        semi join {CONFIGURED_SCOPES} using (account_id, region)
        left join marts.quota_pools as pools using (pool_id)
        where
            causes.cause = 'not_explained'
            and causes.throttles_share > $share
            and causes.usage_date >= (select max(usage_date) from marts.quota_usage_minutely) - 1
        order by causes.pool_id, causes.usage_date
    """,
    parameters={"share": MOST_NOT_EXPLAINED},
)

THROTTLE_RULES = (EVERY_THROTTLED_MINUTE_HAS_AN_EVENT, THROTTLES_ARE_EXPLAINED_BY_QUOTAS)
