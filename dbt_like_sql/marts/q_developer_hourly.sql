-- One row per user, UTC hour, kind of request and model in the prompt logs of Amazon Q Developer and Kiro.
--
-- Tokens are of a public tokenizer and not what a model counted. `uncounted_requests` have no text in the log, neither
-- sent nor answered, and are in no sum of tokens. Requests without a user in the log have the user NULL.
with names as (
    select
        account_id,
        any_value(account_name) as account_name,
    from staging.stg_scopes
    group by account_id
)

select
    prompts.usage_date,
    prompts.hour_start,
    prompts.account_id,
    any_value(coalesce(names.account_name, prompts.account_id)) as account_name,
    prompts.region,
    prompts.product,
    prompts.user_id,
    prompts.kind,
    prompts.model_id,
    count(*) as requests,
    sum(prompts.input_tokens)::bigint as input_tokens,
    sum(prompts.output_tokens)::bigint as output_tokens,
    -- 'estimated' sorts after 'counted': one estimate makes the sum one.
    max(prompts.token_source) as token_source,
    count(*) filter (where prompts.token_source is null) as uncounted_requests,
from staging.stg_q_developer_prompts as prompts
left join names using (account_id)
where prompts.usage_date between $start_date and $end_date
group by
    prompts.usage_date,
    prompts.hour_start,
    prompts.account_id,
    prompts.region,
    prompts.product,
    prompts.user_id,
    prompts.kind,
    prompts.model_id
