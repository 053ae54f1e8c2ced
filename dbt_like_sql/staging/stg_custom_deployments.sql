-- One row per day asked, account, Region and on-demand custom model deployment.
select
    snapshot_date,
    account_id,
    region,
    deployment_arn as profile_id,
    deployment_name as profile_name,
    nullif(regexp_extract(base_model_arn, 'foundation-model/(.+)$', 1), '') as model_id,
from raw.custom_deployments
