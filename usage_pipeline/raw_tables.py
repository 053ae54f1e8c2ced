"""The tables that Python writes: what AWS said (`raw`), how the reading went (`ops`), and all of them by name.

Here: names, columns, types and one line on what each row is. Not here: the marts that Python makes
(`planning_tables.py`), Amazon Q Developer's tables (`q_developer_tables.py`), SQL models (`dbt_like_sql/`), connections
(`warehouse.py`), reading (`aws/`).
"""

from usage_pipeline.planning_tables import PLANNING_TABLES
from usage_pipeline.q_developer_tables import Q_DEVELOPER_TABLES, Q_DEVELOPER_TERM_TABLES
from usage_pipeline.stored_table import StoredTable, columns_of

_SCOPE = """
    account_id | varchar | twelve-digit AWS account that was read
    region | varchar | source Region: where callers send their requests
"""

_SNAPSHOT = "snapshot_date | date | UTC day on which AWS was asked" + _SCOPE

_METRIC_POINT = (
    "usage_date | date | UTC day of `ts`"
    + _SCOPE
    + """
    namespace | varchar | CloudWatch namespace
    dimension_set | varchar | `ModelId` for one model's series, `none` for the total of the account and Region
    model_id | varchar | the ModelId dimension as CloudWatch spells it; NULL for `none`
    metric_name | varchar | CloudWatch metric name
    statistic | varchar | CloudWatch statistic: Sum, SampleCount, p50, p90, p99
    ts | timestamp | start of the period, UTC
    period_seconds | integer | length of the period: 60, 300 or 3600
    value | double | the statistic's value in the metric's unit
"""
)

SCOPES = StoredTable(
    "raw",
    "scopes",
    "One row per account and Region that the configuration names, also when it could not be read.",
    columns_of(
        _SCOPE
        + """
        account_name | varchar | the account's name in the configuration
        aws_partition | varchar | aws or aws-us-gov
        is_configured | boolean | false once the configuration no longer names it; its stored usage stays
    """
    ),
)

ENABLED_REGIONS = StoredTable(
    "raw",
    "enabled_regions",
    "One row per account and Region with Bedrock that is enabled in it, as `usage-pipeline refresh regions` last read.",
    columns_of("""
        account_id | varchar | twelve-digit AWS account that was asked
        account_name | varchar | the account's name in the configuration
        region | varchar | an enabled Region that has Bedrock, whether the configuration names it or not
        asked_at | timestamp | when AWS said so, UTC
    """),
)

FOUNDATION_MODELS = StoredTable(
    "raw",
    "foundation_models",
    "One row per day asked, account, Region and foundation model.",
    columns_of(
        _SNAPSHOT
        + """
        model_id | varchar | foundation model id, such as amazon.nova-lite-v1:0
        model_arn | varchar | foundation model ARN
        model_name | varchar | the model's display name, such as Nova Lite
        provider_name | varchar | the provider's display name, such as Amazon
        input_modalities | varchar[] | TEXT, IMAGE, SPEECH, …
        output_modalities | varchar[] | TEXT, IMAGE, EMBEDDING, …
        inference_types | varchar[] | ON_DEMAND, PROVISIONED, INFERENCE_PROFILE
        lifecycle_status | varchar | ACTIVE or LEGACY
        legacy_at | timestamp | when the model becomes legacy, UTC; NULL when AWS does not say
        extended_access_at | timestamp | from when a legacy model may cost more, UTC; NULL when AWS does not say
        end_of_life_at | timestamp | when the model stops answering, UTC; NULL when AWS does not say
    """
    ),
    "snapshot_date",
)

INFERENCE_PROFILES = StoredTable(
    "raw",
    "inference_profiles",
    "One row per day asked, account, Region and inference profile, system-defined or application.",
    columns_of(
        _SNAPSHOT
        + """
        profile_id | varchar | profile id as CloudWatch's ModelId has it: us.amazon.nova-lite-v1:0 or abc123def456
        profile_arn | varchar | profile ARN
        profile_name | varchar | the profile's name; text that people choose
        profile_type | varchar | SYSTEM_DEFINED or APPLICATION
        status | varchar | ACTIVE
        model_arns | varchar[] | ARNs of the foundation models that it routes to, in AWS's order
        tags | map(varchar, varchar) | the profile's tags; NULL when they could not be read
        created_at | timestamp | UTC
        updated_at | timestamp | UTC
    """
    ),
    "snapshot_date",
)

CUSTOM_DEPLOYMENTS = StoredTable(
    "raw",
    "custom_deployments",
    "One row per day asked, account, Region and on-demand custom model deployment.",
    columns_of(
        _SNAPSHOT
        + """
        deployment_arn | varchar | the deployment's ARN, which is its ModelId in CloudWatch
        deployment_name | varchar | the deployment's name; text that people choose
        model_arn | varchar | ARN of the custom model
        base_model_arn | varchar | ARN of the foundation model it was made from; NULL when it could not be read
        status | varchar | Creating, Active or Failed
        created_at | timestamp | UTC
    """
    ),
    "snapshot_date",
)

IMPORTED_MODELS = StoredTable(
    "raw",
    "imported_models",
    "One row per day asked, account, Region and imported model.",
    columns_of(
        _SNAPSHOT
        + """
        model_arn | varchar | the imported model's ARN, which is its ModelId in CloudWatch
        model_name | varchar | the model's name; text that people choose
        model_architecture | varchar | such as llama or mistral
        instruct_supported | boolean | whether the model takes chat messages
        created_at | timestamp | UTC
    """
    ),
    "snapshot_date",
)

SERVICE_QUOTAS = StoredTable(
    "raw",
    "service_quotas",
    "One row per account, Region, Bedrock quota code and period in which AWS said the same of it: applied values "
    "merged over AWS's defaults.",
    columns_of(
        _SCOPE
        + """
        quota_code | varchar | such as L-F4DDD3EB; the same code in every Region
        quota_name | varchar | AWS's own name, from which model and metric are read
        limit_value | double | applied value, else default value; 0 is a value
        limit_source | varchar | applied or default
        default_value | double | AWS's default; NULL when AWS lists none
        unit | varchar | as AWS says; None for token quotas
        adjustable | boolean | whether an increase can be asked for
        quota_arn | varchar | the quota's ARN
        valid_from | timestamp | when it was first read so, UTC
        valid_to | timestamp | when it was read differently or was no longer listed, UTC; NULL while it holds
    """
    ),
)

CLOUDWATCH_METRICS = StoredTable(
    "raw",
    "cloudwatch_metrics",
    "One row per AWS/Bedrock series, statistic and period that had data. AWS returns nothing for an idle period.",
    columns_of(_METRIC_POINT),
    "usage_date",
)

MAX_TOKENS_METRIC = StoredTable(
    "raw",
    "max_tokens_metric",
    "One row per minute and ModelId of the MaxTokens metric that callers publish to the Bedrock/Quotas namespace.",
    columns_of(_METRIC_POINT),
    "usage_date",
)

QUOTA_MAPPINGS = StoredTable(
    "raw",
    "quota_mappings",
    "One row per account, Region, model, endpoint type and kind of quota: which quota code limits it, and why.",
    columns_of(
        _SCOPE
        + """
        model_id | varchar | foundation model id
        endpoint_type | varchar | on_demand, geo, global or custom_deployment
        quota_kind | varchar | tpm, rpm, tpd or concurrency
        quota_code | varchar | NULL unless status is mapped
        quota_name | varchar | AWS's name of the quota: the evidence
        method | varchar | override, rule, llm or none
        status | varchar | mapped, no_quota or unmapped
        reason | varchar | why, in a sentence or two
        mapper_model_id | varchar | model that was asked; NULL unless method is llm
        mapped_at | timestamp | when this mapping was first made so, UTC
    """
    ),
)

QUOTA_OVERRIDES = StoredTable(
    "raw",
    "quota_overrides",
    "One row per decision of a person about which quota code limits a model, which wins over rules and models.",
    columns_of("""
        account_id | varchar | account for which it holds; NULL for every one
        region | varchar | source Region for which it holds; NULL for every one
        model_id | varchar | foundation model id
        endpoint_type | varchar | on_demand, geo, global or custom_deployment
        quota_kind | varchar | tpm, rpm, tpd or concurrency
        quota_code | varchar | NULL where the person says that AWS has no such quota
        quota_name | varchar | the quota's name as the file has it
    """),
)

LLM_QUOTA_MAPPINGS = StoredTable(
    "raw",
    "llm_quota_mappings",
    "One row per account, Region, model, endpoint type and kind of quota about which a language model was asked: the "
    "newest answer, and whether it is believed. Only names of models and quotas are sent.",
    columns_of(
        _SCOPE
        + """
        model_id | varchar | foundation model id
        endpoint_type | varchar | on_demand, geo, global or custom_deployment
        quota_kind | varchar | tpm, rpm, tpd or concurrency
        candidate_hash | varchar | SHA-256 of the question: model, endpoint type, candidates, wording
        answered_code | varchar | the code it chose, or none; NULL when the answer could not be read
        status | varchar | accepted or refused
        refused_for | varchar | format, candidates, kind, endpoint_type or rule; NULL when accepted
        reason | varchar | one sentence: why it is refused
        evidence | varchar | what the model said for it, at most 200 characters; NULL when it could not be read
        mapper_model_id | varchar | the model that was asked
        input_tokens | bigint | tokens of the whole question, the same on each row that it answered
        output_tokens | bigint | tokens of the whole answer, the same on each row that it answered
        cost_usd | decimal(38, 12) | cost of both at list prices, the same on each row; NULL when no price is known
        asked_at | timestamp | UTC
    """
    ),
)

BURNDOWN_RATES = StoredTable(
    "raw",
    "burndown_rates",
    "One row per model pattern and validity: quota tokens that one output token takes.",
    columns_of("""
        model_pattern | varchar | glob over the foundation model id; the longest pattern that matches wins
        rate | double | quota tokens per output token
        valid_from | date | first UTC day
        valid_to | date | last UTC day; NULL while it holds
        basis | varchar | documented, or assumed where AWS has not said
        source | varchar | where the rate is written, with a date
    """),
)

MODEL_LIMITS = StoredTable(
    "raw",
    "model_limits",
    "One row per model pattern: the most output tokens one request can ask for.",
    columns_of("""
        model_pattern | varchar | glob over the foundation model id; the longest pattern that matches wins
        max_output_tokens | bigint | tokens reserved when a request does not set max_tokens
        source | varchar | where it is written, with a date
    """),
)

ENDPOINT_PREFIXES = StoredTable(
    "raw",
    "endpoint_prefixes",
    "One row per known prefix of a system inference profile id.",
    columns_of("""
        prefix | varchar | such as us, jp or global
        endpoint_type | varchar | geo or global
        source | varchar | where it is written, with a date
    """),
)

INVOCATIONS = StoredTable(
    "raw",
    "invocations",
    "One row per request in the model invocation logs; never its prompt or answer. A request that was logged twice "
    "has one row.",
    columns_of(
        "usage_date | date | UTC day of `ts`"
        + _SCOPE
        + """
        request_id | varchar | AWS's request id; unique in account and Region
        ts | timestamp | when the request was made, UTC, whole seconds as AWS logs it
        operation | varchar | Converse, ConverseStream, InvokeModel, InvokeModelWithResponseStream, …
        logged_model_id | varchar | modelId as the caller passed it: an id or an ARN
        profile_id | varchar | the same as CloudWatch's ModelId spells it
        inference_region | varchar | Region that ran a cross-Region request; NULL when AWS does not say
        principal_arn | varchar | IAM or STS ARN of the caller
        request_metadata | map(varchar, varchar) | what the caller attached to the request; NULL when nothing
        error_code | varchar | such as ThrottlingException; NULL for a request that was answered
        input_tokens | bigint | uncached input tokens; NULL when the log has no count
        output_tokens | bigint | output tokens; NULL when the log has no count
        cache_read_tokens | bigint | tokens read from the prompt cache; NULL when the log has no count
        cache_write_tokens | bigint | tokens written to the prompt cache, all lifetimes; NULL when the log has no count
        cache_write_5m_tokens | bigint | those kept for five minutes; NULL when the log does not split them
        cache_write_1h_tokens | bigint | those kept for an hour; NULL when the log does not split them
        output_images | bigint | images in the answer; NULL when the log has no count
        max_tokens | bigint | most output tokens that the caller asked for; NULL when the log does not say
        stop_reason | varchar | why the answer ended, such as end_turn or max_tokens
        latency_ms | double | milliseconds from request to last token; NULL when the log does not say
        ttft_ms | double | milliseconds from request to first token; NULL when the log does not say
        service_tier | varchar | default, flex, priority or reserved; NULL when the log does not say
    """
    ),
    "usage_date",
)

LOG_DELIVERY = StoredTable(
    "raw",
    "log_delivery",
    "One row per day asked, account and Region: where model invocation logs go, or that logging is off.",
    columns_of(
        _SNAPSHOT
        + """
        is_on | boolean | whether invocations are logged at all
        bucket | varchar | S3 bucket; NULL when logs do not go to S3
        key_prefix | varchar | prefix of the keys in the bucket, without AWSLogs; empty when there is none
        log_group | varchar | CloudWatch Logs group; NULL when logs do not go there
        text_is_delivered | boolean | whether bodies of text requests are logged, which max_tokens and latency need
        source | varchar | aws, or configuration where the configuration file names the place
    """
    ),
    "snapshot_date",
)

MODEL_PRICES = StoredTable(
    "raw",
    "model_prices",
    "One row per model, endpoint type, Region, tier, context band, kind of token and validity: what a token costs.",
    columns_of("""
        model_id | varchar | foundation model id
        endpoint_type | varchar | on_demand, geo or global
        region | varchar | source Region, or * for every Region without a row of its own
        service_tier | varchar | default, flex, priority or batch
        context_band | varchar | standard, or long for requests above the model's threshold
        context_threshold | bigint | input tokens (cached ones included) above which `long` holds; NULL when none
        token_kind | varchar | input, output, cache_read, cache_write_5m, cache_write_1h or image
        usd_per_million | decimal(18, 6) | US dollars for a million tokens, or for a million images
        valid_from | timestamp | first moment, UTC
        valid_to | timestamp | end, UTC, exclusive; NULL while it holds
        source | varchar | where the price is from, with a date
    """),
)

PRICE_OVERRIDES = StoredTable(
    "raw",
    "price_overrides",
    "One row per agreed price or discount of price_overrides.csv, which wins over list prices.",
    columns_of("""
        model_pattern | varchar | glob over the foundation model id; the longest pattern that matches wins
        endpoint_type | varchar | on_demand, geo, global, or * for all
        token_kind | varchar | input, output, …, or * for all
        usd_per_million | decimal(18, 6) | agreed price; NULL when discount_percent is given
        discount_percent | decimal(9, 6) | off the list price; NULL when usd_per_million is given
        valid_from | timestamp | first moment, UTC
        valid_to | timestamp | end, UTC, exclusive; NULL while it holds
        entered_by | varchar | who entered it
        changed_by | varchar | who edited the row last in the dashboard; NULL when nobody did
        changed_at | timestamp | when, UTC
    """),
)

BILL = StoredTable(
    "raw",
    "bill",
    "One row per line of AWS's bill for Bedrock: month billed, day, account, Region, product, usage type, resource and "
    "line type. Lines that an export has by the hour or twice for these are added up.",
    columns_of("""
        billing_month | date | first day of the month whose bill has the line
        payer_account_id | varchar | account that pays; NULL when the export does not say
        usage_date | date | UTC day on which the use began; of a tax or fee, the day that AWS gives it
        account_id | varchar | account that used it
        region | varchar | source Region; NULL for what AWS charges without one, such as taxes
        product_code | varchar | AmazonBedrock, …; a code of AWS Marketplace for models that are sold there
        product_name | varchar | such as Claude Sonnet 4.5 (Amazon Bedrock Edition); NULL when the export has none
        usage_type | varchar | such as USE1-NovaLite-input-tokens; NULL for what has none, such as taxes
        resource_id | varchar | ARN of the inference profile or model, where AWS gives it
        line_type | varchar | Usage, EdpDiscount, Credit, Refund, Tax, …, as AWS writes it
        unit | varchar | unit of the amount; NULL when the export has none
        usage_amount | decimal(38, 12) | how much was used, in `unit`; NULL when AWS gives none
        billed_usd | decimal(38, 12) | unblended cost in US dollars, negative for what AWS takes off
    """),
    "usage_date",
)

BILLED_USAGE_TYPES = StoredTable(
    "raw",
    "billed_usage_types",
    "One row per usage type and product of the bill: what it is for, or why that cannot be told.",
    columns_of("""
        usage_type | varchar | as AWS writes it
        product_name | varchar | as AWS writes it; NULL when the export has none
        region_code | varchar | AWS's billing code of the Region, such as USE1; NULL when it was not understood
        region | varchar | source Region of that code; NULL for a code that is not known
        model_words | varchar | what names the model: part of the usage type, or the product; NULL when not understood
        model_id | varchar | the one foundation model with that name; NULL when there is none or more than one
        endpoint_type | varchar | geo or global; NULL for on_demand and geo, which the bill does not always tell apart
        service_tier | varchar | default, flex, priority or batch; NULL when it was not understood
        context_band | varchar | standard or long; NULL when it was not understood
        token_kind | varchar | input, output, cache_read, cache_write_5m or cache_write_1h; NULL when not understood
        reason | varchar | why it was not understood or names no model; NULL otherwise
    """),
)

APPLICATION_RULES = StoredTable(
    "raw",
    "application_rules",
    "One row per rule of the configuration that names a request's application; the first that matches wins.",
    columns_of("""
        position | integer | order of the rules, from 1
        subject | varchar | role, user, session, metadata or tag: what the pattern is held against
        key | varchar | the metadata or tag key; NULL for the others
        pattern | varchar | regular expression over the whole text; group 1, if any, is the application's name
        application | varchar | the application's name when the pattern has no group
    """),
)

INGESTED_OBJECTS = StoredTable(
    "ops",
    "ingested_objects",
    "One row per log object that was read, so that the same content is never read again.",
    columns_of("""
        source | varchar | the raw table that it fills, such as invocations
        account_id | varchar | account of the log, from the key
        region | varchar | source Region of the log, from the key
        bucket | varchar | S3 bucket, or the log group for CloudWatch Logs
        key | varchar | object key, or the log group's time range
        etag | varchar | the content's ETag
        size_bytes | bigint | size as stored, compressed
        folder_date | date | UTC day of the folder
        record_count | bigint | records that were readable
        quarantined_count | bigint | records that were not
        is_complete | boolean | false when the object ended early
    """),
    "folder_date",
)

QUARANTINED_RECORDS = StoredTable(
    "ops",
    "quarantined_records",
    "One row per record of a log object that could not be read. Its text is not kept.",
    columns_of("""
        source | varchar | the raw table that it would have filled
        account_id | varchar | account of the log, from the key
        region | varchar | source Region of the log, from the key
        bucket | varchar | S3 bucket, or the log group
        key | varchar | object key
        folder_date | date | UTC day of the folder
        line_number | bigint | line in the object, from 1; NULL when the object itself is broken
        reason | varchar | what is wrong, without the text
        record_hash | varchar | SHA-256 of the record's bytes
    """),
    "folder_date",
)

SOURCE_STATUS = StoredTable(
    "ops",
    "source_status",
    "One row per scope, source and partition: how the latest reading went. Never says zero use when it could not read.",
    columns_of("""
        account_id | varchar | twelve digits; NULL when the account could not be reached or was not to be asked
        account_name | varchar | the account's name in the configuration
        region | varchar | source Region; NULL when the account could not be reached, or is read as a whole
        source | varchar | the raw table that the source fills, such as cloudwatch_metrics
        partition_date | date | UTC day of the partition
        status | varchar | ok, empty, denied, throttled or failed
        error_text | varchar | AWS's error code and message, or why there is nothing to read, at most 500 characters
        row_count | bigint | rows of this scope and day now in the table; NULL when it could not be read
        covered_until | timestamp | end of what was read of the day, UTC, exclusive; NULL when nothing was read
        resolution_seconds | integer | coarsest period of the day's series; NULL for sources that are not series
        api_calls | bigint | requests sent to AWS for this scope in the reading, shared by the days of one run
        run_id | varchar | Dagster run that read it last
        finished_at | timestamp | when the reading ended, UTC
    """),
    "partition_date",
)

CLOUDWATCH_SERIES = StoredTable(
    "ops",
    "cloudwatch_series",
    "One row per scope, day, namespace and ModelId that was asked, so that a finished day is never asked again.",
    columns_of("""
        account_id | varchar | twelve digits
        region | varchar | source Region
        usage_date | date | UTC day
        namespace | varchar | CloudWatch namespace
        model_id | varchar | ModelId dimension; empty for the account's total
        resolution_seconds | integer | coarsest period stored for the day
        covered_until | timestamp | end of what was read, UTC, exclusive
        is_final | boolean | read late enough after the day's end that CloudWatch will add no more
        query_set | varchar | hash of the metrics and statistics asked for
    """),
    "usage_date",
)

SQL_MODEL_BUILDS = StoredTable(
    "ops",
    "sql_model_builds",
    "One row per SQL model: what its table was last built from.",
    columns_of("""
        table_name | varchar | schema.table
        fingerprint | varchar | hash of the SQL and of the small tables it reads
        built_until | bigint | newest change in ops.day_changes that the table holds
    """),
)

COLUMN_LINEAGE = StoredTable(
    "ops",
    "column_lineage",
    "One row per column of a SQL model and column of another table that its values come from.",
    columns_of("""
        table_name | varchar | schema.table of the model
        column_name | varchar | the model's column
        source_table | varchar | schema.table that the model reads; NULL when the values come from none
        source_column | varchar | that table's column; NULL when the values come from none
        fingerprint | varchar | hash of the model's SQL, of the columns of all tables it reads and of who finds lineage
    """),
)

DAY_CHANGES = StoredTable(
    "ops",
    "day_changes",
    "One row per raw table and day: a number that grows each time the day's rows are replaced.",
    columns_of("""
        table_name | varchar | schema.table
        usage_date | date | UTC day that was replaced
        change | bigint | grows by one with each replacement in the warehouse
    """),
)

CHECK_RESULTS = StoredTable(
    "ops",
    "check_results",
    "One row per data check and asset: its latest result over the whole warehouse.",
    columns_of("""
        check_name | varchar | the statement that should be true
        asset | varchar | schema.table that the check is about
        passed | boolean | whether it is true
        severity | varchar | ERROR or WARN
        failing_rows | bigint | rows that contradict it
        description | varchar | what it means and what to do, for the person who gets the alert
        examples | varchar | up to 20 offending keys as a JSON list
    """),
)

FINDINGS = StoredTable(
    "ops",
    "findings",
    "One row per check and thing that the check found wrong, now or before: since when, how bad, and who was told.",
    columns_of("""
        finding_id | varchar | sixteen hexadecimal digits made from check, table and subject
        check_name | varchar | the statement that is not true
        asset | varchar | schema.table that the check is about
        subject | varchar | what it is about, as JSON of the key columns; {} when the check as a whole is one finding
        severity | varchar | ERROR or WARN, as last seen
        summary | varchar | one sentence
        description | varchar | what it means and what to do
        value | decimal(38, 6) | what was measured when last seen, in `unit`; NULL when unknown
        threshold | decimal(38, 6) | what it is held against, in `unit`; NULL when there is none
        unit | varchar | share (1 is the whole quota), USD, rows, …
        worst_value | decimal(38, 6) | highest value since it opened
        evidence | varchar | the worst contradicting row as last seen, as JSON
        first_seen_at | timestamp | when it was ever first seen, UTC
        opened_at | timestamp | since when it is, or last was, true without a break, UTC
        last_seen_at | timestamp | run that saw it last, UTC
        resolved_at | timestamp | first run that no longer saw it, UTC; NULL while it is open
        notice | varchar | newest change worth telling: open, worse or resolved
        notice_number | bigint | how many such changes there were
        notice_severity | varchar | worst severity that was to be told since it opened
        notice_value | decimal(38, 6) | highest value that was to be told since it opened
        notified_at | timestamp | newest message about it that some channel took, UTC; as known when the run began
        notified_state | varchar | what that message said: open, worse, reminder or resolved
        delivery_error | varchar | why channels did not take messages, as known when the run began; NULL when all did
        attempts | bigint | messages tried since it opened, on all channels
    """),
)

ALERT_DELIVERIES = StoredTable(
    "ops",
    "alert_deliveries",
    "One row per message and channel: whether the channel took it. A copy of alerts.sqlite as each run begins.",
    columns_of("""
        channel | varchar | the channel's name in the configuration, after `dry run: ` when nothing was really sent
        finding_id | varchar | as in ops.findings; of runs that failed, an identifier of its own
        opened_at | timestamp | when the finding opened, UTC
        notice_number | bigint | which change of the finding the message tells
        reminder | bigint | 0 for the first message about the change, then 1, 2, …
        notice | varchar | open, worse, reminder or resolved
        attempts | bigint | how often it was tried
        first_attempt_at | timestamp | UTC
        last_attempt_at | timestamp | UTC
        delivered_at | timestamp | when the channel took it, UTC; NULL when it has not
        error | varchar | why the newest attempt failed, never with an address; NULL when it did not
    """),
)

RUNS = StoredTable(
    "ops",
    "runs",
    "One row per pipeline run whose results were published.",
    columns_of("""
        run_id | varchar | Dagster run id
        partition_from | date | first UTC day that was read; NULL for a run that read no day
        partition_to | date | last UTC day that was read
        started_at | timestamp | UTC
        published_at | timestamp | when its results were put where readers look, UTC
    """),
)

RAW_TABLES = (
    SCOPES,
    ENABLED_REGIONS,
    FOUNDATION_MODELS,
    INFERENCE_PROFILES,
    CUSTOM_DEPLOYMENTS,
    IMPORTED_MODELS,
    SERVICE_QUOTAS,
    CLOUDWATCH_METRICS,
    MAX_TOKENS_METRIC,
    QUOTA_MAPPINGS,
    QUOTA_OVERRIDES,
    LLM_QUOTA_MAPPINGS,
    BURNDOWN_RATES,
    MODEL_LIMITS,
    ENDPOINT_PREFIXES,
    INVOCATIONS,
    LOG_DELIVERY,
    MODEL_PRICES,
    PRICE_OVERRIDES,
    BILL,
    BILLED_USAGE_TYPES,
    APPLICATION_RULES,
    *Q_DEVELOPER_TABLES,
    *Q_DEVELOPER_TERM_TABLES,
)

OPS_TABLES = (
    INGESTED_OBJECTS,
    QUARANTINED_RECORDS,
    SOURCE_STATUS,
    CLOUDWATCH_SERIES,
    SQL_MODEL_BUILDS,
    COLUMN_LINEAGE,
    DAY_CHANGES,
    CHECK_RESULTS,
    FINDINGS,
    ALERT_DELIVERIES,
    RUNS,
)

STORED_TABLES = {table.qualified_name: table for table in RAW_TABLES + OPS_TABLES + PLANNING_TABLES}
