-- One row per pool with use and period in which its tpm, rpm and tpd limits were the same; the periods leave no gap.
--
-- `valid_to` is exclusive, NULL for the newest period. A limit is NULL where it is unknown. Only pools with use, so that
-- a quota of a pool that nobody uses restates no day of usage.
with limits as (
    select
        pool_id,
        quota_kind,
        limit_value,
        valid_from,
        valid_to,
    from intermediate.int_quota_limits
    semi join intermediate.int_profiles_rated using (pool_id)
    where quota_kind in ('tpm', 'rpm', 'tpd')
),

moments as (
    select
        pool_id,
        valid_from as moment,
    from limits

    union

    select
        pool_id,
        valid_to as moment,
    from limits
    where valid_to is not null
),

periods as (
    select
        pool_id,
        moment as valid_from,
        lead(moment) over (partition by pool_id order by moment) as valid_to,
    from moments
)

select
    periods.pool_id,
    max(limits.limit_value) filter (where limits.quota_kind = 'tpm') as tpm_limit,
    max(limits.limit_value) filter (where limits.quota_kind = 'rpm') as rpm_limit,
    max(limits.limit_value) filter (where limits.quota_kind = 'tpd') as tpd_limit,
    periods.valid_from,
    periods.valid_to,
from periods
left join limits
    on
        periods.pool_id = limits.pool_id
        and periods.valid_from >= limits.valid_from
        and (limits.valid_to is null or periods.valid_from < limits.valid_to)
group by periods.pool_id, periods.valid_from, periods.valid_to
