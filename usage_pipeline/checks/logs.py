"""Checks on log objects: is every object whole, could every record be read.

Not here: whether the places of the logs could be read at all (`sources.py`), what the records add up to
(`reconciliation.py`).
"""

from dataclasses import dataclass

from usage_pipeline.checks.rules import Rule
from usage_pipeline.q_developer_tables import Q_DEVELOPER_ACTIVITY, Q_DEVELOPER_PROMPTS
from usage_pipeline.raw_tables import INVOCATIONS, StoredTable

_NEWEST_OBJECTS = """
        newest_objects as (
            select *
            from ops.ingested_objects
            semi join (select {scope} from raw.scopes where is_configured) using ({scope})
            where source = $source and folder_date > (select max(folder_date) from ops.ingested_objects) - 30
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
            where source = $source
            group by account_id, region, bucket, key
        )
"""


@dataclass(frozen=True)
class _Objects:
    """The log objects that fill one table: what one of them is called, and what its rows are."""

    table: StoredTable
    name: str
    rows: str
    scope: str = "account_id"
    """Columns by which an object belongs to what the configuration names."""

    @property
    def newest(self) -> str:
        """SQL of the objects of the newest 30 days, and why their records could not be read."""
        return _NEWEST_OBJECTS.format(scope=self.scope)


_LOGS = _Objects(INVOCATIONS, "log object", "requests", "account_id, region")
_PROMPT_LOGS = _Objects(Q_DEVELOPER_PROMPTS, "prompt log", "prompts")
_ACTIVITY_REPORTS = _Objects(Q_DEVELOPER_ACTIVITY, "activity report", "users")


def _every_object_is_whole(objects: _Objects) -> Rule:
    return Rule(
        name=f"every_{objects.name.replace(' ', '_')}_is_whole",
        table=objects.table.qualified_name,
        subject=("account_id", "region", "folder_date"),
        description=(
            f"No {objects.name} of the newest 30 days ends early, is damaged or is empty. What could be read of one is "
            f"stored; how many {objects.rows} are missing is not known. Once a whole copy lies under the same key, run "
            "the day again: it is read because its ETag is another."
        ),
        contradictions=f"""
        with {objects.newest}

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
        parameters={"source": objects.table.name},
    )


def _no_record_was_quarantined(name: str, objects: _Objects) -> Rule:
    return Rule(
        name=name,
        table=objects.table.qualified_name,
        subject=("account_id", "region", "folder_date"),
        severity="WARN",
        description=(
            f"Every record of the {objects.name}s of the newest 30 days could be read. One that could not is missing "
            "from all numbers; ops.quarantined_records has its object, line and reason. An error where more than one "
            "record in a thousand of an account, Region and day is missing."
        ),
        contradictions=f"""
        with {objects.newest}

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
        parameters={"source": objects.table.name},
    )


EVERY_LOG_OBJECT_IS_WHOLE = _every_object_is_whole(_LOGS)
NO_RECORD_WAS_QUARANTINED = _no_record_was_quarantined("no_record_was_quarantined", _LOGS)

LOG_RULES = (
    EVERY_LOG_OBJECT_IS_WHOLE,
    NO_RECORD_WAS_QUARANTINED,
    _every_object_is_whole(_PROMPT_LOGS),
    _no_record_was_quarantined("no_prompt_was_quarantined", _PROMPT_LOGS),
    _every_object_is_whole(_ACTIVITY_REPORTS),
    _no_record_was_quarantined("no_activity_was_quarantined", _ACTIVITY_REPORTS),
)
