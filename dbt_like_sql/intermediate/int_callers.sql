-- One row per UTC day and caller that the invocation logs name: what its ARN says.
--
-- `role_or_user` is whom to bill: the role's name, whatever its session; the IAM user's name without its path; for
-- IAM Identity Center (AWSReservedSSO_… roles) the person; the federated user; `root`; a service's name. `role_name`,
-- `user_name` and `session_name` are what rules about applications look at. Any partition is read alike.
with arns as (
    select distinct
        usage_date,
        principal_arn,
    from staging.stg_invocations
    where usage_date between $start_date and $end_date
),

parts as (
    select
        usage_date,
        principal_arn,
        nullif(split_part(principal_arn, ':', 5), '') as principal_account_id,
        -- Everything after the fifth colon: a session name may hold colons of its own.
        regexp_extract(principal_arn, '^arn:[^:]*:(?:iam|sts):[^:]*:[^:]*:(.*)$', 1) as resource,
        split_part(resource, '/', 1) as kind,
        split_part(resource, '/', 2) as second_part,
        split_part(resource, '/', -1) as last_part,
    from arns
),

read as (
    select
        usage_date,
        principal_arn,
        principal_account_id,
        case
            when kind = 'assumed-role' and starts_with(second_part, 'AWSReservedSSO_') then 'sso_user'
            when kind = 'assumed-role' and starts_with(second_part, 'AWSServiceRoleFor') then 'service'
            when kind in ('assumed-role', 'role') then 'role'
            when kind = 'user' and starts_with(last_part, 'BedrockAPIKey-') then 'bedrock_api_key'
            when kind = 'user' then 'user'
            when kind = 'federated-user' then 'federated_user'
            when resource = 'root' then 'root'
            when regexp_full_match(principal_arn, '[a-z0-9.-]+\.amazonaws\.com(\.cn)?') then 'service'
            else 'unknown'
        end as principal_type,
        case kind
            when 'assumed-role' then nullif(second_part, '')
            when 'role' then nullif(last_part, '')
        end as role_name,
        case kind
            when 'assumed-role' then nullif(substr(resource, len(kind) + len(second_part) + 3), '')
        end as session_name,
        case kind
            when 'user' then nullif(last_part, '')
            when 'federated-user' then nullif(substr(resource, len(kind) + 2), '')
        end as iam_user_name,
    from parts
)

select
    usage_date,
    principal_arn,
    principal_account_id,
    principal_type,
    coalesce(
        case principal_type
            when 'sso_user' then coalesce(session_name, role_name)
            when 'root' then 'root'
            else coalesce(role_name, iam_user_name)
        end,
        nullif(principal_arn, ''),
        '(unknown)'
    ) as role_or_user,
    role_name,
    if(principal_type = 'sso_user', session_name, iam_user_name) as user_name,
    session_name,
from read
