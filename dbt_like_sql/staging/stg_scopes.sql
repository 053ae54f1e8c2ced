-- One row per account and Region that the configuration names or once named.
select
    account_id,
    region,
    account_name,
    aws_partition,
    coalesce(is_configured, true) as is_configured,
from raw.scopes
