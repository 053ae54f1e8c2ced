"""The data of the report's page: what its script gets, packed where it is large.

Here: which numbers go into which element, and how charts and the cost cube become columns. Not here: the bytes of a
column and its text (`packing.py`), the page itself (`render.py`), `report.json` (`json_text.py`).
"""

import json
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

from usage_pipeline.report.chart_series import Columns, PoolSeries, SeriesLevel
from usage_pipeline.report.contents import Contribution, Pool, QuotaDay, Report, Statistic
from usage_pipeline.report.cost_cube import CubeRow, IncompleteDay
from usage_pipeline.report.json_text import plain, plain_table
from usage_pipeline.report.outlook_contents import ForecastDay
from usage_pipeline.report.packing import PackedColumns, Reference, packed_text
from usage_pipeline.report.usage_contents import Performance, PerformanceDay, ProfileDay

SECONDS_OF_A_DAY = 86_400

MOST_PROFILE_STATISTICS = 20_000
"""Rows of statistics of profiles that all pools have on the page together; `report.json` has all. Beyond, each pool has
an equal share, for its profiles with most use."""

ALL_PROFILES = "ALL"
"""The pool's sum over its profiles, as `marts.usage_statistics` writes it."""

PICODOLLARS = 10**12
"""Parts of a dollar that costs are whole numbers of: prices have six decimals, for a million tokens."""

MICROSECONDS, NANOSECONDS = 10**3, 10**6
"""Parts of a millisecond that sums of times are whole numbers of."""

Dictionary = dict[Hashable, int]
"""Places of the entries of one dimension, in the order in which they were met."""


def packed_json(value: Any) -> str:
    """JSON, packed."""
    return packed_text(json.dumps(plain(value), ensure_ascii=False, separators=(",", ":")).encode())


def pool_facts(pool: Pool) -> dict[str, Any]:
    """What the script needs of a pool before any table or chart is unpacked, beside its title."""
    names = ("pool_id", "account_id", "account_name", "region", "model_id", "model_name", "endpoint_type", "risk")
    return {
        **{name: getattr(pool, name) for name in names},
        "scope": f"{pool.account_id}/{pool.region}",
        "limits": {quota.kind: quota.limit_value for quota in pool.quotas},
        "quotas": [
            {"kind": quota.kind, "code": quota.code, "name": quota.name, "limit_value": quota.limit_value}
            for quota in pool.quotas
        ],
        "profiles": plain(pool.profiles),
        "order": _profiles_by_use(pool),
        "windows": plain(pool.windows),
    }


def _used_profiles(pool: Pool) -> list[str]:
    """Those with use in the longest window, most used first."""
    longest = pool.contributions[-1].window_name if pool.contributions else None
    return [row.profile_id for row in pool.contributions if row.window_name == longest and row.basis == "all"]


def _profiles_by_use(pool: Pool) -> list[str]:
    """Most used first, then those without use; the same in every window, so that colours do not change with it."""
    return list(dict.fromkeys([*_used_profiles(pool), *(profile.profile_id for profile in pool.profiles)]))


def packed_tables(pools: Sequence[Pool]) -> str:
    """Statistics, contributions and days of quotas by pool, each table by column."""
    most = MOST_PROFILE_STATISTICS // max(len(pools), 1)
    return packed_json(
        {
            pool.anchor: {
                "statistics": plain_table(Statistic, shown_statistics(pool, most)),
                "contributions": plain_table(Contribution, pool.contributions),
                "days": {quota.kind: plain_table(QuotaDay, quota.days) for quota in pool.quotas if quota.days},
            }
            for pool in pools
        }
    )


def shown_statistics(pool: Pool, most: int) -> Sequence[Statistic]:
    """The pool's own, and those of the profiles with most use of which there are at most that many."""
    rows_of = Counter(row.profile_id for row in pool.statistics if row.profile_id != ALL_PROFILES)
    if rows_of.total() <= most:
        return pool.statistics
    by_use = _used_profiles(pool)
    rows = accumulate(rows_of[profile_id] for profile_id in by_use)
    shown = {ALL_PROFILES, *(profile_id for profile_id, total in zip(by_use, rows, strict=True) if total <= most)}
    return [row for row in pool.statistics if row.profile_id in shown]


def packed_details(pools: Sequence[Pool]) -> str:
    """Throttles, reservations, performance, hours of the week, days of profiles and forecasts by pool."""
    return packed_json(
        {
            pool.anchor: {
                "throttling": plain(pool.throttling),
                "reservation": plain(pool.reservation),
                "performance": plain_table(Performance, pool.performance),
                "performance_days": plain_table(PerformanceDay, pool.performance_days),
                "heat": plain(pool.heat),
                "profile_days": plain_table(ProfileDay, pool.profile_days),
                "forecast": {
                    quota.kind: plain_table(ForecastDay, quota.forecast) for quota in pool.quotas if quota.forecast
                },
            }
            for pool in pools
        }
    )


# ---------------------------------------------------------------------------------------------------------------------
# Charts


def packed_series(series: PoolSeries) -> str:
    """One pool's charts: levels by column, marked minutes counted from the start of the longest level, limits."""
    packed = PackedColumns()
    origin = min((level.start for level in series.levels), default=None)
    header = {
        "markers_from": plain(origin),
        "levels": [_packed_level(packed, level) for level in series.levels],
        "markers": {
            name: {"minute": packed.places(_minutes_since(origin, marked.ts))}
            | ({} if marked.value is None else {"value": packed.numbers(marked.value)})
            for name, marked in series.markers.items()
        },
        "limits": plain(series.limits),
    }
    return packed.text(header)


def _minutes_since(origin: datetime | None, times: Sequence[datetime]) -> list[int]:
    return [] if origin is None else [(ts - origin) // timedelta(minutes=1) for ts in times]


_LEVEL_FACTS = (
    *("windows", "start", "step_seconds", "points", "coarse_until"),
    *("profile_start", "profile_step_seconds"),
)


def _packed_level(packed: PackedColumns, level: SeriesLevel) -> dict[str, Any]:
    return {name: plain(getattr(level, name)) for name in _LEVEL_FACTS} | {
        "pool": _packed_columns(packed, level.pool, level),
        "profiles": {
            profile_id: _packed_columns(packed, columns, level) for profile_id, columns in level.profiles.items()
        },
    }


def _packed_columns(packed: PackedColumns, columns: Columns, level: SeriesLevel) -> dict[str, Reference]:
    """Minima as what they lack to the maxima, running totals as what the maxima do not say of them: mostly zeros."""
    references: dict[str, Reference] = {}
    for name, values in columns.items():
        if name == "at":
            references[name] = packed.places(_whole(values))
        elif name in ("tpm_min", "rpm_min"):
            above = name.removesuffix("_min")
            references[name] = packed.numbers(_differences(columns[above], values), below=above)
        elif name == "tpd" and "tpm" in columns:
            references[name] = packed.numbers(_beyond(columns, level), after="tpm")
        else:
            references[name] = packed.numbers(values)
    return references


def _whole(values: Sequence[float | int | None]) -> list[int]:
    return [int(value) for value in values if value is not None]


def _differences(above: Sequence[float | int | None], below: Sequence[float | int | None]) -> list[float | int | None]:
    return [
        None if high is None or low is None else round(high - low, 3) for high, low in zip(above, below, strict=True)
    ]


def _beyond(columns: Columns, level: SeriesLevel) -> list[float | int | None]:
    """Running totals less the one before in the same UTC day, less the period's own highest minute."""
    midnight = level.start.replace(hour=0, minute=0, second=0)
    offset = (level.start - midnight) // timedelta(seconds=1)
    found: list[float | int | None] = []
    day_before, total_before = -1, 0.0
    for place, rate, total in zip(_whole(columns["at"]), columns["tpm"], columns["tpd"], strict=True):
        if total is None:
            found.append(None)
            continue
        day = (offset + place * level.step_seconds) // SECONDS_OF_A_DAY
        found.append(round(total - (total_before if day == day_before else 0) - (rate or 0), 3))
        day_before, total_before = day, total
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Cost cube


def packed_cube(report: Report) -> str | None:
    """The cube by column, with a dictionary for each dimension; None without a logged call."""
    first_day, last_day = report.costs.first_day, report.costs.last_day
    if first_day is None or last_day is None or not report.cube:
        return None
    packed = PackedColumns()
    names = {pool.pool_id: pool for pool in report.pools}
    pools: Dictionary = {}
    days = [(row.usage_date - first_day).days for row in report.cube]
    columns = {
        "day": packed.numbers(days),
        "pool": packed.numbers([_place(pools, _pool_of(row)) for row in report.cube]),
    }
    dictionaries = _packed_dimensions(packed, columns, report.cube)
    columns |= _measures(packed, report.cube)
    incomplete = {
        "day": packed.numbers([(row.usage_date - first_day).days for row in report.incomplete_days]),
        "pool": packed.numbers([_place(pools, _pool_of(row)) for row in report.incomplete_days]),
    }
    header = {
        "unit": "1e-12 USD",
        "first_day": plain(first_day),
        "days": (last_day - first_day).days + 1,
        "rows": len(report.cube),
        "merged_rows": sum(row.merged_rows for row in report.cube if row.is_merged),
        "dictionaries": {"pool": [_pool_entry(key, names) for key in pools], **dictionaries},
        "columns": columns,
        "incomplete": incomplete,
    }
    return packed.text(header)


_POOL_KEYS = ("pool_id", "account_id", "account_name", "region", "model_id", "endpoint_type")


def _pool_of(row: CubeRow | IncompleteDay) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _POOL_KEYS)


def _pool_entry(key: Any, pools: Mapping[str, Pool]) -> dict[str, Any]:
    entry = dict(zip(_POOL_KEYS, key, strict=True))
    pool = pools.get(entry["pool_id"])
    return entry | {
        "anchor": pool.anchor if pool and pool.has_traffic else None,
        "model_name": pool.model_name if pool else None,
    }


def _place(dictionary: Dictionary, key: Hashable) -> int:
    return dictionary.setdefault(key, len(dictionary))


_MERGED = ("merged",)
"""Key of the entry of a dimension that stands for several small rows; no value of a row equals it."""


def _packed_dimensions(
    packed: PackedColumns, columns: dict[str, Reference], cube: Sequence[CubeRow]
) -> dict[str, list[Any]]:
    """Add the columns of places, and give the entries; that of merged rows comes last."""
    tags = {row.profile_id: row.tags for row in cube if not row.is_merged}
    keys: dict[str, Callable[[CubeRow], Hashable]] = {
        "profile": lambda row: (row.profile_id, row.profile_name, row.profile_kind),
        "application": lambda row: row.application,
        "caller": lambda row: (row.role_or_user, row.principal_type),
        "tier": lambda row: row.service_tier,
    }
    entries: dict[str, Callable[[Any], Any]] = {
        "profile": lambda key: {
            "profile_id": key[0],
            "profile_name": key[1],
            "profile_kind": key[2],
            "tags": tags[key[0]],
        },
        "application": lambda key: key,
        "caller": lambda key: {"name": key[0], "principal_type": key[1]},
        "tier": lambda key: key,
    }
    dictionaries: dict[str, list[Any]] = {}
    for name, key_of in keys.items():
        places: Dictionary = {}
        for row in cube:
            if not row.is_merged:
                _place(places, key_of(row))
        found = [entries[name](key) for key in places]
        if any(row.is_merged for row in cube):
            places[_MERGED] = len(places)
            found.append({"merged": True})
        columns[name] = packed.numbers([places[_MERGED if row.is_merged else key_of(row)] for row in cube])
        dictionaries[name] = found
    return dictionaries


_COUNTS = (
    *("calls", "errors", "unpriced_calls", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
    *("latency_samples", "tpot_samples"),
)

_EXACT = {
    "input_cost": ("input_cost_usd", PICODOLLARS),
    "output_cost": ("output_cost_usd", PICODOLLARS),
    "cache_read_cost": ("cache_read_cost_usd", PICODOLLARS),
    "cache_write_cost": ("cache_write_cost_usd", PICODOLLARS),
    "latency_us": ("latency_ms_sum", MICROSECONDS),
    "tpot_ns": ("tpot_ms_sum", NANOSECONDS),
}
"""Columns of exact sums: the field of a row, and how many parts its unit has."""


def _measures(packed: PackedColumns, cube: Sequence[CubeRow]) -> dict[str, Reference]:
    counts = {name: packed.numbers([getattr(row, name) for row in cube]) for name in _COUNTS}
    return counts | {
        name: packed.exact([_parts(getattr(row, field), parts) for row in cube])
        for name, (field, parts) in _EXACT.items()
    }


def _parts(amount: Decimal | None, parts: int) -> int | None:
    return None if amount is None else int(amount * parts)
