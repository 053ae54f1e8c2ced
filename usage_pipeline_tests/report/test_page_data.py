import dataclasses
import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_pipeline.report.chart_series import Columns, MarkedMinutes, PoolSeries, SeriesLevel
from usage_pipeline.report.contents import Report
from usage_pipeline.report.json_text import plain
from usage_pipeline.report.packing import unpacked, unpacked_text
from usage_pipeline.report.page_data import packed_details, packed_series, packed_tables, pool_facts, shown_statistics
from usage_pipeline_tests.report.sample import SONNET_POOL

NOON = datetime.fromisoformat("2026-11-14T12:00")


def restored(text: str, facts: dict[str, Any], place: str) -> Columns:
    """Columns as the page restores them."""
    header, column = unpacked(text)
    references = facts.get(place, facts)
    assert header
    found: dict[str, Any] = {name: column(reference) for name, reference in references.items()}
    for name, reference in references.items():
        if "below" in reference:
            above = found[reference["below"]]
            found[name] = [
                None if step is None or high is None else round(high - step, 3)
                for high, step in zip(above, found[name], strict=True)
            ]
    return after(found, references, facts)


def after(found: dict[str, Any], references: dict[str, Any], facts: dict[str, Any]) -> Columns:
    start = datetime.fromisoformat(facts["start"].rstrip("Z"))
    for name, reference in references.items():
        if "after" not in reference:
            continue
        total, day_before, values = 0.0, None, []
        for place, base, step in zip(found["at"], found[reference["after"]], found[name], strict=True):
            if step is None:
                values.append(None)
                continue
            day = (start + place * timedelta(seconds=facts["step_seconds"])).date()
            total = (total if day == day_before else 0) + (base or 0) + step
            day_before = day
            values.append(round(total, 3))
        found[name] = values
    return found


def level(columns: Columns, step: int = 60, profiles: dict[str, Columns] | None = None) -> SeriesLevel:
    return SeriesLevel(("1day",), NOON, step, 2880, None, columns, NOON, step, profiles or {})


def round_trip(columns: Columns, step: int = 60) -> Columns:
    text = packed_series(PoolSeries((level(columns, step),)))
    header, _ = unpacked(text)
    return restored(text, header["levels"][0], "pool")


def test_points_come_back() -> None:
    columns: Columns = {
        "at": [0, 5, 700, 721],
        "tpm": [100, 2_000_000, 12.345, 7],
        "tpm_min": [100, 1, 12.345, 0],
        "rpm": [1, 2, 3, 4],
        "tpd": [100, 2_000_150, 2_000_170, 7],
        "latency": [812.5, None, 0.1, 3],
        "throttles": [None, None, 4, None],
    }
    assert round_trip(columns) == columns


def test_running_total_begins_anew_with_each_day() -> None:
    columns: Columns = {"at": [719, 720, 721], "tpm": [50, 60, None], "tpd": [9_000, 60, 61]}
    assert round_trip(columns) == columns
    (reference,) = (
        unpacked(packed_series(PoolSeries((level(columns),))))[0]["levels"][0]["pool"][name] for name in ("tpd",)
    )
    assert reference["after"] == "tpm"


@given(
    st.lists(
        st.tuples(st.integers(0, 2879), st.integers(0, 10**9), st.none() | st.integers(0, 10**12)),
        unique_by=lambda point: point[0],
        min_size=1,
        max_size=40,
    ),
    st.sampled_from([60, 300, 900, 3600]),
)
def test_any_running_total_comes_back(points: list[tuple[int, int, int | None]], step: int) -> None:
    points.sort()
    columns: Columns = {
        "at": [place for place, _, _ in points],
        "tpm": [rate for _, rate, _ in points],
        "tpd": [total for _, _, total in points],
    }
    assert round_trip(columns, step) == columns


def test_marks_that_are_too_many_come_without_values() -> None:
    series = PoolSeries((level({"at": [0], "tpm": [1]}),), {"tpm": MarkedMinutes((NOON,), None)})
    header, column = unpacked(packed_series(series))
    assert {name: column(reference) for name, reference in header["markers"]["tpm"].items()} == {"minute": [0]}


def test_marked_minutes_are_counted_from_the_longest_level() -> None:
    minutes = tuple(NOON + timedelta(minutes=minute) for minute in (0, 61, 1500))
    series = PoolSeries((level({"at": [0], "tpm": [1]}),), {"throttles": MarkedMinutes(minutes, [4, 5, 600])})
    header, column = unpacked(packed_series(series))
    marked = header["markers"]["throttles"]
    assert header["markers_from"] == "2026-11-14T12:00:00Z"
    assert (column(marked["minute"]), column(marked["value"])) == ([0, 61, 1500], [4, 5, 600])


def test_series_of_the_sample_are_those_of_the_json(report: Report) -> None:
    for pool in report.pools:
        text = packed_series(pool.series)
        header, _ = unpacked(text)
        for facts, found in zip(header["levels"], pool.series.levels, strict=True):
            assert facts["windows"] == list(found.windows)
            assert restored(text, facts, "pool") == found.pool
            for profile_id, columns in found.profiles.items():
                own = {
                    "start": facts["profile_start"],
                    "step_seconds": facts["profile_step_seconds"],
                    "of": facts["profiles"][profile_id],
                }
                assert restored(text, own, "of") == columns


def opened(text: str) -> Any:
    return json.loads(unpacked_text(text))


@pytest.mark.parametrize("table", ["statistics", "contributions"])
def test_tables_are_those_of_the_json(report: Report, table: str) -> None:
    found = opened(packed_tables(report.pools))
    for pool in report.pools:
        assert found[pool.anchor][table] == plain(pool)[table]


@pytest.mark.parametrize(
    "part", ["throttling", "reservation", "performance", "performance_days", "heat", "profile_days"]
)
def test_details_are_those_of_the_json(logged_report: Report, part: str) -> None:
    found = opened(packed_details(logged_report.pools))
    for pool in logged_report.pools:
        assert found[pool.anchor][part] == plain(pool)[part]


def test_profiles_with_most_use_keep_their_statistics(report: Report) -> None:
    pool = next(pool for pool in report.pools if pool.pool_id == SONNET_POOL)
    of_profile = Counter(row.profile_id for row in pool.statistics)
    longest = [row for row in pool.contributions if row.window_name == "30days" and row.basis == "all"]
    by_use = [row.profile_id for row in sorted(longest, key=lambda row: -(row.consumed_tokens or 0))]
    assert len(by_use) == 4
    total = 0
    for place, profile_id in enumerate(by_use):
        total += of_profile[profile_id]
        assert {row.profile_id for row in shown_statistics(pool, total - 1)} == {"ALL", *by_use[:place]}
        assert {row.profile_id for row in shown_statistics(pool, total)} == {"ALL", *by_use[: place + 1]}
    assert shown_statistics(pool, total) == pool.statistics


def test_profiles_are_named_by_use_and_then_as_they_come(report: Report) -> None:
    pool = next(pool for pool in report.pools if pool.pool_id == SONNET_POOL)
    least, *_, most = sorted(
        (row for row in pool.contributions if row.window_name == "30days" and row.basis == "all"),
        key=lambda row: row.consumed_tokens or 0,
    )
    unused = [
        profile.profile_id for profile in pool.profiles if profile.profile_id not in (least.profile_id, most.profile_id)
    ]
    found = pool_facts(dataclasses.replace(pool, contributions=(most, least)))["order"]
    assert found == [most.profile_id, least.profile_id, *unused]
    assert pool_facts(dataclasses.replace(pool, contributions=()))["order"] == [
        profile.profile_id for profile in pool.profiles
    ]


def test_facts_have_what_search_and_windows_need(report: Report) -> None:
    pool = report.pools[0]
    facts = pool_facts(pool)
    assert [quota["code"] for quota in facts["quotas"]] == ["L-00000001", "L-00000002", "L-00000003"]
    assert facts["limits"] == {"tpm": 20_000, "rpm": 50, "tpd": 2_000_000}
    assert facts["windows"]["30days"]["throttles"] == 450
    json.dumps(facts)
