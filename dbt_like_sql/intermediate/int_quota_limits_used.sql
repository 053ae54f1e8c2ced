-- One row per pool with use, kind of quota and period of days in which its value was the same.
--
-- A part of int_quota_limits, so that a quota of a pool that nobody uses restates no day of usage.
select
    pool_id,
    quota_kind,
    limit_value,
    valid_from,
    valid_to,
from intermediate.int_quota_limits
semi join intermediate.int_profiles_rated using (pool_id)
