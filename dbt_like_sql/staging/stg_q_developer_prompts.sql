-- One row per request that prompt logging of Amazon Q Developer or Kiro recorded; its texts were counted and dropped.
select
    usage_date,
    ts,
    date_trunc('hour', ts) as hour_start,
    account_id,
    region,
    product,
    kind,
    conversation_id,
    user_id,
    model_id,
    input_tokens,
    output_tokens,
    token_source,
from raw.q_developer_prompts
