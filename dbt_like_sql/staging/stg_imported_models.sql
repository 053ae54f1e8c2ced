-- One row per day asked, account, Region and imported model.
select
    snapshot_date,
    account_id,
    region,
    model_arn as profile_id,
    model_name as profile_name,
    'imported-model/' || split_part(model_arn, '/', -1) as model_id,
from raw.imported_models
