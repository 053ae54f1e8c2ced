-- One row per account, Region and UTC day of which CloudWatch metrics were read: until when, and how finely.
--
-- What was read and returned nothing was idle; what was not read is unknown. A day without a row is unknown.
select
    partition_date as usage_date,
    account_id,
    region,
    partition_date::timestamp as covered_from,
    least(covered_until, (partition_date + 1)::timestamp) as covered_until,
    coalesce(resolution_seconds, 60) as resolution_seconds,
from ops.source_status
where
    source = 'cloudwatch_metrics'
    and partition_date between $start_date and $end_date
    and account_id is not null
    and region is not null
    and covered_until > partition_date
