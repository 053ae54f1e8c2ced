"""What is particular to storing invocation logs: what tells requests apart, and where each scope's logs went.

Here: SQL over `raw.log_delivery`. Not here: storing rows and the ledger of objects (`log_storage.py`), Dagster.
"""

import duckdb

from usage_pipeline.assets.log_storage import LoggedTable
from usage_pipeline.aws.invocation_logging import LogDelivery
from usage_pipeline.aws.log_listing import KnownDelivery
from usage_pipeline.raw_tables import INVOCATIONS, LOG_DELIVERY
from usage_pipeline.warehouse import ScopeKey

LOGGED_REQUESTS = LoggedTable(INVOCATIONS, ("usage_date", "account_id", "region", "request_id"))


def known_deliveries(con: duckdb.DuckDBPyConnection) -> dict[ScopeKey, list[KnownDelivery]]:
    """Where each scope's logs went, in order of time, as the snapshots of `raw.log_delivery` have it."""
    rows = con.execute(
        f"""
        with numbered as (
            select
                *,
                row_number() over (partition by account_id, region order by snapshot_date)
                - row_number() over (
                    partition by account_id, region, is_on, bucket, key_prefix, log_group, source
                    order by snapshot_date
                ) as stretch,
            from {LOG_DELIVERY.qualified_name}
        )

        select
            account_id,
            region,
            min(snapshot_date) as first_seen,
            max(snapshot_date) as last_seen,
            is_on,
            bucket,
            key_prefix,
            log_group,
            source,
        from numbered
        group by account_id, region, is_on, bucket, key_prefix, log_group, source, stretch
        order by account_id, region, first_seen
        """
    ).fetchall()
    found: dict[ScopeKey, list[KnownDelivery]] = {}
    for account_id, region, first_seen, last_seen, is_on, bucket, key_prefix, log_group, source in rows:
        delivery = LogDelivery(is_on, bucket, key_prefix, log_group, None, source)
        found.setdefault((account_id, region), []).append(KnownDelivery(delivery, first_seen, last_seen))
    return found
