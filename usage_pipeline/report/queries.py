"""The queries behind the report's tables. They choose, join and order rows; formulas stay in `dbt_like_sql/`.

`$first_day` and `$last_day` are the report's UTC days, both inclusive; `$windows` is a list of window names.
"""

WINDOWS = """
    select
        window_name,
        min(window_start) as window_start,
        max(window_end) as window_end,
    from marts.usage_statistics
    group by window_name
"""

SCOPES = """
    select
        scopes.account_id,
        scopes.account_name,
        scopes.region,
        max(status.covered_until) as data_up_to,
    from raw.scopes as scopes
    left join ops.source_status as status
        on
            scopes.account_id = status.account_id
            and scopes.region = status.region
            and status.source = 'cloudwatch_metrics'
    where coalesce(scopes.is_configured, true)
    group by all
    order by scopes.account_name, scopes.region
"""

COVERED_TIMES = """
    select
        account_id,
        region,
        covered_from,
        covered_until,
    from staging.stg_cloudwatch_coverage
    -- One day earlier: the longest window begins within it.
    where usage_date between $first_day - 1 and $last_day
    order by account_id, region, covered_from
"""

CHECK_RESULTS = """
    select
        check_name,
        asset,
        passed,
        severity,
        failing_rows,
        description,
        examples,
    from ops.check_results
    order by passed, severity, check_name, asset
"""

POOLS = """
    select
        pool_id,
        account_id,
        account_name,
        region,
        provider,
        model_id,
        model_name,
        endpoint_type,
        burndown_rate,
        burndown_source,
        max_output_tokens,
        tpm_quota_code,
        tpm_quota_name,
        tpm_limit,
        tpm_limit_source,
        tpm_mapping_status,
        rpm_quota_code,
        rpm_quota_name,
        rpm_limit,
        rpm_limit_source,
        rpm_mapping_status,
        tpd_quota_code,
        tpd_quota_name,
        tpd_limit,
        tpd_limit_source,
        tpd_mapping_status,
        tpd_is_doubled,
        concurrency_quota_code,
        concurrency_quota_name,
        concurrency_limit,
        concurrency_limit_source,
        concurrency_mapping_status,
        limit_as_of,
        mapping_method,
        mapping_status,
        last_used_date,
    from marts.quota_pools
    order by pool_id
"""

# The worst day decides, the earliest of equals: by utilization, or by the peak itself while no limit is known.
QUOTA_PEAKS = """
    select
        pool_id,
        quota,
        arg_min(peak, (-coalesce(utilization_peak, 0), -peak, usage_date)) as peak,
        max(utilization_peak) as utilization_peak,
        1 - max(utilization_peak) as headroom,
        sum(minutes_over_80pct)::bigint as minutes_over_80pct,
        sum(minutes_over_limit)::bigint as minutes_over_limit,
        arg_min(worst_minute, (-coalesce(utilization_peak, 0), -peak, usage_date)) as worst_minute,
        arg_min(top_profiles, (-coalesce(utilization_peak, 0), -peak, usage_date)) as top_profiles,
        count(*) filter (where resolution_seconds > 60) as coarse_days,
    from marts.quota_headroom
    where usage_date between $first_day and $last_day
    group by pool_id, quota
"""

QUOTA_DAYS = """
    select
        pool_id,
        quota,
        usage_date,
        limit_value,
        peak,
        p50,
        p90,
        p99,
        p50_active,
        p90_active,
        p99_active,
        utilization_peak,
        minutes_over_80pct,
        minutes_over_limit,
        throttles,
        throttled_minutes,
        worst_minute,
        top_profiles,
        resolution_seconds,
    from marts.quota_headroom
    where usage_date between $first_day and $last_day
    order by pool_id, quota, usage_date
"""

# Throttles stand on each quota's row of a day; tpd has a row for every day with use, and its peak is the day's total.
POOL_TOTALS = """
    select
        pool_id,
        sum(throttles)::bigint as throttles,
        sum(throttled_minutes)::bigint as throttled_minutes,
        if(bool_or(peak is null), null, sum(peak))::bigint as consumed_tokens,
    from marts.quota_headroom
    where quota = 'tpd' and usage_date between $first_day and $last_day
    group by pool_id
"""

# Profiles that were used in the report's days, and those that people made even when idle.
PROFILES = """
    with used as (
        select distinct
            pool_id,
            profile_id,
        from marts.usage_minutely
        where pool_id is not null and usage_date between $first_day - 1 and $last_day
    )

    select
        profiles.pool_id,
        profiles.profile_id,
        coalesce(profiles.profile_name, profiles.profile_id) as profile_name,
        profiles.profile_kind,
        profiles.tags,
    from intermediate.int_profiles as profiles
    left join used using (pool_id, profile_id)
    where
        profiles.pool_id is not null
        and (used.profile_id is not null or (profiles.is_listed and profiles.profile_kind not in ('base', 'system')))
    order by profiles.pool_id, profiles.profile_kind, profile_name, profiles.profile_id
"""

STATISTICS = """
    select
        pool_id,
        profile_id,
        window_name,
        metric,
        basis,
        p50,
        p90,
        p95,
        p99,
        p999,
        max,
        average,
        total,
        data_points,
        unknown_periods,
        covered_minutes,
        coarse_minutes,
        window_minutes,
        partial_days,
    from marts.usage_statistics
    where window_name in (select unnest($windows))
    -- Bases are often alike, and rows that repeat in the same order are packed small.
    order by pool_id, profile_id <> 'ALL', profile_id, basis, metric, window_minutes
"""

CONTRIBUTIONS = """
    with pivoted as (
        select
            pool_id,
            profile_id,
            window_name,
            window_minutes,
            basis,
            any_value(p50) filter (where metric = 'tpm') as tpm_p50,
            any_value(p90) filter (where metric = 'tpm') as tpm_p90,
            any_value(average) filter (where metric = 'tpm') as tpm_average,
            any_value(p50) filter (where metric = 'rpm') as rpm_p50,
            any_value(p90) filter (where metric = 'rpm') as rpm_p90,
            any_value(average) filter (where metric = 'rpm') as rpm_average,
            any_value(p50) filter (where metric = 'tpd') as tpd_p50,
            any_value(p90) filter (where metric = 'tpd') as tpd_p90,
            any_value(average) filter (where metric = 'tpd') as tpd_average,
            any_value(total) filter (where metric = 'tpm') as consumed_tokens,
            any_value(total) filter (where metric = 'invocations') as invocations,
            any_value(total) filter (where metric = 'throttles') as throttles,
        from marts.usage_statistics
        where window_name in (select unnest($windows))
        group by pool_id, profile_id, window_name, window_minutes, basis
    )

    select
        parts.*,
        parts.consumed_tokens / nullif(pools.consumed_tokens, 0)::double as share,
    from pivoted as parts
    inner join pivoted as pools using (pool_id, window_name, basis)
    where parts.profile_id <> 'ALL' and pools.profile_id = 'ALL'
    order by
        parts.pool_id,
        parts.window_minutes,
        parts.basis,
        parts.consumed_tokens desc nulls last,
        parts.throttles desc nulls last,
        parts.profile_id
"""

UNRESOLVED_PROFILES = """
    select
        account_id,
        account_name,
        region,
        profile_id,
        profile_name,
        profile_kind,
        status,
        reason,
        candidates,
        invocations,
        throttles,
        input_tokens,
        output_tokens,
        last_used,
    from marts.unresolved_profiles
    order by input_tokens + output_tokens desc, account_id, region, profile_id
"""
