"""What another file of agreed prices would make of the cost of stored calls, before anybody saves it.

Here: the SQL models of prices and costs run over the published file with other rows of `raw.price_overrides`, so that
the numbers are those that the next run gives. Not here: the file (`prices/override_file.py`), pages that show it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from usage_pipeline.attached_file import attached
from usage_pipeline.prices.overrides import PriceOverride
from usage_pipeline.raw_tables import PRICE_OVERRIDES
from usage_pipeline.sql_models import MODELS_FOLDER

EFFECT_DAYS = 30
"""Days up to the newest logged one whose cost is compared."""

_PRICE_MODELS = ("staging.stg_price_overrides", "intermediate.int_prices", "intermediate.int_prices_used")
"""What is made anew of the overrides, in this order; then the calls."""

_READ_FROM_PUBLISHED = (
    "staging.stg_model_prices",
    "intermediate.int_price_uses",
    "intermediate.int_profiles_rated",
)

# A cost depends on no caller and no application: without these, a call is joined to nothing it does not need.
_LEFT_EMPTY = ("intermediate.int_callers", "intermediate.int_applications")

_CHANGED_MODELS = """
    create table memory.main.changed_models as
    select distinct model_id
    from (
        (from memory.intermediate.int_prices_used except from published.intermediate.int_prices_used)
        union all
        (from published.intermediate.int_prices_used except from memory.intermediate.int_prices_used)
    )
"""

_CALLS_OF_CHANGED_MODELS = """
    create view memory.intermediate.int_calls as
    select calls.*
    from published.intermediate.int_calls as calls
    semi join (
        select
            account_id,
            region,
            profile_id,
        from published.intermediate.int_profiles_rated
        where model_id in (from memory.main.changed_models)
    ) using (account_id, region, profile_id)
"""

_EFFECTS = """
    with costs as (
        select
            model_id,
            endpoint_type,
            cost_usd as before_usd,
            null::decimal(38, 12) as after_usd,
            cost_usd is null as unpriced_before,
            false as unpriced_after,
            1 as calls,
        from published.marts.invocations
        where usage_date between $first_day and $last_day and model_id in (from memory.main.changed_models)

        union all

        select
            model_id,
            endpoint_type,
            null::decimal(38, 12) as before_usd,
            cost_usd as after_usd,
            false as unpriced_before,
            cost_usd is null as unpriced_after,
            0 as calls,
        from memory.marts.invocations
        where model_id in (from memory.main.changed_models)
    )

    select
        model_id,
        endpoint_type,
        sum(calls)::bigint as calls,
        sum(before_usd) as before_usd,
        sum(after_usd) as after_usd,
        count_if(unpriced_before) as unpriced_before,
        count_if(unpriced_after) as unpriced_after,
    from costs
    group by model_id, endpoint_type
    order by model_id, endpoint_type
"""

_TOTAL = """
    select
        sum(cost_usd),
        coalesce(sum(unpriced_calls), 0)::bigint,
    from published.marts.usage_daily
    where usage_date between $first_day and $last_day
"""


@dataclass(frozen=True)
class ModelEffect:
    """Calls of one model and endpoint type: their cost in US dollars as published and with the other prices.

    A cost is that of the calls that have one, None when none has; `unpriced_…` are the calls without one.
    """

    model_id: str
    endpoint_type: str
    calls: int
    before_usd: Decimal | None
    after_usd: Decimal | None
    unpriced_before: int
    unpriced_after: int

    @property
    def is_changed(self) -> bool:
        """Whether the other prices make any difference to these calls."""
        return (self.before_usd, self.unpriced_before) != (self.after_usd, self.unpriced_after)


@dataclass(frozen=True)
class PriceEffect:
    """What the other prices make of the calls of the days, both inclusive; only models and endpoint types that change.

    `total_before_usd` is the published cost of all calls, `total_after_usd` what it would be.
    """

    first_day: date
    last_day: date
    models: tuple[ModelEffect, ...]
    total_before_usd: Decimal | None
    total_after_usd: Decimal | None
    unpriced_before: int
    unpriced_after: int


def effect_of(published: Path, overrides: Sequence[PriceOverride]) -> PriceEffect | None:
    """Compare the newest EFFECT_DAYS logged days of the published file; None when it has no logged call.

    Raises:
        duckdb.Error: the file lacks a table that this version of the program publishes.
    """
    with attached(published) as con:
        found = con.execute("select max(usage_date) from published.marts.usage_daily").fetchone()
        if found is None or found[0] is None:
            return None
        days = {"first_day": found[0] - timedelta(days=EFFECT_DAYS - 1), "last_day": found[0]}
        _make_prices(con, overrides)
        _make_calls(con, **days)
        rows = [ModelEffect(*row) for row in con.execute(_EFFECTS, days).fetchall()]
        total, unpriced = con.execute(_TOTAL, days).fetchone() or (None, 0)
    changed = tuple(row for row in rows if row.is_changed)
    return PriceEffect(
        **days,
        models=changed,
        total_before_usd=total,
        total_after_usd=_total_after(total, changed),
        unpriced_before=unpriced,
        unpriced_after=unpriced + sum(row.unpriced_after - row.unpriced_before for row in changed),
    )


def between(earlier: PriceEffect, later: PriceEffect) -> PriceEffect:
    """What changes from one file to another, where both were compared with the same published file."""
    first = {(row.model_id, row.endpoint_type): row for row in earlier.models}
    second = {(row.model_id, row.endpoint_type): row for row in later.models}
    rows = [_from_to(first.get(key), second.get(key)) for key in sorted(first.keys() | second.keys())]
    return PriceEffect(
        first_day=later.first_day,
        last_day=later.last_day,
        models=tuple(row for row in rows if row is not None and row.is_changed),
        total_before_usd=earlier.total_after_usd,
        total_after_usd=later.total_after_usd,
        unpriced_before=earlier.unpriced_after,
        unpriced_after=later.unpriced_after,
    )


def _from_to(first: ModelEffect | None, second: ModelEffect | None) -> ModelEffect | None:
    """What is as published where one of two effects has no row."""
    if first is None:
        return second
    if second is None:
        return replace(
            first,
            before_usd=first.after_usd,
            after_usd=first.before_usd,
            unpriced_before=first.unpriced_after,
            unpriced_after=first.unpriced_before,
        )
    return replace(second, before_usd=first.after_usd, unpriced_before=first.unpriced_after)


def _total_after(total: Decimal | None, changed: Sequence[ModelEffect]) -> Decimal | None:
    """The total with each model's cost as it would be; None while no call at all has a cost."""
    known = [value for row in changed for value in (row.after_usd, row.before_usd) if value is not None]
    if total is None and not known:
        return None
    more = sum(((row.after_usd or Decimal(0)) - (row.before_usd or Decimal(0)) for row in changed), Decimal(0))
    return (total or Decimal(0)) + more


def _make_prices(con: duckdb.DuckDBPyConnection, overrides: Sequence[PriceOverride]) -> None:
    """Make the tables of prices as the overrides have them, and the models for which they differ from published."""
    # It brings Dagster along, for which the dashboard would wait a second before its first page.
    from usage_pipeline.warehouse import arrow_schema

    for schema in ("raw", "staging", "intermediate", "marts"):
        con.execute(f"create schema memory.{schema}")
    rows = pa.Table.from_pylist([row.model_dump() for row in overrides], schema=arrow_schema(PRICE_OVERRIDES))
    con.register("override_rows", rows)
    con.execute("create table memory.raw.price_overrides as from override_rows")
    con.unregister("override_rows")
    for name in _READ_FROM_PUBLISHED:
        con.execute(f"create view memory.{name} as from published.{name}")
    for name in _PRICE_MODELS:
        con.execute(f"create table memory.{name} as {_sql(name)}")
    con.execute(_CHANGED_MODELS)


def _make_calls(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date) -> None:
    """Make the calls of the changed models on the days, by the SQL that makes all calls."""
    con.execute(_CALLS_OF_CHANGED_MODELS)
    for name in _LEFT_EMPTY:
        con.execute(f"create table memory.{name} as from published.{name} limit 0")
    con.execute(
        f"create table memory.marts.invocations as {_sql('marts.invocations')}",
        {"start_date": first_day, "end_date": last_day},
    )


def _sql(name: str) -> str:
    schema, table = name.split(".")
    return (MODELS_FOLDER / schema / f"{table}.sql").read_text(encoding="utf-8")
