"""Checks of pools against their quotas: near a quota for long, throttled too often, a daily quota that will not last.

They say nothing of the tables' truth, so none blocks. Each names its value, its threshold and a sentence, which become
the alert. Not here: limits on costs and models (`thresholds.py`), causes of throttles (`throttles.py`).
"""

from usage_pipeline.checks.rules import CONFIGURED_SCOPES, Rule
from usage_pipeline.config_alerts import ThresholdSettings

FEWEST_MINUTES_TO_PROJECT = 360
"""Minutes of a UTC day that must be read before its total is projected: a quarter of the day."""

THROTTLED_ERROR_SHARE = 0.01
"""Share of a pool's requests of a day from which throttles are an error, not a warning."""


def no_pool_stays_close(thresholds: ThresholdSettings) -> Rule:
    """Is a pool near a per-minute quota for long?"""
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


def no_pool_is_throttled(thresholds: ThresholdSettings) -> Rule:
    """Are more requests throttled than configured?"""
    return Rule(
        name="no_pool_is_throttled_too_often",
        table="marts.quota_headroom",
        severity="WARN",
        subject=("pool_id",),
        description=(
            "On the two newest days, no pool had more throttled requests than configured "
            "(alerts.thresholds.throttles_per_day). An error where they are more than one request in a hundred. The "
            "likeliest cause is a conclusion: marts.throttle_events has it minute by minute, with who used the quota."
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
            ),

            causes as (
                select
                    pool_id,
                    usage_date,
                    arg_min(cause, (-throttles, cause)) as likeliest_cause,
                from marts.throttle_causes_daily
                group by pool_id, usage_date
            )

            select
                pool_id,
                days.account_name,
                days.region,
                usage_date as day,
                throttles,
                invocations,
                worst_minute,
                causes.likeliest_cause,
                case causes.likeliest_cause
                    when 'rpm' then pools.rpm_quota_code
                    when 'tpd' then pools.tpd_quota_code
                    when 'tpm' then pools.tpm_quota_code
                    when 'reservation' then pools.tpm_quota_code
                end as quota_code,
                throttles as value,
                $throttles as threshold,
                'throttles per day' as unit,
                if(throttles > $error_share * (invocations + throttles), 'ERROR', 'WARN') as severity,
                printf(
                    '%d of %d requests were throttled on %s%s.',
                    throttles,
                    invocations + throttles,
                    usage_date::varchar,
                    case causes.likeliest_cause
                        when 'rpm' then ', mostly by the requests-per-minute quota'
                        when 'tpm' then ', mostly by the tokens-per-minute quota'
                        when 'tpd' then ', mostly by the tokens-per-day quota'
                        when 'reservation' then ', mostly by the max_tokens that calls in flight reserved'
                        when 'not_explained' then ', mostly for a reason that no quota explains'
                        else ''
                    end
                ) as summary,
            from days
            left join causes using (pool_id, usage_date)
            left join marts.quota_pools as pools using (pool_id)
            where throttles > $throttles
            order by pool_id, usage_date
        """,
        parameters={"throttles": thresholds.throttles_per_day, "error_share": THROTTLED_ERROR_SHARE},
    )


def daily_quotas_last(thresholds: ThresholdSettings) -> Rule:
    """Will a daily quota be used up before the day ends?"""
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
