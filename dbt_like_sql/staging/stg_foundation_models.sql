-- One row per day asked, account, Region and foundation model.
select
    snapshot_date,
    account_id,
    region,
    model_id,
    model_name,
    provider_name as provider,
    -- AWS has models that answer only through an inference profile or provisioned throughput.
    inference_types is null or list_contains(inference_types, 'ON_DEMAND') as is_on_demand,
    lifecycle_status,
    legacy_at,
    extended_access_at,
    end_of_life_at,
from raw.foundation_models
