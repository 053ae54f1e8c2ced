"""The filters in the sidebar. What they are set to stands in the page's address, so that a link shows the same.

Here: what can be chosen, the widgets, and their values as `Filters`. Not here: what filters do to tables
(`published_tables.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import streamlit as st

from usage_pipeline.report.table_rows import rows
from usage_pipeline.ui.published_tables import Filters
from usage_pipeline.ui.reading import PublishedFile, has_table, read

DEFAULT_DAYS = 30
"""Days that are shown at first: the newest that have use."""

LONGEST_CALLER = 200
"""Characters of the caller filter."""

_DAYS = """
    with days as (
        select usage_date
        from marts.quota_headroom
        union all
        select usage_date
        from marts.usage_daily
        {others}
    )

    select
        min(usage_date) as first_day,
        max(usage_date) as last_day,
    from days
"""

_Q_DEVELOPER = """
        union all
        select usage_date
        from marts.q_developer_usage
"""

_USED = """
    with used as (
        select pool_id
        from marts.quota_headroom
        union
        select pool_id
        from marts.usage_daily
    )

    select distinct
        account_id,
        account_name,
        region,
        model_id,
        coalesce(model_name, model_id) as model_name,
        endpoint_type,
    from marts.quota_pools
    inner join used using (pool_id)
"""

_TAGS = """
    with daily as (
        select distinct tags
        from marts.usage_daily
    )

    select distinct
        tag.key as tag_key,
        tag.value as tag_value,
    from daily, unnest(map_entries(daily.tags)) as entries (tag)
    order by tag_key, tag_value
"""


@dataclass(frozen=True)
class Choices:
    """What there is to choose from; names by what is chosen. Days are NULL when the file has no use."""

    first_day: date | None
    last_day: date | None
    accounts: dict[str, str]
    regions: tuple[str, ...]
    models: dict[str, str]
    endpoint_types: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]


def read_choices(con: duckdb.DuckDBPyConnection) -> Choices:
    """What the whole published file has use of."""
    (days,) = rows(con, _DAYS.format(others=_Q_DEVELOPER if has_table(con, "marts", "q_developer_usage") else ""))
    used = rows(con, _USED)
    return Choices(
        first_day=days["first_day"],
        last_day=days["last_day"],
        accounts=_named(used, "account_id", "account_name"),
        regions=tuple(sorted({row["region"] for row in used})),
        models=_named(used, "model_id", "model_name"),
        endpoint_types=tuple(sorted({row["endpoint_type"] for row in used})),
        tags=tuple((row["tag_key"], row["tag_value"]) for row in rows(con, _TAGS)),
    )


def _named(used: list[dict[str, Any]], key: str, name: str) -> dict[str, str]:
    """Names by key, in the order of the names; a name that two keys have is told apart by the key."""
    names = {row[key]: row[name] for row in used}
    shown = list(names.values())
    told_apart = {key: name if shown.count(name) == 1 else f"{name} ({key})" for key, name in names.items()}
    return dict(sorted(told_apart.items(), key=lambda item: item[1]))


def ask_filters(file: PublishedFile) -> Filters | None:
    """Show the filters and return what they are set to; None when the file has no use to filter.

    Raises:
        duckdb.Error: a table is missing from the file.
    """
    choices = read(file, None, read_choices)
    if choices.first_day is None or choices.last_day is None:
        return None
    first, last = _ask_days(choices.first_day, choices.last_day)
    return Filters(
        first_day=first,
        last_day=last,
        accounts=_ask("Account", "account", choices.accounts),
        regions=_ask("Region", "region", {name: name for name in choices.regions}),
        models=_ask("Model", "model", choices.models),
        endpoint_types=_ask("Endpoint type", "endpoint", {name: name for name in choices.endpoint_types}),
        tags=_ask("Tag", "tag", {tag: "=".join(tag) for tag in choices.tags}),
        caller=st.text_input(
            "Caller",
            key="caller",
            max_chars=LONGEST_CALLER,
            bind="query-params",
            placeholder="part of a name or ARN",
            help="Taken to the letter: capitals count, and no character has a meaning of its own.",
        )
        or "",
    )


def _ask_days(first: date, last: date) -> tuple[date, date]:
    chosen = st.date_input(
        "Days (UTC)",
        value=(max(first, last - timedelta(days=DEFAULT_DAYS - 1)), last),
        min_value=first,
        max_value=last,
        format="YYYY-MM-DD",
        key="days",
        bind="query-params",
    )
    # While the second day is still to be clicked, the first stands for both.
    return (chosen[0], chosen[-1]) if chosen else (first, last)


def _ask(label: str, key: str, names: Mapping[Any, str]) -> tuple[Any, ...]:
    """What was chosen; nothing chosen means everything."""
    by_name = {name: value for value, name in names.items()}
    chosen = st.multiselect(
        label, list(by_name), key=key, bind="query-params", placeholder="all", filter_mode="contains"
    )
    return tuple(by_name[name] for name in chosen)
