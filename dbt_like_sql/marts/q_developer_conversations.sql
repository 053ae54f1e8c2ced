-- One row per conversation of Amazon Q Developer or Kiro in the prompt logs: how much was said in it.
--
-- `context_tokens` is what was sent and answered in all of it, the most that its context can have held of its own words;
-- earlier messages may have been summarised, and what Amazon Q adds is in no log. Inline suggestions have no conversation.
with conversations as (
    select
        account_id,
        region,
        product,
        conversation_id,
        max(user_id) as user_id,
        min(ts) as started_at,
        max(ts) as last_request_at,
        count(*) as requests,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        max(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) as largest_request_tokens,
        max(token_source) as token_source,
    from staging.stg_q_developer_prompts
    where conversation_id is not null
    group by account_id, region, product, conversation_id
),

-- A window is of a model and not of a tier; of several the largest is taken.
terms as (
    select
        usage_month,
        account_id,
        product,
        max(value) filter (where term = 'context_window_tokens')::bigint as context_window_tokens,
        max(value) filter (where term = 'context_warning_share') as warning_share,
    from intermediate.int_q_developer_terms
    group by usage_month, account_id, product
),

names as (
    select
        account_id,
        any_value(account_name) as account_name,
    from staging.stg_scopes
    group by account_id
),

sized as (
    select
        conversations.*,
        coalesce(names.account_name, conversations.account_id) as account_name,
        if(
            conversations.input_tokens is null and conversations.output_tokens is null,
            null,
            coalesce(conversations.input_tokens, 0) + coalesce(conversations.output_tokens, 0)
        )::bigint as context_tokens,
        terms.context_window_tokens,
        terms.warning_share,
    from conversations
    left join terms
        on
            terms.usage_month = date_trunc('month', conversations.last_request_at)::date
            and terms.account_id = conversations.account_id
            and terms.product = conversations.product
    left join names
        on names.account_id = conversations.account_id
)

select
    account_id,
    account_name,
    region,
    product,
    conversation_id,
    user_id,
    started_at,
    last_request_at,
    requests,
    input_tokens,
    output_tokens,
    context_tokens,
    largest_request_tokens,
    token_source,
    context_window_tokens,
    (context_tokens / nullif(context_window_tokens, 0))::double as window_share,
    context_tokens > context_window_tokens * warning_share as is_near_its_window,
from sized
