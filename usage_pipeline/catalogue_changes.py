"""What the warehouse holds of quotas, Regions and models, and what differs between two looks at it.

Here: queries and comparisons, for commands that read a catalogue anew. Not here: reading AWS (`assets/`), showing it
(`cli_refresh.py`).
"""

import datetime as dt
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import duckdb

Key = TypeVar("Key", bound=Hashable)
Said = TypeVar("Said")

ChangeKind = Literal["new", "changed", "gone"]


@dataclass(frozen=True)
class Change(Generic[Key, Said]):
    """One thing that is new, said differently, or gone; `before` and `after` are None where it was or is not there."""

    key: Key
    kind: ChangeKind
    before: Said | None
    after: Said | None


def changes(before: Mapping[Key, Said], after: Mapping[Key, Said]) -> list[Change[Key, Said]]:
    """What differs, in the order of `after`; what is gone comes last, in the order of `before`."""
    found = [
        Change(key, "changed" if key in before else "new", before.get(key), said)
        for key, said in after.items()
        if key not in before or before[key] != said
    ]
    return found + [Change(key, "gone", said, None) for key, said in before.items() if key not in after]


@dataclass(frozen=True, order=True)
class QuotaKey:
    """One quota of one account and Region."""

    account_name: str
    region: str
    quota_code: str


@dataclass(frozen=True)
class QuotaSaid:
    """What AWS says of a quota now. A value that it does not give is None."""

    limit_value: float | None
    limit_source: str


_QUOTAS = """
    select
        coalesce(scopes.account_name, quotas.account_id) as account_name,
        quotas.region,
        quotas.quota_code,
        quotas.limit_value,
        quotas.limit_source,
    from raw.service_quotas as quotas
    left join raw.scopes as scopes using (account_id, region)
    where quotas.valid_to is null
    order by account_name, quotas.region, quotas.quota_code
"""


def quotas_held(con: duckdb.DuckDBPyConnection) -> dict[QuotaKey, QuotaSaid]:
    """The quotas that hold now, by account, Region and code."""
    return {QuotaKey(*row[:3]): QuotaSaid(*row[3:]) for row in con.execute(_QUOTAS).fetchall()}


_QUOTA_NAMES = """
    select
        quota_code,
        arg_max(quota_name, valid_from) as quota_name,
    from raw.service_quotas
    group by quota_code
"""


def quota_names(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """AWS's newest name of every quota code that was ever listed."""
    return dict(con.execute(_QUOTA_NAMES).fetchall())


@dataclass(frozen=True)
class RegionState:
    """One Region of an account: enabled as AWS last said (None where it was not asked), and whether it is read."""

    account_name: str
    region: str
    is_enabled: bool | None
    is_configured: bool


_REGIONS = """
    select
        coalesce(scopes.account_name, enabled.account_name) as account_name,
        region,
        case
            when enabled.region is not null then true
            when account_id in (select account_id from raw.enabled_regions) then false
        end as is_enabled,
        coalesce(scopes.is_configured, false) as is_configured,
    from raw.enabled_regions as enabled
    full join raw.scopes as scopes using (account_id, region)
    where enabled.region is not null or scopes.is_configured
    order by account_name, region
"""


def regions_known(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], RegionState]:
    """Regions that are enabled or configured, by account and Region."""
    states = [RegionState(*row) for row in con.execute(_REGIONS).fetchall()]
    return {(state.account_name, state.region): state for state in states}


@dataclass(frozen=True)
class ModelSaid:
    """What AWS says of a model of a scope now."""

    model_name: str | None
    lifecycle_status: str | None
    end_of_life_at: dt.datetime | None


_MODELS = """
    with newest as (
        select *
        from raw.foundation_models
        qualify snapshot_date = max(snapshot_date) over (partition by account_id, region)
    )

    select
        coalesce(scopes.account_name, newest.account_id) as account_name,
        newest.region,
        newest.model_id,
        newest.model_name,
        newest.lifecycle_status,
        newest.end_of_life_at,
    from newest
    left join raw.scopes as scopes using (account_id, region)
    order by account_name, newest.region, newest.model_id
"""


def models_offered(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str, str], ModelSaid]:
    """The models of each scope's newest catalogue, by account, Region and model id."""
    return {(row[0], row[1], row[2]): ModelSaid(*row[3:]) for row in con.execute(_MODELS).fetchall()}


@dataclass(frozen=True)
class LegacyModel:
    """A model that AWS ends or has ended in a scope, and its use; a row of `marts.model_lifecycle`."""

    account_name: str
    region: str
    model_id: str
    legacy_at: dt.datetime | None
    end_of_life_at: dt.datetime | None
    calls_30_days: int
    last_used_on: dt.date | None


_LEGACY_MODELS = """
    select
        account_name,
        region,
        model_id,
        legacy_at,
        end_of_life_at,
        calls_30_days,
        last_used_on,
    from marts.model_lifecycle
    where lifecycle_status = 'LEGACY' or end_of_life_at is not null
    order by calls_30_days = 0, end_of_life_at nulls last, account_name, region, model_id
"""


def legacy_models(con: duckdb.DuckDBPyConnection) -> list[LegacyModel]:
    """Models with an end, those in use first, then by when they end; none before the SQL models were ever built."""
    if not con.execute("select 1 from duckdb_tables() where table_name = 'model_lifecycle'").fetchone():
        return []
    return [LegacyModel(*row) for row in con.execute(_LEGACY_MODELS).fetchall()]


@dataclass(frozen=True)
class Unanswered:
    """A scope, or a whole account (no Region), that a run could not read, and why."""

    source: str
    account_name: str
    region: str | None
    error_text: str


_UNANSWERED = """
    select
        source,
        account_name,
        region,
        coalesce(error_text, status) as error_text,
    from ops.source_status
    where run_id = ? and status not in ('ok', 'empty')
    order by all
"""


def unanswered_in(con: duckdb.DuckDBPyConnection, run_id: str) -> list[Unanswered]:
    """What a run could not read, whole or in part."""
    return [Unanswered(*row) for row in con.execute(_UNANSWERED, [run_id]).fetchall()]
