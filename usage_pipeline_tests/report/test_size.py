"""How large a report becomes; the chart library alone is half a megabyte of it."""

import dataclasses
import random
from decimal import Decimal

from usage_pipeline.report.chart_series import Columns, SeriesLevel
from usage_pipeline.report.contents import Pool, Report
from usage_pipeline.report.cost_cube import CubeRow
from usage_pipeline.report.render import report_html

THREE_MEGABYTES = 3_000_000

POINTS = {60: 2880, 300: 2017, 900: 2881}


def busy_pool(number: int, like: Pool) -> Pool:
    """A pool with two profiles and use in a third of all periods; no two values are alike on purpose."""
    chance = random.Random(number)

    def columns(count: int, highest: dict[str, int]) -> Columns:
        at = [place for place in range(count) if chance.random() < 1 / 3]
        return {"at": list(at)} | {name: [chance.randrange(most) for _ in at] for name, most in highest.items()}

    def level(step: int, windows: tuple[str, ...]) -> SeriesLevel:
        count = POINTS[step]
        highest = {"tpm": 200_000, "rpm": 60, "tpd": 9_000_000, "reserved": 900_000, "latency": 9_000, "ttft": 900}
        pool = columns(count, highest | {"initial_reservation": 900_000, "tpm_min": 200_000, "rpm_min": 60})
        profiles = {f"p{i}": columns(count, {"tpm": 200_000, "rpm": 60}) for i in range(2)}
        start = like.series.levels[0].start
        return SeriesLevel(windows, start, step, count, None, pool, start, step, profiles)

    levels = (level(60, ("1hour", "1day")), level(300, ("7days",)), level(900, ("14days", "30days")))
    return dataclasses.replace(
        like, anchor=f"pool/{number}", pool_id=str(number), series=dataclasses.replace(like.series, levels=levels)
    )


def test_twenty_busy_pools_fit_in_three_megabytes(report: Report) -> None:
    pools = tuple(busy_pool(number, report.pools[0]) for number in range(20))
    text = report_html(dataclasses.replace(report, pools=pools))
    assert len(text.encode()) < THREE_MEGABYTES


def calls_of(number: int, like: CubeRow) -> CubeRow:
    chance = random.Random(number)
    counts = {name: chance.randrange(10**9) for name in ("calls", "input_tokens", "output_tokens", "cache_read_tokens")}
    money = {name: Decimal(chance.randrange(10**13)).scaleb(-12) for name in ("input_cost_usd", "output_cost_usd")}
    name = f"person.{chance.randrange(10**9)}@example.com"
    return dataclasses.replace(like, role_or_user=name, application=name, **counts, **money)


def test_a_thousand_callers_add_little(logged_report: Report) -> None:
    rows = tuple(calls_of(number, logged_report.cube[0]) for number in range(1000))
    crowded = dataclasses.replace(logged_report, cube=rows)
    assert len(report_html(crowded).encode()) - len(report_html(logged_report).encode()) < 150_000
