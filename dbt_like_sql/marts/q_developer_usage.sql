-- One row per user and UTC day of Amazon Q Developer or Kiro: activity as AWS reports it, requests and tokens as logged.
--
-- The 44 metrics are NULL where no report says them, requests and tokens where no prompt was logged. `token_source` says
-- how the logged tokens were counted. `estimated_*` are estimates from activity alone (raw.q_developer_token_estimates),
-- also where logs are. `interactions` is how often the user asked for something: the larger of what the report and the
-- logs count; a report counts questions and answers, so half its messages.
with requests as (
    select
        usage_date,
        account_id,
        region,
        product,
        user_id,
        sum(requests)::bigint as requests,
        coalesce(sum(requests) filter (where kind = 'chat'), 0)::bigint as chat_requests,
        coalesce(sum(requests) filter (where kind = 'inline'), 0)::bigint as inline_requests,
        coalesce(sum(requests) filter (where kind = 'dev'), 0)::bigint as dev_requests,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(input_tokens) filter (where kind = 'chat')::bigint as chat_input_tokens,
        sum(output_tokens) filter (where kind = 'chat')::bigint as chat_output_tokens,
        sum(input_tokens) filter (where kind = 'inline')::bigint as inline_input_tokens,
        sum(output_tokens) filter (where kind = 'inline')::bigint as inline_output_tokens,
        sum(input_tokens) filter (where kind = 'dev')::bigint as dev_input_tokens,
        max(token_source) as token_source,
        sum(uncounted_requests)::bigint as uncounted_requests,
    from marts.q_developer_hourly
    where usage_date between $start_date and $end_date
    group by usage_date, account_id, region, product, user_id
),

-- Of the two reports one has the metrics and the other Kiro's credits; Kiro's has a row for each client.
activity as (
    select
        usage_date,
        account_id,
        region,
        product,
        user_id,
        max(user_email) as user_email,
        max(subscription_tier) as subscription_tier,
        sum(chat_ai_code_lines)::bigint as chat_ai_code_lines,
        sum(chat_messages_interacted)::bigint as chat_messages_interacted,
        sum(chat_messages_sent)::bigint as chat_messages_sent,
        sum(code_fix_acceptance_event_count)::bigint as code_fix_acceptance_event_count,
        sum(code_fix_accepted_lines)::bigint as code_fix_accepted_lines,
        sum(code_fix_generated_lines)::bigint as code_fix_generated_lines,
        sum(code_fix_generation_event_count)::bigint as code_fix_generation_event_count,
        sum(code_review_failed_event_count)::bigint as code_review_failed_event_count,
        sum(code_review_findings_count)::bigint as code_review_findings_count,
        sum(code_review_succeeded_event_count)::bigint as code_review_succeeded_event_count,
        sum(dev_acceptance_event_count)::bigint as dev_acceptance_event_count,
        sum(dev_accepted_lines)::bigint as dev_accepted_lines,
        sum(dev_generated_lines)::bigint as dev_generated_lines,
        sum(dev_generation_event_count)::bigint as dev_generation_event_count,
        sum(doc_generation_accepted_file_updates)::bigint as doc_generation_accepted_file_updates,
        sum(doc_generation_accepted_files_creations)::bigint as doc_generation_accepted_files_creations,
        sum(doc_generation_accepted_line_additions)::bigint as doc_generation_accepted_line_additions,
        sum(doc_generation_accepted_line_updates)::bigint as doc_generation_accepted_line_updates,
        sum(doc_generation_event_count)::bigint as doc_generation_event_count,
        sum(doc_generation_rejected_file_creations)::bigint as doc_generation_rejected_file_creations,
        sum(doc_generation_rejected_file_updates)::bigint as doc_generation_rejected_file_updates,
        sum(doc_generation_rejected_line_additions)::bigint as doc_generation_rejected_line_additions,
        sum(doc_generation_rejected_line_updates)::bigint as doc_generation_rejected_line_updates,
        sum(inline_chat_accepted_line_additions)::bigint as inline_chat_accepted_line_additions,
        sum(inline_chat_accepted_line_deletions)::bigint as inline_chat_accepted_line_deletions,
        sum(inline_chat_acceptance_event_count)::bigint as inline_chat_acceptance_event_count,
        sum(inline_chat_dismissal_event_count)::bigint as inline_chat_dismissal_event_count,
        sum(inline_chat_dismissed_line_additions)::bigint as inline_chat_dismissed_line_additions,
        sum(inline_chat_dismissed_line_deletions)::bigint as inline_chat_dismissed_line_deletions,
        sum(inline_chat_total_event_count)::bigint as inline_chat_total_event_count,
        sum(inline_chat_rejected_line_additions)::bigint as inline_chat_rejected_line_additions,
        sum(inline_chat_rejected_line_deletions)::bigint as inline_chat_rejected_line_deletions,
        sum(inline_chat_rejection_event_count)::bigint as inline_chat_rejection_event_count,
        sum(inline_ai_code_lines)::bigint as inline_ai_code_lines,
        sum(inline_acceptance_count)::bigint as inline_acceptance_count,
        sum(inline_suggestions_count)::bigint as inline_suggestions_count,
        sum(test_generation_accepted_lines)::bigint as test_generation_accepted_lines,
        sum(test_generation_accepted_tests)::bigint as test_generation_accepted_tests,
        sum(test_generation_event_count)::bigint as test_generation_event_count,
        sum(test_generation_generated_lines)::bigint as test_generation_generated_lines,
        sum(test_generation_generated_tests)::bigint as test_generation_generated_tests,
        sum(transformation_event_count)::bigint as transformation_event_count,
        sum(transformation_lines_generated)::bigint as transformation_lines_generated,
        sum(transformation_lines_ingested)::bigint as transformation_lines_ingested,
        sum(chat_conversations)::bigint as chat_conversations,
        sum(total_messages)::bigint as total_messages,
        sum(credits_used)::decimal(18, 6) as credits_used,
        sum(overage_credits_used)::decimal(18, 6) as overage_credits_used,
        max(credits_limit) as credits_limit,
    from staging.stg_q_developer_activity
    where usage_date between $start_date and $end_date
    group by usage_date, account_id, region, product, user_id
),

units as (
    select
        usage_date,
        account_id,
        region,
        product,
        user_id,
        unnest([
            'chat_messages_sent',
            'total_messages',
            'inline_suggestions_count',
            'dev_generation_event_count',
            'test_generation_event_count',
            'doc_generation_event_count'
        ]) as metric,
        unnest([
            chat_messages_sent,
            if(chat_messages_sent is null, total_messages, null),
            inline_suggestions_count,
            dev_generation_event_count,
            test_generation_event_count,
            doc_generation_event_count
        ]) as units,
    from activity
),

estimates as (
    select
        usage_date,
        account_id,
        region,
        product,
        user_id,
        sum(units * input_low)::bigint as input_low,
        sum(units * input_mean)::bigint as input_mean,
        sum(units * input_high)::bigint as input_high,
        sum(units * output_low)::bigint as output_low,
        sum(units * output_mean)::bigint as output_mean,
        sum(units * output_high)::bigint as output_high,
    from units
    inner join staging.stg_q_developer_token_estimates as tokens
        on
            tokens.metric = units.metric
            and units.usage_date between tokens.valid_from and tokens.valid_to
    where units is not null
    group by usage_date, account_id, region, product, user_id
),

names as (
    select
        account_id,
        any_value(account_name) as account_name,
    from staging.stg_scopes
    group by account_id
)

select
    usage_date,
    account_id,
    coalesce(names.account_name, account_id) as account_name,
    region,
    product,
    user_id,
    activity.user_email,
    activity.subscription_tier,
    activity.user_id is not null as is_reported,
    requests.requests is not null as is_logged,
    greatest(
        list_sum([
            (activity.chat_messages_sent + 1) // 2,
            if(activity.chat_messages_sent is null, (activity.total_messages + 1) // 2, null),
            activity.inline_suggestions_count,
            activity.inline_chat_total_event_count,
            activity.dev_generation_event_count,
            activity.test_generation_event_count,
            activity.doc_generation_event_count,
            activity.code_review_succeeded_event_count,
            activity.code_review_failed_event_count,
            activity.code_fix_generation_event_count,
            activity.transformation_event_count
        ]),
        requests.requests
    )::bigint as interactions,
    requests.requests,
    requests.chat_requests,
    requests.inline_requests,
    requests.dev_requests,
    requests.input_tokens,
    requests.output_tokens,
    requests.chat_input_tokens,
    requests.chat_output_tokens,
    requests.inline_input_tokens,
    requests.inline_output_tokens,
    requests.dev_input_tokens,
    requests.token_source,
    requests.uncounted_requests,
    estimates.input_low as estimated_input_tokens_low,
    estimates.input_mean as estimated_input_tokens_mean,
    estimates.input_high as estimated_input_tokens_high,
    estimates.output_low as estimated_output_tokens_low,
    estimates.output_mean as estimated_output_tokens_mean,
    estimates.output_high as estimated_output_tokens_high,
    activity.chat_ai_code_lines,
    activity.chat_messages_interacted,
    activity.chat_messages_sent,
    activity.code_fix_acceptance_event_count,
    activity.code_fix_accepted_lines,
    activity.code_fix_generated_lines,
    activity.code_fix_generation_event_count,
    activity.code_review_failed_event_count,
    activity.code_review_findings_count,
    activity.code_review_succeeded_event_count,
    activity.dev_acceptance_event_count,
    activity.dev_accepted_lines,
    activity.dev_generated_lines,
    activity.dev_generation_event_count,
    activity.doc_generation_accepted_file_updates,
    activity.doc_generation_accepted_files_creations,
    activity.doc_generation_accepted_line_additions,
    activity.doc_generation_accepted_line_updates,
    activity.doc_generation_event_count,
    activity.doc_generation_rejected_file_creations,
    activity.doc_generation_rejected_file_updates,
    activity.doc_generation_rejected_line_additions,
    activity.doc_generation_rejected_line_updates,
    activity.inline_chat_accepted_line_additions,
    activity.inline_chat_accepted_line_deletions,
    activity.inline_chat_acceptance_event_count,
    activity.inline_chat_dismissal_event_count,
    activity.inline_chat_dismissed_line_additions,
    activity.inline_chat_dismissed_line_deletions,
    activity.inline_chat_total_event_count,
    activity.inline_chat_rejected_line_additions,
    activity.inline_chat_rejected_line_deletions,
    activity.inline_chat_rejection_event_count,
    activity.inline_ai_code_lines,
    activity.inline_acceptance_count,
    activity.inline_suggestions_count,
    activity.test_generation_accepted_lines,
    activity.test_generation_accepted_tests,
    activity.test_generation_event_count,
    activity.test_generation_generated_lines,
    activity.test_generation_generated_tests,
    activity.transformation_event_count,
    activity.transformation_lines_generated,
    activity.transformation_lines_ingested,
    activity.chat_conversations,
    activity.total_messages,
    activity.credits_used,
    activity.overage_credits_used,
    activity.credits_limit,
from requests
full join activity using (usage_date, account_id, region, product, user_id)
left join estimates using (usage_date, account_id, region, product, user_id)
left join names using (account_id)
