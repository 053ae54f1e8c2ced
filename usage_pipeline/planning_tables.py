"""The tables of `marts` that Python makes, because their formulas are not SQL: percentiles, forecasts, recommendations.

Here: names, columns, types and one line on what each row is. Not here: how they are made (`assets/planning.py`), the
formulas (`planning/`), the marts that SQL makes (`dbt_like_sql/marts`).
"""

from usage_pipeline.stored_table import StoredTable, columns_of

_POOL = """
    pool_id | varchar | what one set of quotas limits
    account_id | varchar | twelve-digit AWS account
    account_name | varchar | the account's name in the configuration
    region | varchar | source Region: where callers send their requests
"""

_QUOTA = _POOL + "quota | varchar | tpm, rpm or tpd\n"

PERCENTILE_CONFIDENCE = StoredTable(
    "marts",
    "percentile_confidence",
    "One row per pool, quota (tpm, rpm), basis and percentile of the 30 newest whole UTC days: how sure it is.",
    columns_of(
        _QUOTA
        + """
        basis | varchar | active: minutes with traffic; all: every minute that was read, idle ones as 0
        percentile | varchar | p50, p90, p95, p99, p999 or max
        value | double | the percentile, tokens or requests per minute; a value that occurred
        low | double | lower end of the 95 % interval; for max of the level passed once in 30 days, NULL if no tail fits
        high | double | upper end of the 95 % interval
        grade | varchar | high, medium or low; NULL without an interval
        data_points | bigint | minutes that were looked at
        days | integer | days of which anything is known
        window_start | date | first day
        window_end | date | last day
    """
    ),
)

QUOTA_RECOMMENDATIONS = StoredTable(
    "marts",
    "quota_recommendations",
    "One row per pool used in the 30 newest whole UTC days and quota: what to ask AWS for, and how long it lasts.",
    columns_of(
        _QUOTA
        + """
        quota_code | varchar | code of the quota; NULL when none is mapped
        quota_name | varchar | AWS's name of it
        current_limit | bigint | newest limit; NULL when unknown
        recommended | bigint | quota that leaves a fifth free two weeks from now; NULL for tpd
        recommended_low | bigint | the same at the lower ends of peak and growth
        recommended_high | bigint | the same at the upper ends
        ratio | double | recommended / current limit
        action | varchar | increase, lower_max_tokens, enough or limit_unknown; NULL for tpd
        grade | varchar | of the P99.9 that it rests on: high, medium or low; NULL for tpd
        dominant_term | varchar | what asks for most: use, reservations or growth; NULL for tpd
        caveats | varchar[] | reservations_unknown: no complete logs; no_trend: fewer than 14 days
        peak | double | P99.9 of all minutes; for tpd the highest day
        peak_high | double | upper end of its 95 % interval; NULL for tpd
        return_level | double | level passed once in 30 days; NULL for tpd
        reserved_peak | bigint | highest sum of reservations in the peak hours; NULL without complete logs
        daily_growth | double | of the trend as a share a day; NULL with fewer than 14 days
        daily_growth_low | double | in nine of ten cases above
        daily_growth_high | double | in nine of ten cases below
        reaches_80pct | varchar | reached, dated, later, no_upward_trend or too_few_days; NULL without a limit
        reaches_80pct_on | date | when a daily peak first takes 80 % of the limit; NULL after 180 days
        reaches_80pct_earliest | date | in nine of ten cases not before
        reaches_80pct_latest | date | in nine of ten cases not after
        reaches_limit | varchar | the same of the whole limit
        reaches_limit_on | date | when a daily peak first takes all of the limit
        reaches_limit_earliest | date | in nine of ten cases not before
        reaches_limit_latest | date | in nine of ten cases not after
        request_text | varchar | text of the increase request; NULL unless the limit is below what is recommended
        trend_grade | varchar | of growth and dates: of the forecast two weeks ahead; NULL with fewer than 14 days
        evidence_sql | varchar | query that shows the days behind it, and counts `peak` anew as `window_peak`
        as_of | date | last day that was looked at
    """
    ),
)

MAX_TOKENS_RECOMMENDATIONS = StoredTable(
    "marts",
    "max_tokens_recommendations",
    "One row per pool and application with logged calls in the 30 newest whole UTC days: which max_tokens is enough.",
    columns_of(
        _POOL
        + """
        application | varchar | by the first rule of the configuration that fits
        requests | bigint | logged calls that were answered and whose max_tokens is known
        requests_without_max_tokens | bigint | of these, calls that set none: the model's maximum counts
        requests_without_latency | bigint | of these, calls whose log has no latency: it was filled in
        p999_output | bigint | P99.9 of answers that were not cut, tokens
        p999_output_low | bigint | lower end of its 95 % interval
        p999_output_high | bigint | upper end of its 95 % interval
        grade | varchar | of it: high, medium or low
        max_tokens_p50 | bigint | usual max_tokens today
        max_tokens_max | bigint | highest max_tokens today
        recommended | bigint | cap that is enough; NULL when none is recommended
        status | varchar | lower, already_right, truncated or too_few_requests
        reason | varchar | why none is recommended; NULL when one is
        truncated_share | double | answers that ended at max_tokens today
        truncated_share_after | double | answers that would end at max_tokens; NULL when none is recommended
        freed_tokens | double | mean of tokens held that would be free; NULL when unknown or none is recommended
        more_at_once | bigint | more calls that fit at once into the limit; NULL when that is unknown
        evidence_sql | varchar | query that counts the calls behind it anew, columns by the same names
        as_of | date | last day that was looked at
    """
    ),
)

QUOTA_FORECASTS = StoredTable(
    "marts",
    "quota_forecasts",
    "One row per pool, quota and UTC day of the 30 to come: the highest minute (tpd: the day's total) to expect.",
    columns_of(
        _QUOTA
        + """
        usage_date | date | the day to come
        forecast | double | middle of what is expected, in the unit of the quota
        low | double | lower end of the 80 % interval
        high | double | upper end of the 80 % interval
        grade | varchar | by known days and width of the interval: high, medium or low
        limit_value | bigint | newest limit; NULL when unknown
        as_of | date | last day that was looked at
    """
    ),
)

FORECAST_BACKTESTS = StoredTable(
    "marts",
    "forecast_backtests",
    "One row per pool, quota, UTC day of the last seven and day on which it was forecast: forecast against truth.",
    columns_of(
        _QUOTA
        + """
        usage_date | date | the day that was forecast, and has passed
        forecast_on | date | last day that the forecast knew
        forecast | double | middle of what was expected, in the unit of the quota
        low | double | lower end of the 80 % interval
        high | double | upper end of the 80 % interval
        truth | double | what came
        is_inside | boolean | whether the truth lies in the interval
    """
    ),
)

DAY_END_FORECASTS = StoredTable(
    "marts",
    "day_end_forecasts",
    "One row per pool used lately whose day after the newest whole UTC day was read in part: its tokens to its end.",
    columns_of(
        _POOL
        + """
        usage_date | date | the day that is not over
        covered_until | timestamp | end of what was read of it
        status | varchar | projected, too_early, no_history or unknown_use
        used_tokens | bigint | consumed so far; NULL when a minute of it is unknown
        projected_tokens | double | at the day's end, as the last four same weekdays went; NULL unless projected
        low | double | if it goes on as the one of these that had used most by now; NULL unless projected
        high | double | if it goes on as the one that had used least; NULL when that had used nothing
        grade | varchar | by weeks and their distance: high, medium or low; NULL unless projected
        limit_value | bigint | newest tokens per day; NULL when unknown
        reaches_limit_at | timestamp | when the tokens per day are used up; NULL when they are not
        weekdays | integer | same weekdays with use that were looked at
        evidence_sql | varchar | query that shows the day and these weekdays by the hour
    """
    ),
)

ENDPOINT_MOVES = StoredTable(
    "marts",
    "endpoint_moves",
    "One row per pool used lately and endpoint type of the same model whose limits would hold the peaks of both.",
    columns_of(
        _POOL
        + """
        to_pool_id | varchar | the pool of the other endpoint type
        to_endpoint_type | varchar | on_demand, geo or global
        peak | double | P99.9 of the pool's tokens of all minutes
        to_peak | double | the same of the other pool; 0 without calls
        to_limit | bigint | newest tokens per minute of the other pool
        utilization | double | both peaks, added, over that limit; 0.8 at most
        rpm_utilization | double | the same of requests per minute; NULL when that limit is not known
        cost_change | double | what the pool's own tokens would cost more, as a share; NULL when a price is not known
        grade | varchar | of the pool's peak: high, medium or low
        evidence_sql | varchar | query that shows both peaks and the limit, columns by the same names
        as_of | date | last day that was looked at
    """
    ),
)

CACHE_OPPORTUNITIES = StoredTable(
    "marts",
    "cache_opportunities",
    "One row per pool and application with logged input where caching has a price: what it saves, and what it could.",
    columns_of(
        _POOL
        + """
        application | varchar | by the first rule of the configuration that fits
        input_tokens | bigint | input of the 30 newest whole days without what was cached
        cache_read_tokens | bigint | read from the cache; these count for no quota
        cache_write_tokens | bigint | written to it
        hit_ratio | double | share of all input that was read from the cache
        saved_usd | decimal(38, 12) | what the cache saved; below zero when writes cost more; NULL without a price
        break_even_reads | double | reads of a five-minute write from which on it pays; NULL when never
        repeated_share | double | assumed share of the input that is the same again
        reads_per_write | integer | assumed reads of each cached beginning
        possible_usd | decimal(38, 12) | what caching that share would save
        possible_quota_tokens | bigint | tokens that would no longer count towards the quota
        grade | varchar | low, because nobody knows what is repeated
        evidence_sql | varchar | query that counts the tokens and the saving anew, columns by the same names
        as_of | date | last day that was looked at
    """
    ),
)

COST_FORECASTS = StoredTable(
    "marts",
    "cost_forecasts",
    "One row per subject with cost: what the UTC month of the newest whole day has cost, and will have at its end.",
    columns_of("""
        usage_month | date | first day of the month
        subject_kind | varchar | total, scope, application or tag
        subject | varchar | everything, account/Region, an application, or key=value
        account_id | varchar | of a scope; NULL for the others
        account_name | varchar | of a scope
        region | varchar | of a scope
        to_date_usd | decimal(38, 12) | cost of the month's whole days that are known; NULL when no call has a price
        projected_usd | decimal(38, 12) | at the month's end, in cents; NULL without an earlier same weekday
        low_usd | decimal(38, 12) | lower end of the 80 % interval; NULL with fewer than seven comparable days
        high_usd | decimal(38, 12) | upper end of the 80 % interval
        grade | varchar | by known days and width of the interval: high, medium or low; NULL without a projection
        projected_days | integer | days of the month to come or not known
        unpriced_calls | bigint | calls of the month whose cost is unknown and in no number
        as_of | date | newest whole day
    """),
)

ANOMALIES = StoredTable(
    "marts",
    "anomalies",
    "One row per UTC day, subject and metric that stands out from its own past; profiles that nobody uses among them.",
    columns_of("""
        usage_date | date | the day that stands out; of idle profiles the newest whole day
        subject_kind | varchar | application_model, tag_model, pool, caller or profile
        subject | varchar | application/model id, key=value/model id, pool, account/caller, or account/Region/profile
        metric | varchar | cost_usd, consumed_tokens or idle_days
        account_id | varchar | of a pool or profile; NULL for the others
        account_name | varchar | of a pool or profile
        region | varchar | of a pool or profile
        value | decimal(38, 12) | in USD, tokens or days
        expected | decimal(38, 12) | usual value; of idle_days the 30 days from which on it is told
        score | double | robust standard deviations in between; NULL where the past never varied, and for idle_days
    """),
)

PLANNING_TABLES = (
    PERCENTILE_CONFIDENCE,
    QUOTA_RECOMMENDATIONS,
    MAX_TOKENS_RECOMMENDATIONS,
    QUOTA_FORECASTS,
    FORECAST_BACKTESTS,
    DAY_END_FORECASTS,
    ENDPOINT_MOVES,
    CACHE_OPPORTUNITIES,
    COST_FORECASTS,
    ANOMALIES,
)
