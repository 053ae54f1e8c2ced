"""The queries behind cost, callers, prices and completeness. They choose, join, add and order rows of the marts.

`$first_day` and `$last_day` are the report's UTC days, both inclusive. Formulas stay in `dbt_like_sql/`.
"""

# Where CloudWatch was never read there are no windows; then the newest thirty days of the logs are shown.
LOGGED_DAYS = """
    select
        max(usage_date) - 29 as first_day,
        max(usage_date) as last_day,
    from marts.usage_daily
"""

_SUMS = """
        coalesce(sum(calls), 0)::bigint as calls,
        coalesce(sum(errors), 0)::bigint as errors,
        coalesce(sum(input_tokens), 0)::bigint as input_tokens,
        coalesce(sum(output_tokens), 0)::bigint as output_tokens,
        coalesce(sum(cache_read_tokens), 0)::bigint as cache_read_tokens,
        coalesce(sum(cache_write_tokens), 0)::bigint as cache_write_tokens,
        sum(input_cost_usd) as input_cost_usd,
        sum(output_cost_usd) as output_cost_usd,
        sum(cache_read_cost_usd) as cache_read_cost_usd,
        sum(cache_write_cost_usd) as cache_write_cost_usd,
        sum(cost_usd) as cost_usd,
        coalesce(sum(unpriced_calls), 0)::bigint as unpriced_calls,
"""

_NOTHING = """
        null::varchar as name,
        false as is_unset,
        null::varchar as model_id,
        null::varchar as principal_type,
        null::varchar as account_id,
        null::varchar as account_name,
"""

_DAYS = "usage_date between $first_day and $last_day"

_ORDER = "cost_usd desc nulls last, calls desc"

TOTAL = f"select {_NOTHING} {_SUMS} from marts.usage_daily where {_DAYS}"

MODELS = f"""
    with named as (
        select
            model_id,
            min(model_name) as model_name,
        from marts.quota_pools
        group by model_id
    )

    select
        model_id,
        coalesce(any_value(model_name), model_id) as name,
        {_SUMS}
    from marts.usage_daily
    left join named using (model_id)
    where {_DAYS}
    group by model_id
    order by {_ORDER}, model_id
"""

APPLICATIONS = f"""
    select
        application as name,
        {_SUMS}
    from marts.usage_daily
    where {_DAYS}
    group by application
    order by {_ORDER}, application
"""

# Equal names in two accounts are two callers.
CALLERS = f"""
    select
        account_id,
        any_value(account_name) as account_name,
        role_or_user as name,
        if(min(principal_type) = max(principal_type), min(principal_type), 'mixed') as principal_type,
        {_SUMS}
    from marts.usage_daily
    where {_DAYS}
    group by account_id, role_or_user
    order by {_ORDER}, name, account_id
"""

# Tags that could not be read are unknown; only application profiles can have any.
TAGS = f"""
    with daily as (
        select
            * replace (if(tags is null and profile_kind in ('base', 'system'), map {{}}, tags) as tags),
        from marts.usage_daily
        where {_DAYS}
    ),

    tag_keys as (
        select distinct unnest(map_keys(tags)) as tag_key
        from daily
    ),

    valued as (
        select
            tag_key,
            if(map_contains(daily.tags, tag_key), daily.tags[tag_key], null) as name,
            coalesce(not map_contains(daily.tags, tag_key), false) as is_unset,
            daily.*,
        from daily
        cross join tag_keys
    )

    select
        tag_key,
        name,
        is_unset,
        {_SUMS}
    from valued
    group by tag_key, name, is_unset
    order by tag_key, {_ORDER}, name, is_unset
"""

APPLICATION_DAYS = f"""
    select
        application,
        usage_date,
        sum(cost_usd) as usd,
    from marts.usage_daily
    where {_DAYS}
    group by application, usage_date
    having usd is not null
    order by application, usage_date
"""

# The Region's own price hides that for every Region while it is valid, as it does where costs are computed.
PRICES = """
    with uses as (
        select distinct
            model_id,
            endpoint_type,
            region as used_region,
            service_tier,
        from marts.usage_daily
        where usage_date between $first_day and $last_day and calls > errors
    ),

    offered as (
        select
            uses.used_region,
            prices.*,
            greatest(prices.valid_from, $first_day::timestamp) as begins,
            least(coalesce(prices.valid_to, 'infinity'::timestamp), $last_day::timestamp + interval 1 day) as ends,
        from uses
        inner join marts.model_prices as prices
            on
                uses.model_id = prices.model_id
                and uses.endpoint_type = prices.endpoint_type
                and uses.service_tier = prices.service_tier
                and prices.region in (uses.used_region, '*')
        where begins < ends
    ),

    fitting as (
        select *
        from offered
        where
            region <> '*'
            or epoch(ends - begins) > (
                select coalesce(sum(epoch(least(own.ends, offered.ends) - greatest(own.begins, offered.begins))), 0)
                from offered as own
                where
                    own.region <> '*'
                    and own.used_region = offered.used_region
                    and own.model_id = offered.model_id
                    and own.endpoint_type = offered.endpoint_type
                    and own.service_tier = offered.service_tier
                    and own.context_band = offered.context_band
                    and own.token_kind = offered.token_kind
                    and own.begins < offered.ends
                    and own.ends > offered.begins
            )
    )

    select
        model_id,
        any_value(model_name) as model_name,
        endpoint_type,
        region,
        service_tier,
        context_band,
        max(usd_per_million) filter (where token_kind = 'input') as input_usd,
        max(usd_per_million) filter (where token_kind = 'output') as output_usd,
        max(usd_per_million) filter (where token_kind = 'cache_read') as cache_read_usd,
        max(usd_per_million) filter (where token_kind = 'cache_write_5m') as cache_write_5m_usd,
        max(usd_per_million) filter (where token_kind = 'cache_write_1h') as cache_write_1h_usd,
        max(usd_per_million) filter (where token_kind = 'image') as image_usd,
        valid_from,
        valid_to,
        source,
    from fitting
    group by model_id, endpoint_type, region, service_tier, context_band, valid_from, valid_to, source
    order by
        model_id,
        endpoint_type,
        region,
        service_tier,
        context_band desc,
        valid_from,
        valid_to,
        source
"""

UNPRICED = """
    select
        coalesce(model_id, profile_id) as model_id,
        endpoint_type,
        region,
        service_tier,
        cost_status as reason,
        count(*) as calls,
        coalesce(sum(input_tokens), 0)::bigint as input_tokens,
        coalesce(sum(output_tokens), 0)::bigint as output_tokens,
    from marts.invocations
    where usage_date between $first_day and $last_day and cost_usd is null
    group by all
    order by calls desc, model_id, endpoint_type, region, service_tier, reason
"""

LOGGING = """
    select
        scopes.account_id,
        scopes.account_name,
        scopes.region,
        max_by(delivery.is_on, delivery.snapshot_date) as is_on,
        max(delivery.snapshot_date) as as_of,
    from raw.scopes as scopes
    left join raw.log_delivery as delivery using (account_id, region)
    where coalesce(scopes.is_configured, true)
    group by scopes.account_id, scopes.account_name, scopes.region
    order by scopes.account_name, scopes.region
"""

# A day is in one state when all its ModelIds are, else incomplete.
COMPLETENESS = """
    with days as (
        select
            account_id,
            any_value(account_name) as account_name,
            region,
            usage_date,
            sum(cloudwatch_calls) as cloudwatch_calls,
            sum(logged_calls) as logged_calls,
            sum(cloudwatch_tokens) as cloudwatch_tokens,
            sum(logged_tokens) as logged_tokens,
            min(ratio) as lowest_ratio,
            if(min(status) = max(status), min(status), 'incomplete') as status,
        from marts.data_completeness
        where usage_date between $first_day and $last_day
        group by account_id, region, usage_date
    ),

    -- Equal for days of one state that follow each other.
    stretches as (
        select
            *,
            usage_date
            - row_number() over (partition by account_id, region, status order by usage_date)::integer as stretch,
        from days
    )

    select
        account_id,
        any_value(account_name) as account_name,
        region,
        min(usage_date) as first_day,
        max(usage_date) as last_day,
        sum(cloudwatch_calls)::bigint as cloudwatch_calls,
        sum(logged_calls)::bigint as logged_calls,
        sum(cloudwatch_tokens)::bigint as cloudwatch_tokens,
        sum(logged_tokens)::bigint as logged_tokens,
        least(
            sum(logged_calls) / nullif(sum(cloudwatch_calls), 0)::double,
            sum(logged_tokens) / nullif(sum(cloudwatch_tokens), 0)::double
        ) as ratio,
        min(lowest_ratio) as lowest_ratio,
        status,
    from stretches
    group by account_id, region, status, stretch
    order by account_name, account_id, region, first_day
"""

# A ModelId of no pool has a NULL model.
INCOMPLETE_MODELS = """
    select distinct pools.model_id
    from marts.data_completeness as completeness
    left join marts.quota_pools as pools using (pool_id)
    where completeness.usage_date between $first_day and $last_day and completeness.status <> 'complete'
"""

LOG_SOURCES = """
    with objects as (
        select
            source,
            account_id,
            region,
            count(*) as objects,
            count(*) filter (where not is_complete) as broken_objects,
            coalesce(sum(record_count), 0)::bigint as records,
        from ops.ingested_objects
        where folder_date between $first_day and $last_day
        group by source, account_id, region
    ),

    quarantined as (
        select
            source,
            account_id,
            region,
            count(*) as quarantined_records,
        from ops.quarantined_records
        where folder_date between $first_day and $last_day
        group by source, account_id, region
    )

    select
        coalesce(objects.source, quarantined.source) as source,
        coalesce(objects.account_id, quarantined.account_id) as account_id,
        coalesce(objects.region, quarantined.region) as region,
        coalesce(objects.objects, 0) as objects,
        coalesce(objects.broken_objects, 0) as broken_objects,
        coalesce(objects.records, 0) as records,
        coalesce(quarantined.quarantined_records, 0) as quarantined_records,
    from objects
    full join quarantined
        on
            objects.source = quarantined.source
            and objects.account_id is not distinct from quarantined.account_id
            and objects.region is not distinct from quarantined.region
    order by all
"""
