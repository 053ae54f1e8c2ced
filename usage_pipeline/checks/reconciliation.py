"""Checks that hold one table against another: parts add up to wholes, and our consumption to AWS's own estimate.

The integrity rules block: publishing tables with duplicated or lost usage would be worse than publishing nothing new.
"""

from usage_pipeline.aws.read_plan import SETTLING_TIME
from usage_pipeline.checks.rules import CONFIGURED_SCOPES, NEWLY_STORED_DAYS, SETTLED_SCOPES, Rule

_COMPARED = ("invocations", "throttles", "errors", "input_tokens", "output_tokens")

_BOTH_SIDES = ", ".join(
    f"coalesce(raw_days.{name}, 0) as raw_{name}, coalesce(mart_days.{name}, 0) as mart_{name}" for name in _COMPARED
)

_SIDES_DIFFER = " or ".join(f"raw_{name} <> mart_{name}" for name in _COMPARED)

METRIC_POINTS_ARE_UNIQUE = Rule(
    name="metric_points_are_unique",
    table="raw.cloudwatch_metrics",
    subject=("account_id", "region", "model_id"),
    blocking=True,
    description=(
        "On the 62 days that were stored last, no CloudWatch point is there twice; one that is doubles its tokens and "
        "calls. This is a fault in the pipeline: nothing was published; please report it."
    ),
    contradictions=f"""
        select
            account_id,
            region,
            namespace,
            dimension_set,
            model_id,
            metric_name,
            statistic,
            ts,
            count(*) as points,
        from raw.cloudwatch_metrics
        where usage_date in {NEWLY_STORED_DAYS}
        group by all
        having count(*) > 1
        order by all
    """,
)

PERIODS_DO_NOT_OVERLAP = Rule(
    name="periods_do_not_overlap",
    table="marts.usage_minutely",
    subject=("account_id", "region", "profile_id"),
    blocking=True,
    description=(
        "On the 62 days that were stored last, one ModelId's periods follow each other without overlap, so that no "
        "minute is counted twice. This is a fault in the pipeline: nothing was published; please report it."
    ),
    contradictions=f"""
        select
            account_id,
            region,
            profile_id,
            ts,
            resolution_seconds,
            lead(ts) over (partition by account_id, region, profile_id order by ts) as next_ts,
        from marts.usage_minutely
        where usage_date in {NEWLY_STORED_DAYS}
        qualify next_ts < ts + to_seconds(resolution_seconds)
        order by all
    """,
)

PROFILES_ADD_UP_TO_POOLS = Rule(
    name="profiles_add_up_to_pools",
    table="marts.quota_usage_minutely",
    subject=("pool_id", "usage_date"),
    blocking=True,
    description=(
        "For each pool and day, calls, throttles and consumed tokens of its profiles add up to the pool's. This is a "
        "fault in the pipeline: nothing was published; please report it."
    ),
    contradictions="""
        with by_profile as (
            select
                pool_id,
                usage_date,
                sum(invocations) as invocations,
                sum(throttles) as throttles,
                -- What is unknown for one profile is unknown for the pool.
                if(bool_or(consumed_tokens is null), null, sum(consumed_tokens)) as consumed_tokens,
            from marts.usage_minutely
            where pool_id is not null
            group by pool_id, usage_date
        ),

        by_pool as (
            select
                pool_id,
                usage_date,
                sum(invocations) as invocations,
                sum(throttles) as throttles,
                if(bool_or(consumed_tokens is null), null, sum(consumed_tokens)) as consumed_tokens,
            from marts.quota_usage_minutely
            group by pool_id, usage_date
        )

        select
            pool_id,
            usage_date,
            by_profile.invocations as profile_invocations,
            by_pool.invocations as pool_invocations,
            by_profile.throttles as profile_throttles,
            by_pool.throttles as pool_throttles,
            by_profile.consumed_tokens as profile_tokens,
            by_pool.consumed_tokens as pool_tokens,
        from by_profile
        full join by_pool using (pool_id, usage_date)
        where
            by_profile.invocations is distinct from by_pool.invocations
            or by_profile.throttles is distinct from by_pool.throttles
            or by_profile.consumed_tokens is distinct from by_pool.consumed_tokens
        order by pool_id, usage_date
    """,
)

USAGE_ADDS_UP_TO_THE_METRICS = Rule(
    name="usage_adds_up_to_the_metrics",
    table="marts.usage_minutely",
    blocking=True,
    subject=("usage_date", "account_id", "region"),
    description=(
        "On the 62 days that were stored last, calls, throttles, errors, input and output tokens of each account and "
        "Region are the same in raw.cloudwatch_metrics and marts.usage_minutely. This is a fault in the pipeline: "
        "nothing was published; please report it."
    ),
    contradictions=f"""
        with raw_days as (
            select
                usage_date,
                account_id,
                region,
                sum(round(value)) filter (where metric_name = 'Invocations')::bigint as invocations,
                sum(round(value)) filter (where metric_name = 'InvocationThrottles')::bigint as throttles,
                sum(round(value)) filter (
                    where metric_name in ('InvocationClientErrors', 'InvocationServerErrors')
                )::bigint as errors,
                sum(round(value)) filter (where metric_name = 'InputTokenCount')::bigint as input_tokens,
                sum(round(value)) filter (where metric_name = 'OutputTokenCount')::bigint as output_tokens,
            from raw.cloudwatch_metrics
            where
                usage_date in {NEWLY_STORED_DAYS}
                and namespace = 'AWS/Bedrock'
                and dimension_set = 'ModelId'
                and statistic = 'Sum'
            group by usage_date, account_id, region
        ),

        mart_days as (
            select
                usage_date,
                account_id,
                region,
                sum(invocations)::bigint as invocations,
                sum(throttles)::bigint as throttles,
                sum(client_errors + server_errors)::bigint as errors,
                sum(input_tokens)::bigint as input_tokens,
                sum(output_tokens)::bigint as output_tokens,
            from marts.usage_minutely
            where usage_date in {NEWLY_STORED_DAYS}
            group by usage_date, account_id, region
        )

        select
            usage_date,
            account_id,
            region,
            {_BOTH_SIDES},
        from raw_days
        full join mart_days using (usage_date, account_id, region)
        where {_SIDES_DIFFER}
        order by usage_date, account_id, region
    """,
)

MODEL_IDS_ADD_UP_TO_THE_ACCOUNT = Rule(
    name="model_ids_add_up_to_the_account",
    table="marts.usage_minutely",
    subject=("account_id", "region"),
    description=(
        "For each hour of the last 30 days, calls and tokens over all ModelIds equal CloudWatch's total for the "
        "account and Region, which has no ModelId. A lower sum means a ModelId that was not read; a higher one, use "
        "counted twice. An hour is compared three hours after its end, when CloudWatch adds no more to it."
    ),
    contradictions=f"""
        with settled_days as (
            select
                account_id,
                region,
                usage_date,
                if(is_final, covered_until, covered_until - $settling_time) as settled_until,
            from ops.cloudwatch_series
            semi join {CONFIGURED_SCOPES} using (account_id, region)
            where
                namespace = 'AWS/Bedrock'
                -- The account's total.
                and model_id = ''
                and usage_date > (select max(usage_date) from ops.cloudwatch_series) - 30
        ),

        account_totals as (
            select
                account_id,
                region,
                ts as hour,
                sum(value) filter (where metric_name = 'Invocations')::bigint as invocations,
                sum(value) filter (where metric_name = 'InputTokenCount')::bigint as input_tokens,
                sum(value) filter (where metric_name = 'OutputTokenCount')::bigint as output_tokens,
            from raw.cloudwatch_metrics
            inner join settled_days using (account_id, region, usage_date)
            where
                dimension_set = 'none'
                and statistic = 'Sum'
                and period_seconds = 3600
                and ts + interval 1 hour <= settled_until
            group by account_id, region, ts
        ),

        by_model_id as (
            select
                account_id,
                region,
                date_trunc('hour', ts) as hour,
                sum(invocations)::bigint as invocations,
                sum(input_tokens)::bigint as input_tokens,
                sum(output_tokens)::bigint as output_tokens,
            from marts.usage_minutely
            semi join settled_days using (account_id, region, usage_date)
            group by account_id, region, date_trunc('hour', ts)
        )

        select
            account_id,
            region,
            hour,
            account_totals.invocations as account_invocations,
            coalesce(by_model_id.invocations, 0) as model_id_invocations,
            account_totals.input_tokens as account_input_tokens,
            coalesce(by_model_id.input_tokens, 0) as model_id_input_tokens,
            account_totals.output_tokens as account_output_tokens,
            coalesce(by_model_id.output_tokens, 0) as model_id_output_tokens,
        from account_totals
        left join by_model_id using (account_id, region, hour)
        where
            -- AWS does not say which metrics have a total: one that has none (NULL) proves nothing.
            account_totals.invocations <> coalesce(by_model_id.invocations, 0)
            or account_totals.input_tokens <> coalesce(by_model_id.input_tokens, 0)
            or account_totals.output_tokens <> coalesce(by_model_id.output_tokens, 0)
        order by account_id, region, hour
    """,
    parameters={"settling_time": SETTLING_TIME},
)

EVERY_BURNDOWN_RATE_IS_KNOWN = Rule(
    name="every_burndown_rate_is_known",
    table="marts.quota_pools",
    subject=("model_id",),
    description=(
        "AWS documents the burndown rate of every model that wrote tokens in the last 30 days against a token quota. "
        "An inferred rate was read from AWS's own EstimatedTPMQuotaUsage (a warning); an assumed one is a guess on the "
        "safe side (an error). Add the rate to reference/burndown_rates.csv once AWS documents it."
    ),
    contradictions=f"""
        with used_pools as (
            select distinct pool_id
            from marts.quota_usage_minutely
            where usage_date > (select max(usage_date) from marts.quota_usage_minutely) - 30 and output_tokens > 0
        )

        select
            model_id,
            any_value(burndown_rate) as burndown_rate,
            burndown_source,
            string_agg(pool_id, ', ' order by pool_id) as pools,
            if(burndown_source = 'inferred', 'WARN', 'ERROR') as severity,
        from marts.quota_pools
        semi join used_pools using (pool_id)
        semi join {CONFIGURED_SCOPES} using (account_id, region)
        where
            burndown_source is distinct from 'documented'
            -- AWS has no token quotas for imported and provisioned models, so no rate either.
            and endpoint_type not in ('imported', 'provisioned')
        group by model_id, burndown_source
        order by model_id, burndown_source
    """,
)

CONSUMED_TOKENS_AGREE_WITH_AWS = Rule(
    name="consumed_tokens_agree_with_aws",
    table="marts.quota_usage_minutely",
    subject=("pool_id",),
    description=(
        "Per pool and minute of the last 30 days, our consumed tokens are within 1 % of AWS's EstimatedTPMQuotaUsage, "
        "or within one token per call. A difference means a wrong burndown rate or a profile that was not read. A "
        "minute is compared three hours after its end, when CloudWatch adds no more to it."
    ),
    contradictions=f"""
        with settled_scopes as {SETTLED_SCOPES}

        select
            pool_id,
            count(*) as minutes,
            min(ts) as first_minute,
            max(ts) as last_minute,
            sum(consumed_tokens)::bigint as consumed_tokens,
            sum(aws_estimated_tokens)::bigint as aws_estimated_tokens,
        from marts.quota_usage_minutely
        inner join settled_scopes using (account_id, region)
        where
            resolution_seconds = 60
            and usage_date > (select max(usage_date) from marts.quota_usage_minutely) - 30
            and ts + interval 1 minute <= settled_until
            and abs(consumed_tokens - aws_estimated_tokens) > greatest(0.01 * aws_estimated_tokens, invocations)
        group by pool_id
        order by pool_id
    """,
    parameters={"settling_time": SETTLING_TIME},
)

RECONCILIATION_RULES = (
    METRIC_POINTS_ARE_UNIQUE,
    PERIODS_DO_NOT_OVERLAP,
    PROFILES_ADD_UP_TO_POOLS,
    USAGE_ADDS_UP_TO_THE_METRICS,
    MODEL_IDS_ADD_UP_TO_THE_ACCOUNT,
    EVERY_BURNDOWN_RATE_IS_KNOWN,
    CONSUMED_TOKENS_AGREE_WITH_AWS,
)
