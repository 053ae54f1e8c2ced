-- One row per foundation model or imported model that any account's catalogue has or had: its names and limits.
with named as (
    select
        model_id,
        arg_max(model_name, (snapshot_date, account_id, region)) as model_name,
        arg_max(provider, (snapshot_date, account_id, region)) as provider,
    from staging.stg_foundation_models
    group by model_id

    union all by name

    select
        model_id,
        arg_max(profile_name, (snapshot_date, account_id, region)) as model_name,
        'Custom import' as provider,
    from staging.stg_imported_models
    group by model_id
)

select
    named.model_id,
    any_value(named.model_name) as model_name,
    any_value(named.provider) as provider,
    -- The longest pattern that fits says most about the model.
    arg_max(limits.max_output_tokens, len(limits.model_pattern)) as max_output_tokens,
from named
left join staging.stg_model_limits as limits on named.model_id glob limits.model_pattern
group by named.model_id
