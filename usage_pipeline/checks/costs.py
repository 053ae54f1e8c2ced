"""Checks on calls and their cost: do parts add up, has every call a price, do the logs hold what CloudWatch counted.

Not here: whether log objects could be read (`logs.py`), whether prices contradict each other (`prices.py`).
"""

from usage_pipeline.aws.read_plan import SETTLING_TIME
from usage_pipeline.checks.rules import CONFIGURED_SCOPES, SETTLED_SCOPES, Rule, newly_stored_days

# A warehouse of years is not searched anew each day: calls change only when a reading adds to their day.
_NEWLY_STORED_DAYS = newly_stored_days("raw.invocations")

_COST_PARTS = "input_cost_usd + output_cost_usd + cache_read_cost_usd + cache_write_cost_usd"

COST_PARTS_ADD_UP = Rule(
    name="cost_parts_add_up",
    table="marts.usage_daily",
    subject=("usage_month", "table_name"),
    blocking=True,
    description=(
        "In every row of usage by hour, day and month, the costs of input, output, cache reads and cache writes add up "
        "to the cost, to the last digit; and the days add up to their month. This is a fault in the pipeline: nothing "
        "was published; please report it."
    ),
    contradictions=f"""
        with by_table as (
            select
                'marts.usage_hourly' as table_name,
                date_trunc('month', usage_date)::date as usage_month,
                cost_usd,
                {_COST_PARTS} as parts_usd,
            from marts.usage_hourly
            union all
            select
                'marts.usage_daily' as table_name,
                date_trunc('month', usage_date)::date as usage_month,
                cost_usd,
                {_COST_PARTS} as parts_usd,
            from marts.usage_daily
            union all
            select
                'marts.usage_monthly' as table_name,
                usage_month,
                cost_usd,
                {_COST_PARTS} as parts_usd,
            from marts.usage_monthly
        ),

        months as (
            select
                usage_month,
                table_name,
                sum(cost_usd) as cost_usd,
                sum(parts_usd) as parts_usd,
                count(*) filter (where cost_usd is distinct from parts_usd) as rows_that_differ,
            from by_table
            group by usage_month, table_name
        )

        select
            usage_month,
            table_name,
            cost_usd,
            parts_usd,
            rows_that_differ,
            max(cost_usd) over (partition by usage_month) as cost_of_the_month,
        from months
        qualify
            rows_that_differ > 0
            or cost_usd is distinct from max(cost_usd) over (partition by usage_month)
        order by usage_month, table_name
    """,
)

EVERY_CALL_HAS_A_PRICE = Rule(
    name="every_call_has_a_price",
    table="marts.usage_daily",
    subject=("account_id", "region", "model_id", "endpoint_type", "service_tier"),
    description=(
        "Every logged call of the last 30 days has a cost. Those that have none are in no sum of costs. Add their "
        "price to price_overrides.csv, or refresh the list prices. A warning for what AWS does not charge by the token."
    ),
    contradictions=f"""
        select
            account_id,
            region,
            coalesce(model_id, profile_id) as model_id,
            endpoint_type,
            service_tier,
            case
                when pool_id is null then 'Its ModelId belongs to no model: see marts.unresolved_profiles.'
                when endpoint_type in ('custom_deployment', 'imported', 'provisioned') or service_tier = 'reserved'
                    then 'AWS does not charge it by the token.'
                else 'A kind of token that it has has no price, or its log has no counts: see cost_status of its calls.'
            end as reason,
            sum(unpriced_calls)::bigint as unpriced_calls,
            sum(calls)::bigint as calls,
            min(usage_date) as first_day,
            max(usage_date) as last_day,
            if(
                endpoint_type in ('custom_deployment', 'imported', 'provisioned') or service_tier = 'reserved',
                'WARN',
                'ERROR'
            ) as severity,
        from marts.usage_daily
        semi join {CONFIGURED_SCOPES} using (account_id, region)
        where usage_date > (select max(usage_date) from marts.usage_daily) - 30
        group by all
        having sum(unpriced_calls) > 0
        order by sum(unpriced_calls) desc, account_id, region, model_id, endpoint_type, service_tier
    """,
)

MARTS_ADD_UP_TO_RAW = Rule(
    name="marts_add_up_to_raw",
    table="marts.invocations",
    subject=("usage_date", "account_id", "region"),
    blocking=True,
    description=(
        "On the 62 days whose logs were stored last, the calls, errors and tokens of each account and Region are the "
        "same in raw.invocations, marts.invocations and usage by hour and day, and no request is there twice. This is "
        "a fault in the pipeline: nothing was published; please report it."
    ),
    contradictions=f"""
        with by_table as (
            select
                'raw.invocations' as table_name,
                usage_date,
                account_id,
                region,
                count(*) as calls,
                count(distinct request_id) as requests,
                count(error_code) as errors,
                coalesce(sum(input_tokens), 0) as input_tokens,
                coalesce(sum(output_tokens), 0) as output_tokens,
                coalesce(sum(cache_read_tokens), 0) as cache_read_tokens,
                coalesce(sum(cache_write_tokens), 0) as cache_write_tokens,
            from raw.invocations
            where usage_date in {_NEWLY_STORED_DAYS}
            group by usage_date, account_id, region

            union all

            select
                'marts.invocations' as table_name,
                usage_date,
                account_id,
                region,
                count(*) as calls,
                count(*) as requests,
                count(error_code) as errors,
                coalesce(sum(input_tokens), 0) as input_tokens,
                coalesce(sum(output_tokens), 0) as output_tokens,
                coalesce(sum(cache_read_tokens), 0) as cache_read_tokens,
                coalesce(sum(cache_write_tokens), 0) as cache_write_tokens,
            from marts.invocations
            where usage_date in {_NEWLY_STORED_DAYS}
            group by usage_date, account_id, region

            union all

            select
                'marts.usage_hourly' as table_name,
                usage_date,
                account_id,
                region,
                sum(calls) as calls,
                sum(calls) as requests,
                sum(errors) as errors,
                sum(input_tokens) as input_tokens,
                sum(output_tokens) as output_tokens,
                sum(cache_read_tokens) as cache_read_tokens,
                sum(cache_write_tokens) as cache_write_tokens,
            from marts.usage_hourly
            where usage_date in {_NEWLY_STORED_DAYS}
            group by usage_date, account_id, region

            union all

            select
                'marts.usage_daily' as table_name,
                usage_date,
                account_id,
                region,
                sum(calls) as calls,
                sum(calls) as requests,
                sum(errors) as errors,
                sum(input_tokens) as input_tokens,
                sum(output_tokens) as output_tokens,
                sum(cache_read_tokens) as cache_read_tokens,
                sum(cache_write_tokens) as cache_write_tokens,
            from marts.usage_daily
            where usage_date in {_NEWLY_STORED_DAYS}
            group by usage_date, account_id, region
        )

        select
            usage_date,
            account_id,
            region,
            string_agg(table_name || ' ' || calls, ', ' order by table_name) as calls,
            string_agg(table_name || ' ' || requests, ', ' order by table_name) as requests,
            string_agg(table_name || ' ' || input_tokens, ', ' order by table_name) as input_tokens,
            string_agg(table_name || ' ' || output_tokens, ', ' order by table_name) as output_tokens,
        from by_table
        group by usage_date, account_id, region
        having
            count(*) < 4
            or count(
                distinct (requests, errors, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens)
            ) > 1
        order by usage_date, account_id, region
    """,
)

MONTHS_ADD_UP_TO_THEIR_DAYS = Rule(
    name="months_add_up_to_their_days",
    table="marts.usage_monthly",
    blocking=True,
    subject=("usage_month", "account_id", "region"),
    description=(
        "In the months of the 62 days whose logs were stored last, calls, errors and tokens of each account and Region "
        "are the same by day and by month. This is a fault in the pipeline: nothing was published; please report it."
    ),
    contradictions=f"""
        with newly_stored_months as (
            select distinct date_trunc('month', usage_date)::date as usage_month,
            from marts.usage_daily
            where usage_date in {_NEWLY_STORED_DAYS}
        ),

        by_table as (
            select
                'marts.usage_daily' as table_name,
                date_trunc('month', usage_date)::date as usage_month,
                account_id,
                region,
                calls,
                errors,
                input_tokens,
                output_tokens,
                cache_read_tokens,
                cache_write_tokens,
            from marts.usage_daily

            union all

            select
                'marts.usage_monthly' as table_name,
                usage_month,
                account_id,
                region,
                calls,
                errors,
                input_tokens,
                output_tokens,
                cache_read_tokens,
                cache_write_tokens,
            from marts.usage_monthly
        ),

        summed as (
            select
                table_name,
                usage_month,
                account_id,
                region,
                sum(calls) as calls,
                sum(errors) as errors,
                sum(input_tokens) as input_tokens,
                sum(output_tokens) as output_tokens,
                sum(cache_read_tokens) as cache_read_tokens,
                sum(cache_write_tokens) as cache_write_tokens,
            from by_table
            semi join newly_stored_months using (usage_month)
            group by table_name, usage_month, account_id, region
        )

        select
            usage_month,
            account_id,
            region,
            string_agg(table_name || ' ' || calls, ', ' order by table_name) as calls,
            string_agg(table_name || ' ' || input_tokens, ', ' order by table_name) as input_tokens,
            string_agg(table_name || ' ' || output_tokens, ', ' order by table_name) as output_tokens,
        from summed
        group by usage_month, account_id, region
        having
            count(*) < 2
            or count(
                distinct (calls, errors, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens)
            ) > 1
        order by usage_month, account_id, region
    """,
)

LOGS_HOLD_WHAT_CLOUDWATCH_COUNTED = Rule(
    name="logs_hold_what_cloudwatch_counted",
    table="marts.data_completeness",
    subject=("account_id", "region", "profile_id"),
    description=(
        "For each ModelId and day of the last 30, the logs hold at least 99 % of the calls and tokens that CloudWatch "
        "counted. Below, costs and callers of that day are too low by what is missing. Days on which logging was off "
        "are not compared; a day is compared three hours after its end."
    ),
    contradictions=f"""
        with settled_scopes as {SETTLED_SCOPES}

        select
            usage_date,
            account_id,
            region,
            profile_id,
            status,
            cloudwatch_calls,
            logged_calls,
            cloudwatch_tokens,
            logged_tokens,
            round(100 * ratio, 2) as percent,
        from marts.data_completeness
        inner join settled_scopes using (account_id, region)
        where
            status in ('incomplete', 'no_logs')
            and usage_date + 1 <= settled_until
            and usage_date > (select max(usage_date) from marts.data_completeness) - 30
        order by usage_date desc, account_id, region, cloudwatch_calls - logged_calls desc, profile_id
    """,
    parameters={"settling_time": SETTLING_TIME},
)

COST_RULES = (
    MARTS_ADD_UP_TO_RAW,
    MONTHS_ADD_UP_TO_THEIR_DAYS,
    COST_PARTS_ADD_UP,
    EVERY_CALL_HAS_A_PRICE,
    LOGS_HOLD_WHAT_CLOUDWATCH_COUNTED,
)
