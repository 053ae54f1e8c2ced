"""Checks on use of Amazon Q Developer and Kiro: do parts add up, do logs and reports agree, is use within its limits.

Each limit, factor and share is a term (`raw.q_developer_terms`), which the configuration may change; none blocks. Not
here: whether logs and reports could be read (`sources.py`, `logs.py`).
"""

from usage_pipeline.checks.rules import Rule

_NEWEST_MONTH = """
            select account_id, max(usage_month) as usage_month
            from marts.q_developer_limits
            group by account_id
"""

PARTS_ADD_UP = Rule(
    name="q_developer_parts_add_up_to_their_totals",
    table="marts.q_developer_usage",
    subject=("usage_month", "quantity", "table_name"),
    description=(
        "In every month, the requests, tokens, metrics and credits of users and days are those of the raw rows, each "
        "counted once; so are those by hour and kind, and the tokens that a month's value is made of. This is a fault "
        "in the pipeline; please report it."
    ),
    contradictions="""
        with raw_rows as (
            select
                date_trunc('month', usage_date)::date as usage_month,
                count(*)::decimal(38, 6) as requests,
                sum(input_tokens)::decimal(38, 6) as input_tokens,
                sum(output_tokens)::decimal(38, 6) as output_tokens,
            from raw.q_developer_prompts
            group by all
        ),

        raw_activity as (
            select
                date_trunc('month', usage_date)::date as usage_month,
                sum(chat_messages_sent)::decimal(38, 6) as chat_messages_sent,
                sum(inline_suggestions_count)::decimal(38, 6) as inline_suggestions_count,
                sum(dev_generation_event_count)::decimal(38, 6) as dev_generation_event_count,
                sum(transformation_lines_ingested)::decimal(38, 6) as transformation_lines_ingested,
                sum(total_messages)::decimal(38, 6) as total_messages,
                sum(credits_used)::decimal(38, 6) as credits_used,
            from raw.q_developer_activity
            group by all
        ),

        hours as (
            select
                date_trunc('month', usage_date)::date as usage_month,
                sum(requests)::decimal(38, 6) as requests,
                sum(input_tokens)::decimal(38, 6) as input_tokens,
                sum(output_tokens)::decimal(38, 6) as output_tokens,
            from marts.q_developer_hourly
            group by all
        ),

        days as (
            select
                date_trunc('month', usage_date)::date as usage_month,
                sum(requests)::decimal(38, 6) as requests,
                sum(chat_requests + inline_requests + dev_requests)::decimal(38, 6) as requests_by_kind,
                sum(input_tokens)::decimal(38, 6) as input_tokens,
                sum(
                    coalesce(chat_input_tokens, 0) + coalesce(inline_input_tokens, 0) + coalesce(dev_input_tokens, 0)
                )::decimal(38, 6) as input_tokens_by_kind,
                sum(output_tokens)::decimal(38, 6) as output_tokens,
                sum(chat_messages_sent)::decimal(38, 6) as chat_messages_sent,
                sum(inline_suggestions_count)::decimal(38, 6) as inline_suggestions_count,
                sum(dev_generation_event_count)::decimal(38, 6) as dev_generation_event_count,
                sum(transformation_lines_ingested)::decimal(38, 6) as transformation_lines_ingested,
                sum(total_messages)::decimal(38, 6) as total_messages,
                sum(credits_used)::decimal(38, 6) as credits_used,
            from marts.q_developer_usage
            group by all
        ),

        totals as (
            select
                usage_month,
                'marts.q_developer_hourly' as table_name,
                unnest(['requests', 'input_tokens', 'output_tokens']) as quantity,
                unnest([raw_rows.requests, raw_rows.input_tokens, raw_rows.output_tokens]) as total,
                unnest([hours.requests, hours.input_tokens, hours.output_tokens]) as parts,
            from raw_rows
            full join hours using (usage_month)
            union all
            select
                usage_month,
                'marts.q_developer_usage' as table_name,
                unnest(['requests', 'requests by kind', 'input_tokens', 'input_tokens by kind', 'output_tokens'])
                    as quantity,
                unnest([
                    raw_rows.requests,
                    raw_rows.requests,
                    raw_rows.input_tokens,
                    raw_rows.input_tokens,
                    raw_rows.output_tokens
                ]) as total,
                unnest([
                    days.requests,
                    days.requests_by_kind,
                    days.input_tokens,
                    if(days.input_tokens is null, null, days.input_tokens_by_kind),
                    days.output_tokens
                ]) as parts,
            from raw_rows
            full join days using (usage_month)
            union all
            select
                usage_month,
                'marts.q_developer_usage' as table_name,
                unnest([
                    'chat_messages_sent',
                    'inline_suggestions_count',
                    'dev_generation_event_count',
                    'transformation_lines_ingested',
                    'total_messages',
                    'credits_used'
                ]) as quantity,
                unnest([
                    raw_activity.chat_messages_sent,
                    raw_activity.inline_suggestions_count,
                    raw_activity.dev_generation_event_count,
                    raw_activity.transformation_lines_ingested,
                    raw_activity.total_messages,
                    raw_activity.credits_used
                ]) as total,
                unnest([
                    days.chat_messages_sent,
                    days.inline_suggestions_count,
                    days.dev_generation_event_count,
                    days.transformation_lines_ingested,
                    days.total_messages,
                    days.credits_used
                ]) as parts,
            from raw_activity
            full join days using (usage_month)
            union all
            select
                value.usage_month,
                'marts.q_developer_value' as table_name,
                unnest(['input_tokens', 'output_tokens']) as quantity,
                unnest([of_days.input_tokens, of_days.output_tokens]) as total,
                unnest([value.input_tokens, value.output_tokens]) as parts,
            from (
                select
                    usage_month,
                    account_id,
                    any_value(known_through) as known_through,
                    sum(input_tokens)::decimal(38, 6) as input_tokens,
                    sum(output_tokens)::decimal(38, 6) as output_tokens,
                from marts.q_developer_value
                group by usage_month, account_id
            ) as value
            cross join lateral (
                select
                    sum(if(token_source is null, estimated_input_tokens_mean, input_tokens))::decimal(38, 6)
                        as input_tokens,
                    sum(if(token_source is null, estimated_output_tokens_mean, output_tokens))::decimal(38, 6)
                        as output_tokens,
                from marts.q_developer_usage as usage
                where
                    usage.account_id = value.account_id
                    and usage.usage_date between value.usage_month and value.known_through
            ) as of_days
        )

        select
            usage_month,
            table_name,
            quantity,
            parts,
            total,
        from totals
        where parts is distinct from total
        order by usage_month, table_name, quantity
    """,
)

LOGS_AGREE_WITH_ACTIVITY = Rule(
    name="prompt_logs_agree_with_activity",
    table="marts.q_developer_usage",
    severity="WARN",
    subject=("account_id", "product", "metric"),
    description=(
        "On days of the last 30 for which an account's users have both, prompt logs hold as many chat messages and "
        "runs of /dev as the activity report counts, and no fewer inline suggestions, give or take a tenth. If there "
        "are fewer, logs are missing, or prompt logging was not on for all; if there are more, parts of a report are."
    ),
    contradictions="""
        with shared_days as (
            select
                account_id,
                any_value(account_name) as account_name,
                product,
                usage_date,
                unnest(['chat_messages_sent', 'dev_generation_event_count', 'inline_suggestions_count']) as metric,
                unnest([
                    sum(chat_messages_sent),
                    sum(dev_generation_event_count),
                    sum(inline_suggestions_count)
                ]) as reported,
                unnest([
                    coalesce(sum(2 * chat_requests), 0),
                    coalesce(sum(dev_requests), 0),
                    coalesce(sum(inline_requests), 0)
                ]) as logged,
            from marts.q_developer_usage
            where usage_date > (select max(usage_date) from marts.q_developer_usage) - 30
            group by account_id, product, usage_date
            having count_if(is_reported) > 0 and count_if(is_logged) > 0
        ),

        summed as (
            select
                account_id,
                any_value(account_name) as account_name,
                product,
                metric,
                sum(reported)::bigint as reported,
                sum(logged)::bigint as logged,
                min(usage_date) as first_day,
                max(usage_date) as last_day,
                arg_min(usage_date, (-abs(reported - logged), usage_date)) as worst_day,
            from shared_days
            where reported is not null
            group by account_id, product, metric
        )

        select
            account_id,
            account_name,
            product,
            metric,
            first_day,
            last_day,
            worst_day,
            reported,
            logged as value,
            reported as threshold,
            'events' as unit,
            printf('%d of %s are in prompt logs, %d in activity reports.', logged, metric, reported) as summary,
        from summed
        where
            abs(reported - logged) > greatest(0.1 * greatest(reported, logged), 10)
            and (logged < reported or metric != 'inline_suggestions_count')
        order by account_id, product, metric
    """,
)

NO_USER_REACHES_A_LIMIT = Rule(
    name="no_user_comes_close_to_a_monthly_limit",
    table="marts.q_developer_limits",
    severity="WARN",
    subject=("account_id", "product", "user_id", "limit_name"),
    description=(
        "In the newest month, no user has used half of a monthly limit of Amazon Q Developer or Kiro, or will use all "
        "of it if the month goes on like this. An error once it is used up. Shares and limits are terms of the "
        "configuration (q_developer_terms). Tell the user, or buy a larger subscription."
    ),
    contradictions=f"""
        with newest as ({_NEWEST_MONTH})

        select
            limits.account_id,
            limits.account_name,
            limits.product,
            limits.user_id,
            limits.limit_name,
            limits.usage_month,
            limits.known_through,
            limits.used,
            limits."limit",
            limits.projected,
            limits.reaches_limit_on,
            limits.status,
            limits.limit_source,
            limits.used_share as value,
            1 as threshold,
            'share' as unit,
            if(limits.status = 'limit_reached', 'ERROR', 'WARN') as severity,
            printf(
                '%s has used %.0f of %.0f %s of the month by %s; %s.',
                limits.user_id,
                limits.used::double,
                limits."limit"::double,
                replace(limits.limit_name, '_', ' '),
                limits.known_through::varchar,
                case
                    when limits.status = 'limit_reached'
                        then 'the limit was reached on ' || limits.reaches_limit_on::varchar
                    when limits.reaches_limit_on is not null
                        then 'it lasts until ' || limits.reaches_limit_on::varchar || ' if this goes on'
                    else 'it will be ' || round(limits.projected)::bigint::varchar || ' if this goes on'
                end
            ) as summary,
        from marts.q_developer_limits as limits
        inner join newest
            on newest.account_id = limits.account_id and newest.usage_month = limits.usage_month
        where limits.status in ('caution', 'reaches_limit', 'warning', 'limit_reached')
        order by limits.used_share desc, limits.account_id, limits.product, limits.user_id, limits.limit_name
    """,
)

NO_USE_STANDS_OUT = Rule(
    name="no_use_of_q_developer_stands_out",
    table="marts.q_developer_spikes",
    severity="WARN",
    subject=("account_id", "product", "subject_kind", "who"),
    description=(
        "On the two newest days that are known, no user of Amazon Q Developer or Kiro, nor all of them, asked for more "
        "than three times the median of the other active days. See the day's hours in marts.q_developer_hourly; if it "
        "is meant, nothing needs to be done."
    ),
    contradictions="""
        select
            account_id,
            account_name,
            product,
            subject_kind,
            coalesce(user_id, case subject_kind when 'everybody' then 'everybody' else 'unknown' end) as who,
            usage_date,
            other_active_days,
            score,
            value,
            expected as threshold,
            'interactions' as unit,
            printf(
                '%d interactions on %s, where %.0f are usual.',
                value,
                usage_date::varchar,
                expected
            ) as summary,
        from marts.q_developer_spikes
        where usage_date > (select max(known_through) from staging.stg_q_developer_coverage) - 2
        order by value - expected desc, account_id, product, who
    """,
)

NO_CONVERSATION_FILLS_ITS_WINDOW = Rule(
    name="no_conversation_fills_its_context_window",
    table="marts.q_developer_conversations",
    severity="WARN",
    subject=("account_id", "product", "conversation_id"),
    description=(
        "In conversations of the three newest days, at most four fifths of a context window (200,000 tokens, a term of "
        "the configuration) were sent and answered. Beyond it, what was said first is summarised or left out, so "
        "answers get worse: begin a new conversation for a new subject."
    ),
    contradictions="""
        select
            account_id,
            account_name,
            product,
            conversation_id,
            user_id,
            started_at,
            last_request_at,
            requests,
            context_tokens,
            context_window_tokens,
            token_source,
            window_share as value,
            1 as threshold,
            'share' as unit,
            printf(
                '%d tokens were said in a conversation of %d requests: %.0f %% of its context window.',
                context_tokens,
                requests,
                100 * window_share
            ) as summary,
        from marts.q_developer_conversations
        where
            is_near_its_window
            and last_request_at >= (select max(usage_date) from marts.q_developer_usage where is_logged) - 2
        order by window_share desc, account_id, product, conversation_id
    """,
)

Q_DEVELOPER_RULES = (
    PARTS_ADD_UP,
    LOGS_AGREE_WITH_ACTIVITY,
    NO_USER_REACHES_A_LIMIT,
    NO_USE_STANDS_OUT,
    NO_CONVERSATION_FILLS_ITS_WINDOW,
)
