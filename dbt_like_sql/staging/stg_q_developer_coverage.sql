-- One row per account and UTC month: the last day of it that reports and prompt logs of Amazon Q Developer cover whole.
--
-- `known_through` is of the reports where an account has them: they are a day behind, and count more than logs.
with days as (
    select
        account_id,
        partition_date as usage_date,
        source,
    from ops.source_status
    where
        source in ('q_developer_prompts', 'q_developer_activity')
        and account_id is not null
        and covered_until >= (partition_date + 1)::timestamp
        and partition_date >= $start_month
        and partition_date < $end_month + interval 1 month
)

select
    account_id,
    date_trunc('month', usage_date)::date as usage_month,
    max(usage_date) filter (where source = 'q_developer_activity') as activity_through,
    max(usage_date) filter (where source = 'q_developer_prompts') as prompts_through,
    coalesce(
        max(usage_date) filter (where source = 'q_developer_activity'),
        max(usage_date) filter (where source = 'q_developer_prompts')
    ) as known_through,
from days
group by account_id, date_trunc('month', usage_date)::date
