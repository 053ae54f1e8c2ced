-- One row per UTC day, account, Region and ModelId that CloudWatch or the invocation logs have: how much the logs hold.
--
-- `logged_calls` are those that CloudWatch's Invocations counts too: not what was throttled or refused before a model
-- saw it. Tokens are of all four kinds. `ratio` is the lower of calls and tokens by logs over those by CloudWatch, NULL
-- where CloudWatch has none. `status` is complete from 0.99 on (or where CloudWatch has no calls and the logs have),
-- incomplete below; without any logged call it is logging_off where AWS said so, else no_logs. A ratio above 1 means
-- that CloudWatch was not read to the end of the day.
with logged as (
    select
        usage_date,
        account_id,
        region,
        profile_id,
        sum(calls)::bigint as calls,
        sum(accepted_calls)::bigint as accepted_calls,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(cache_read_tokens)::bigint as cache_read_tokens,
        sum(cache_write_tokens)::bigint as cache_write_tokens,
    from intermediate.int_logged_days
    group by usage_date, account_id, region, profile_id
),

compared as (
    select
        coalesce(cloudwatch.usage_date, logged.usage_date) as usage_date,
        coalesce(cloudwatch.account_id, logged.account_id) as account_id,
        coalesce(cloudwatch.region, logged.region) as region,
        coalesce(cloudwatch.profile_id, logged.profile_id) as profile_id,
        coalesce(cloudwatch.invocations, 0) as cloudwatch_calls,
        coalesce(logged.accepted_calls, 0) as logged_calls,
        coalesce(logged.calls, 0) - logged_calls as logged_refusals,
        coalesce(cloudwatch.input_tokens, 0) as cloudwatch_input_tokens,
        coalesce(logged.input_tokens, 0) as logged_input_tokens,
        coalesce(cloudwatch.output_tokens, 0) as cloudwatch_output_tokens,
        coalesce(logged.output_tokens, 0) as logged_output_tokens,
        coalesce(cloudwatch.cache_read_tokens, 0) as cloudwatch_cache_read_tokens,
        coalesce(logged.cache_read_tokens, 0) as logged_cache_read_tokens,
        coalesce(cloudwatch.cache_write_tokens, 0) as cloudwatch_cache_write_tokens,
        coalesce(logged.cache_write_tokens, 0) as logged_cache_write_tokens,
        cloudwatch_input_tokens
        + cloudwatch_output_tokens
        + cloudwatch_cache_read_tokens
        + cloudwatch_cache_write_tokens as cloudwatch_tokens,
        logged_input_tokens
        + logged_output_tokens
        + logged_cache_read_tokens
        + logged_cache_write_tokens as logged_tokens,
        logged_calls::double / nullif(cloudwatch_calls, 0) as calls_ratio,
        logged_tokens::double / nullif(cloudwatch_tokens, 0) as tokens_ratio,
        least(calls_ratio, tokens_ratio) as ratio,
    from intermediate.int_profile_days_summed as cloudwatch
    full join logged
        on
            cloudwatch.usage_date = logged.usage_date
            and cloudwatch.account_id = logged.account_id
            and cloudwatch.region = logged.region
            and cloudwatch.profile_id = logged.profile_id
),

delivery as (
    -- AWS tells only how it is today: the first answer also stands for the days before it.
    select
        account_id,
        region,
        if(
            row_number() over (partition by account_id, region order by snapshot_date) = 1,
            date '1970-01-01',
            snapshot_date
        ) as valid_from,
        lead(snapshot_date) over (partition by account_id, region order by snapshot_date) as valid_to,
        is_on,
    from staging.stg_log_delivery
)

select
    compared.usage_date,
    compared.account_id,
    coalesce(profiles.account_name, compared.account_id) as account_name,
    compared.region,
    compared.profile_id,
    profiles.profile_name,
    profiles.pool_id,
    delivery.is_on as logging_is_on,
    compared.cloudwatch_calls,
    compared.logged_calls,
    compared.logged_refusals,
    compared.cloudwatch_tokens,
    compared.logged_tokens,
    compared.cloudwatch_input_tokens,
    compared.logged_input_tokens,
    compared.cloudwatch_output_tokens,
    compared.logged_output_tokens,
    compared.cloudwatch_cache_read_tokens,
    compared.logged_cache_read_tokens,
    compared.cloudwatch_cache_write_tokens,
    compared.logged_cache_write_tokens,
    compared.calls_ratio,
    compared.tokens_ratio,
    compared.ratio,
    case
        when compared.cloudwatch_calls > 0 and compared.logged_calls = 0 and not coalesce(delivery.is_on, true)
            then 'logging_off'
        when compared.cloudwatch_calls > 0 and compared.logged_calls = 0 then 'no_logs'
        when compared.ratio < 0.99 then 'incomplete'
        else 'complete'
    end as status,
from compared
left join intermediate.int_profiles as profiles using (account_id, region, profile_id)
left join delivery
    on
        compared.account_id = delivery.account_id
        and compared.region = delivery.region
        and compared.usage_date >= delivery.valid_from
        and (delivery.valid_to is null or compared.usage_date < delivery.valid_to)
-- A ModelId of which every call was refused has nothing to compare.
where compared.cloudwatch_calls > 0 or compared.cloudwatch_tokens > 0 or compared.logged_calls > 0
