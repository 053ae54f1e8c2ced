"""Storing what AWS says of quotas as history: a row for each period in which it said the same.

Not here: reading it (`aws/service_quotas.py`), catalogues that are kept as snapshots (`catalogue_storage.py`), Dagster.
"""

import dataclasses
import datetime as dt
from collections.abc import Sequence

import duckdb
import pyarrow as pa

from usage_pipeline.assets.readings import scope_key
from usage_pipeline.aws.service_quotas import ServiceQuota
from usage_pipeline.aws.source_reading import Listing, ScopeReading
from usage_pipeline.raw_tables import SERVICE_QUOTAS
from usage_pipeline.warehouse import arrow_schema, registered, transaction

_TABLE = SERVICE_QUOTAS.qualified_name

_SAID = ("account_id", "region", *(field.name for field in dataclasses.fields(ServiceQuota)))
"""What two readings are compared by: everything but when it was said."""

# A change that is stored came later than this reading: what AWS said before it is history.
_READ_LATE = f"""
    select distinct account_id, region
    from {_TABLE}
    where valid_from > $moment or valid_to > $moment
"""

# Readings of the same moment replace each other, so what the earlier one of them did is undone first.
_UNDO = (
    f"delete from {_TABLE} where valid_from = $moment and (account_id, region) in (from read_scopes)",
    f"update {_TABLE} set valid_to = null where valid_to = $moment and (account_id, region) in (from read_scopes)",
)

_CLOSE = f"""
    update {_TABLE} as stored
    set valid_to = $moment
    where
        stored.valid_to is null
        and (stored.account_id, stored.region) in (from read_scopes)
        and not exists (
            from listed_quotas as listed
            where {" and ".join(f"listed.{name} is not distinct from stored.{name}" for name in _SAID)}
        )
"""

_OPEN = f"""
    insert into {_TABLE} by name
    from listed_quotas
    anti join (from {_TABLE} where valid_to is null) as stored using (account_id, region, quota_code)
"""


def store_quotas(
    con: duckdb.DuckDBPyConnection, readings: Sequence[ScopeReading[Listing[ServiceQuota]]], moment: dt.datetime
) -> int:
    """Close what AWS says differently or no longer lists at the moment, and open what is new, all in one transaction.

    A reading that failed, came in part or is empty changes nothing: AWS lists quotas in every Region that has Bedrock,
    and a missing page would look like values that went back to the default. A reading from before a stored change of
    its scope changes nothing either. Returns the rows of the read scopes that hold now.
    """
    late = set(con.execute(_READ_LATE, {"moment": moment}).fetchall())
    whole = [reading for reading in readings if reading.value and not reading.value.shortfall]
    told = [reading for reading in whole if scope_key(reading.scope) not in late]
    with registered(con, listed_quotas=_listed(told, moment), read_scopes=_scopes(told)), transaction(con):
        for statement in (*_UNDO, _CLOSE):
            con.execute(statement, {"moment": moment})
        con.execute(_OPEN)
    with registered(con, read_scopes=_scopes(whole)):
        held = con.execute(
            f"select count(*) from {_TABLE} where valid_to is null and (account_id, region) in (from read_scopes)"
        ).fetchone()
    return held[0] if held else 0


def _listed(readings: Sequence[ScopeReading[Listing[ServiceQuota]]], moment: dt.datetime) -> pa.Table:
    """The readings' quotas as rows of `raw.service_quotas` that hold from the moment on."""
    rows = [
        {
            "account_id": reading.scope.account_id,
            "region": reading.scope.region,
            **dataclasses.asdict(quota),
            "valid_from": moment,
            "valid_to": None,
        }
        for reading in readings
        if reading.value is not None
        for quota in reading.value.rows
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(SERVICE_QUOTAS))


def _scopes(readings: Sequence[ScopeReading[Listing[ServiceQuota]]]) -> pa.Table:
    pairs = [scope_key(reading.scope) for reading in readings]
    return pa.table(
        {
            "account_id": pa.array([account for account, _ in pairs], pa.string()),
            "region": pa.array([region for _, region in pairs], pa.string()),
        }
    )
