-- One row per day asked, account and Region: whether invocations are logged, and whether their bodies are.
select
    snapshot_date,
    account_id,
    region,
    is_on,
    text_is_delivered,
from raw.log_delivery
