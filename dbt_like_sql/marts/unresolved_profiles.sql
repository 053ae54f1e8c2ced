-- One row per account, Region and ModelId that belongs to no pool: why, which pools it could be, and its use so far.
with used as (
    select
        account_id,
        region,
        profile_id,
        sum(invocations)::bigint as invocations,
        sum(throttles)::bigint as throttles,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        min(first_ts) as first_used,
        max(last_ts) as last_used,
    from intermediate.int_profile_days_summed
    group by account_id, region, profile_id
)

select
    profiles.account_id,
    profiles.account_name,
    profiles.region,
    profiles.profile_id,
    profiles.profile_name,
    profiles.profile_kind,
    profiles.tags,
    profiles.model_id,
    profiles.status,
    profiles.candidates,
    profiles.reason,
    profiles.is_listed,
    coalesce(used.invocations, 0) as invocations,
    coalesce(used.throttles, 0) as throttles,
    coalesce(used.input_tokens, 0) as input_tokens,
    coalesce(used.output_tokens, 0) as output_tokens,
    used.first_used,
    used.last_used,
from intermediate.int_profiles as profiles
left join used using (account_id, region, profile_id)
where profiles.status <> 'resolved'
