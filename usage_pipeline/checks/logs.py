"""Checks on invocation logs: is every object whole, could every record be read.

Not here: whether the places of the logs could be read at all (`sources.py`), what the records add up to
(`reconciliation.py`).
"""

from usage_pipeline.checks.rules import CONFIGURED_SCOPES, Rule
from usage_pipeline.raw_tables import INVOCATIONS

_NEWEST_OBJECTS = f"""
        newest_objects as (
            select *
            from ops.ingested_objects
            semi join {CONFIGURED_SCOPES} using (account_id, region)
            where source = 'invocations' and folder_date > (select max(folder_date) from ops.ingested_objects) - 30
        ),

        reasons as (
            select
                account_id,
                region,
                bucket,
                key,
                string_agg(distinct reason, '; ' order by reason) as reason,
                min(line_number) as first_line,
            from ops.quarantined_records
            where source = 'invocations'
            group by account_id, region, bucket, key
        )
"""

EVERY_LOG_OBJECT_IS_WHOLE = Rule(
    name="every_log_object_is_whole",
    table=INVOCATIONS.qualified_name,
    subject=("account_id", "region", "folder_date"),
    description=(
        "No log object of the newest 30 days ends early, is damaged or is empty. What could be read of one is stored; "
        "how many requests are missing is not known. Once a whole copy lies under the same key, run the day again: it "
        "is read because its ETag is another."
    ),
    contradictions=f"""
        with {_NEWEST_OBJECTS}

        select
            account_id,
            region,
            folder_date,
            bucket,
            key,
            reasons.reason,
            size_bytes,
            record_count,
        from newest_objects
        left join reasons using (account_id, region, bucket, key)
        where not is_complete
        order by folder_date desc, account_id, region, bucket, key
    """,
)

NO_RECORD_WAS_QUARANTINED = Rule(
    name="no_record_was_quarantined",
    table=INVOCATIONS.qualified_name,
    subject=("account_id", "region", "folder_date"),
    severity="WARN",
    description=(
        "Every record of the log objects of the newest 30 days could be read. One that could not is missing from all "
        "numbers; ops.quarantined_records has its object, line and reason. An error where more than one record in a "
        "thousand of an account, Region and day is missing."
    ),
    contradictions=f"""
        with {_NEWEST_OBJECTS}

        select
            account_id,
            region,
            folder_date,
            sum(quarantined_count)::bigint as quarantined_records,
            sum(record_count)::bigint as readable_records,
            string_agg(distinct reasons.reason, '; ' order by reasons.reason) as reason,
            min(key) filter (where quarantined_count > 0) as first_key,
            min_by(reasons.first_line, key) filter (where quarantined_count > 0) as first_line,
            if(
                sum(quarantined_count) > 0.001 * (sum(record_count) + sum(quarantined_count)), 'ERROR', 'WARN'
            ) as severity,
        from newest_objects
        left join reasons using (account_id, region, bucket, key)
        group by account_id, region, folder_date
        having sum(quarantined_count) > 0
        order by folder_date desc, account_id, region
    """,
)

LOG_RULES = (EVERY_LOG_OBJECT_IS_WHOLE, NO_RECORD_WAS_QUARANTINED)
