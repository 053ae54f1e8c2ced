"""The page's scripts that need no page, each against written-out values."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from usage_pipeline.report import formats, render

pytestmark = pytest.mark.browser

FOLDER = Path(render.__file__).with_name("page")
ALONE = (
    *("formats.js", "times.js", "csv.js", "hash.js", "ordering.js", "matching.js", "packed_columns.js", "cube.js"),
    "q_developer_rows.js",
)
VECTOR = Path(__file__).with_name("packing_vector.json")


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    """An empty page with the scripts' functions and nothing else."""
    tab = browser.new_context(offline=True).new_page()
    tab.add_script_tag(content="\n".join((FOLDER / name).read_text(encoding="utf-8") for name in ALONE))
    yield tab
    tab.context.close()


def test_scripts_that_need_no_page_come_first() -> None:
    assert render.PAGE_SCRIPTS[: len(ALONE)] == ALONE


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234567, "1,234,567"), (12.345, "12.35"), (0.1254, "0.125"), (150.6, "151"), (-2, "\u22122")],
)
def test_numbers_are_written_as_python_writes_them(blank: Page, value: float, text: str) -> None:
    assert blank.evaluate("value => number(value)", value) == text == formats.number(value, "unknown")


@pytest.mark.parametrize(
    ("share", "text"), [(0.5, "50"), (0.1234, "12.3"), (1.104, "110"), (2.04, "204"), (-1.04, "\u2212104")]
)
def test_shares_are_written_as_python_writes_them(blank: Page, share: float, text: str) -> None:
    assert blank.evaluate("share => percent(share)", share) == f"{text}\u202f%" == formats.percent(share, "unknown")


@pytest.mark.parametrize(
    ("exact", "text"),
    [("0", "0.00"), ("0.000000000001", "< 0.01"), ("0.01", "0.01"), ("0.005", "< 0.01"), ("1234.565", "1,234.57")],
)
def test_money_is_rounded_to_the_cent_and_never_to_nothing(blank: Page, exact: str, text: str) -> None:
    assert blank.evaluate("exact => money(picodollars(exact))", exact) == text


def test_money_keeps_every_picodollar(blank: Page) -> None:
    assert blank.evaluate("exactMoney(picodollars('9007199254740993.000000000007'))") == "9007199254740993.000000000007"


@pytest.mark.parametrize(
    ("zone", "time", "text"),
    [
        ("UTC", "2026-11-15T10:27Z", "2026-11-15 10:27"),
        ("Asia/Kolkata", "2026-11-15T18:45Z", "2026-11-16 00:15"),
        ("Europe/Berlin", "2026-03-29T00:59Z", "2026-03-29 01:59"),
        ("Europe/Berlin", "2026-03-29T01:00Z", "2026-03-29 03:00"),
    ],
)
def test_times_of_any_zone(blank: Page, zone: str, time: str, text: str) -> None:
    assert blank.evaluate("([zone, time]) => minuteIn(zone, Date.parse(time))", [zone, time]) == text


@pytest.mark.parametrize(
    ("zone", "is_known"), [("UTC", True), ("America/New_York", True), ("Mars/Olympus", False), ("", False)]
)
def test_unknown_zones_are_told(blank: Page, zone: str, is_known: bool) -> None:
    assert blank.evaluate("zone => isZone(zone)", zone) is is_known


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_ticks_of_an_axis_are_round_in_the_zone(blank: Page, zone: str) -> None:
    labels = blank.evaluate(
        "zone => ticks(zone, Date.parse('2026-10-20T03:11Z'), Date.parse('2026-11-19T03:11Z'))"
        ".map(time => minuteIn(zone, time).slice(11))",
        zone,
    )
    # The clocks of New York go back within: days stay days there.
    assert set(labels) == {"00:00"}
    assert 4 <= len(labels) <= 10


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ('=HYPERLINK("http://x","y")', '"\'=HYPERLINK(""http://x"",""y"")"'),
        ("a,b", '"a,b"'),
        ("two\nlines", '"two\nlines"'),
        (-1.5, "-1.5"),
        (None, ""),
        ("plain - text", "plain - text"),
    ],
)
def test_csv_defuses_formulas_and_keeps_numbers(blank: Page, value: Any, cell: str) -> None:
    assert blank.evaluate("value => csvCell(value)", value) == cell


INITIAL = {"window": "30days", "basis": "active", "account": "", "caller": ""}


@pytest.mark.parametrize(
    ("chosen", "anchor", "fragment"),
    [
        ({}, "", "#"),
        ({}, "pool/1/us-east-1", "#pool/1/us-east-1"),
        ({"window": "1day"}, "costs", "#costs?window=1day"),
        ({"caller": "a&b=c?~"}, "", "#?caller=a%26b%3Dc%3F%7E"),
        ({"sort": {"pools": "1:desc"}}, "", "#?sort=pools%7E1%3Adesc"),
    ],
)
def test_fragment_holds_what_differs_from_the_beginning(
    blank: Page, chosen: dict[str, Any], anchor: str, fragment: str
) -> None:
    state = INITIAL | {"sort": {}, "open": {}} | chosen
    assert (
        blank.evaluate("([state, initial, anchor]) => formatHash(state, initial, anchor)", [state, INITIAL, anchor])
        == fragment
    )
    read = blank.evaluate("([hash, initial]) => readHash(hash, initial)", [fragment, INITIAL])
    assert read == {"anchor": anchor, "state": state}


_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(deadline=None, max_examples=60)
@given(
    caller=_names,
    sort=st.dictionaries(_names.filter(bool), st.sampled_from(["a:asc", "b:desc"]), max_size=2),
)
def test_fragment_comes_back_whatever_is_typed(blank: Page, caller: str, sort: dict[str, str]) -> None:
    state = INITIAL | {"caller": caller, "sort": sort, "open": {}}
    read = blank.evaluate(
        "([state, initial]) => readHash(formatHash(state, initial, 'costs'), initial)", [state, INITIAL]
    )
    assert read == {"anchor": "costs", "state": state}


def test_fragment_that_nobody_wrote_is_read_as_the_beginning(blank: Page) -> None:
    read = blank.evaluate("initial => readHash('#%E0%A4%A?sort=x&open=~1&other=2', initial)", INITIAL)
    assert read["state"] == INITIAL | {"sort": {}, "open": {}}


@pytest.mark.parametrize(
    ("values", "is_descending", "order"),
    [
        ([3, None, 1], False, [1, 3, None]),
        ([3, None, 1], True, [3, 1, None]),
        (["b10", "b9", ""], False, ["b9", "b10", ""]),
        (["b10", "b9", ""], True, ["b10", "b9", ""]),
    ],
)
def test_unknown_is_sorted_last(blank: Page, values: list[Any], is_descending: bool, order: list[Any]) -> None:
    assert blank.evaluate("([rows, falls]) => sorted(rows, row => row, falls)", [values, is_descending]) == order


POOL = {
    "account_id": "1",
    "region": "us-east-1",
    "model_id": "m",
    "endpoint_type": "geo",
    "profiles": [{"tags": {"team": "a=b"}}, {"tags": None}],
}


@pytest.mark.parametrize(
    ("chosen", "users", "fits"),
    [
        ({}, None, True),
        ({"account": "1", "region": "us-east-1", "model": "m", "endpoint": "geo"}, None, True),
        ({"account": "2"}, None, False),
        ({"tag": "team=a=b"}, None, True),
        ({"tag": "team=a"}, None, False),
        ({"application": "x"}, ["pool/other"], False),
        ({"application": "x"}, ["pool/this"], True),
    ],
)
def test_pool_fits_every_filter_or_none(
    blank: Page, chosen: dict[str, str], users: list[str] | None, fits: bool
) -> None:
    every = dict.fromkeys(("account", "region", "model", "endpoint", "tag", "application", "caller"), "")
    assert fits is blank.evaluate(
        "([pool, chosen, users]) => poolMatches('pool/this', pool, chosen, users && new Set(users))",
        [POOL, every | chosen, users],
    )


READ = """
async text => {
    const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
    const packed = new PackedColumns(new Uint8Array(await new Response(stream).arrayBuffer()));
    const { columns } = packed.header;
    return Object.fromEntries(Object.keys(columns).map((name) => [
        name, packed.column(columns, name).map((value) => (typeof value === "bigint" ? String(value) : value)),
    ]));
}
"""


def test_packed_columns_are_read_as_python_wrote_them(blank: Page) -> None:
    vector = json.loads(VECTOR.read_text(encoding="utf-8"))
    assert blank.evaluate(READ, vector["text"]) == vector["columns"]


MADE = """
([chosen, days]) => {
    const none = { account: "", region: "", model: "", endpoint: "", tag: "", application: "", caller: "" };
    const place = { account_id: "1", region: "r", model_id: "m", endpoint_type: "geo" };
    const counts = [...COUNTS].map((name) => [name, [1, 2, 4, 8]]);
    const costs = PART_COSTS.map((name) => [name, [1n, null, 4n, 8n]]);
    const columns = {
        day: [0, 0, 1, 2], pool: [0, 1, 0, 0], profile: [0, 1, 0, 2], application: [0, 1, 0, 2], caller: [0, 1, 1, 2],
        tier: [0, 0, 0, 0], ...Object.fromEntries(counts), ...Object.fromEntries(costs),
        latency_us: [1n, 2n, 4n, 8n], tpot_ns: [1n, 2n, 4n, 8n],
    };
    const dictionaries = {
        pool: [place, { ...place, region: "other" }],
        profile: [{ tags: { team: "a" } }, { tags: null }, { merged: true }],
        application: ["x", "y", { merged: true }],
        caller: [{ name: "Ann" }, { name: "ann" }, { merged: true }],
    };
    const incomplete = { day: [1], pool: [0] };
    const header = { first_day: "2026-11-01", days: 3, rows: 4, dictionaries, columns, incomplete };
    const cube = new Cube({ header, column: (columns, name) => columns[name] });
    const found = cube.select({ ...none, ...chosen }, cube.daysBetween(...days));
    const { calls, cost } = cube.total(found.rows);
    return [found.rows, calls, cost === null ? null : String(cost), found.missing.length, found.hidden];
}
"""
"""Four rows of calls: 1, 2, 4 and 8 of them; the second has no price, the fourth is several callers' together."""

WHOLE = ["2026-11-01", "2026-11-03"]


@pytest.mark.parametrize(
    ("chosen", "days", "found"),
    [
        ({}, WHOLE, [[0, 1, 2, 3], 15, "52", 1, 0]),
        ({}, ["2026-10-01", "2026-11-01"], [[0, 1], 3, "4", 0, 0]),
        ({"region": "other"}, WHOLE, [[1], 2, None, 0, 0]),
        ({"caller": "Ann"}, WHOLE, [[0], 1, "4", 1, 1]),
        ({"caller": "nn"}, WHOLE, [[0, 1, 2], 7, "20", 1, 1]),
        ({"application": "x"}, WHOLE, [[0, 2], 5, "20", 1, 1]),
        ({"tag": "team=a", "caller": "ann"}, ["2026-11-02", "2026-11-02"], [[2], 4, "16", 1, 0]),
        ({"account": "2"}, WHOLE, [[], 0, None, 0, 0]),
    ],
)
def test_cube_adds_up_what_the_filters_leave(
    blank: Page, chosen: dict[str, str], days: list[str], found: list[Any]
) -> None:
    """Rows, calls, picodollars, days and pools whose logs are incomplete, rows that could not be told apart."""
    assert blank.evaluate(MADE, [chosen, days]) == found


@pytest.fixture(scope="module")
def plotting(blank: Page) -> Page:
    """The same page with the script of a pool's points, and what it finds on the report's page."""
    around = """
        const page = { covered: { scope: [{ start: "2026-11-01T00:00:00Z", end: "2026-11-01T00:04:00Z" }] } };
        const state = { window: "1hour" };
        const chosenWindow = () => ({ start: "2026-11-01T00:00:00Z", end: "2026-11-01T00:06:00Z" });
        const plotOf = (columns, more = {}) => {
            const minutes = { start: "2026-11-01T00:00:00Z", step_seconds: 60, points: 6 };
            const profiles = { profile_start: minutes.start, profile_step_seconds: 60, profiles: {} };
            const level = { windows: ["1hour"], ...minutes, pool: columns, ...profiles, ...more.level };
            const header = { levels: [level], limits: {}, markers: {}, markers_from: minutes.start, ...more.header };
            const series = new PoolSeries({ header, column: (columns, name) => columns[name] });
            return new Plot({ facts: { scope: "scope", limits: { tpm: 9 } } }, series);
        };
        const valuesOf = (points) => points.map(([, value]) => value);
        const drawn = (columns, name, look) => {
            const plot = plotOf(columns);
            return valuesOf(plot.points(plot.ofPool(name), look));
        };
    """
    blank.add_script_tag(content=around + (FOLDER / "pool_series.js").read_text(encoding="utf-8"))
    return blank


def test_idle_is_nothing_unknown_is_a_gap_and_so_is_what_was_not_read(plotting: Page) -> None:
    found = plotting.evaluate(
        "valuesOf((plot => plot.points(plot.ofPool('tpm')))(plotOf({ at: [1, 2], tpm: [7, null] })))"
    )
    assert found == [0, 7, None, 0, None, None]


def test_counts_that_are_not_stored_are_nothing(plotting: Page) -> None:
    found = plotting.evaluate("drawn({ at: [1, 2], throttles: [7, null] }, 'throttles', { whenUnknown: 0 })")
    assert found == [0, 7, 0, 0, None, None]


def test_series_that_a_level_lacks_is_no_series(plotting: Page) -> None:
    assert plotting.evaluate("plotOf({ at: [1], tpm: [7] }).ofPool('tpd')") is None


QUARTERS = """{ level: {
    profile_start: "2026-10-31T23:57:00Z", profile_step_seconds: 300, profiles: { a: { at: [0, 1], tpm: [7, 9] } },
} }"""
"""Profiles in periods of five minutes, which begin three minutes before the level."""


def test_longer_period_of_a_profile_is_drawn_at_each_minute_of_it_that_was_read(plotting: Page) -> None:
    plot = f"plotOf({{ at: [1], tpm: [7] }}, {QUARTERS})"
    assert plotting.evaluate(f"(plot => valuesOf(plot.points(plot.ofProfile('a', 'tpm'))))({plot})") == [
        *(7, 7, 9, 9),
        *(None, None),
    ]
    assert plotting.evaluate(f"{plot}.areProfilesCoarser") is True
    assert plotting.evaluate(f"{plot}.ofProfile('a', 'throttles')") is None
    assert plotting.evaluate(f"{plot}.ofProfile('b', 'tpm')") is None


@pytest.mark.parametrize(
    ("marks", "level", "found"),
    [
        ("minute: [1, 3], value: [20, 30]", "", [20, 30]),
        # Without values: the minute's own, or the quota.
        ("minute: [1, 3]", "", [12, 15]),
        ("minute: [1, 3]", "step_seconds: 300, points: 2", [9, 9]),
    ],
)
def test_mark_without_a_value_has_its_minutes_or_the_quotas(
    plotting: Page, marks: str, level: str, found: list[int]
) -> None:
    more = f"{{ level: {{ {level} }}, header: {{ markers: {{ tpm: {{ {marks} }} }} }} }}"
    plot = f"plotOf({{ at: [1, 3], tpm: [12, 15] }}, {more})"
    assert plotting.evaluate(f"{plot}.markers('tpm').map(([time]) => (time / 60_000) % 60)") == [1, 3]
    assert plotting.evaluate(f"valuesOf({plot}.markers('tpm'))") == found
    assert plotting.evaluate(f"{plot}.areOnQuota('tpm')") is (found == [9, 9])
    assert plotting.evaluate(f"{plot}.areOnQuota('rpm')") is False


def test_running_total_holds_until_midnight(plotting: Page) -> None:
    found = plotting.evaluate(
        "valuesOf((plot => plot.runningTotal(plot.ofPool('tpd')))(plotOf({ at: [1, 3], tpd: [7, 9] })))"
    )
    assert found == [0, 7, 7, 9, None, None]


def test_quota_that_is_known_once_holds_through_the_window(plotting: Page) -> None:
    assert plotting.evaluate("plotOf({ at: [] }).limitSteps('tpm').map(([, value]) => value)") == [9, 9]
    assert plotting.evaluate("plotOf({ at: [] }).limitSteps('rpm')") == []


@pytest.mark.parametrize(
    ("values", "whole"), [([1, None, 2], 3), ([None, None], None), ([], None), ([0, None], 0), ([2**40, 1], 2**40 + 1)]
)
def test_sum_of_nothing_known_is_unknown(blank: Page, values: list[int | None], whole: int | None) -> None:
    assert blank.evaluate("values => knownSum(values.map((n) => ({ n })), 'n')", values) == whole


def test_people_are_counted_once_and_only_with_use(blank: Page) -> None:
    seen = (
        ("a", "kiro", 1, 0),
        ("a", "q_developer", 2, 0),
        ("b", "kiro", 0, 0),
        (None, "kiro", 5, 0),
        (None, "kiro", 9, 3),
    )
    rows = [
        {"account_id": "1", "user_id": user, "product": product, "interactions": asked, "merged_users": merged}
        for user, product, asked, merged in seen
    ]
    assert blank.evaluate("rows => peopleOf(rows)", rows) == 1


@pytest.mark.parametrize(
    ("net", "whole", "text"),
    [
        (("-77.000820000000", "-27.989680000000"), "-104.990500000000", "\u2212104.99"),
        (("-1.5", "2.25"), "0.750000000000", "0.75"),
        (("1.0", None), None, None),
    ],
)
def test_value_of_a_month_adds_up_exactly_and_is_unknown_with_an_unknown_part(
    blank: Page, net: tuple[str | None, ...], whole: str | None, text: str | None
) -> None:
    row = {"usage_month": "2026-11-01", "seats": 3, "virtual_cost_usd": "1.000000000001"}
    row |= dict.fromkeys(
        ("virtual_cost_low_usd", "virtual_cost_high_usd", "subscription_usd", "subscription_to_date_usd")
    )
    month = blank.evaluate("rows => qMonth(rows)", [row | {"net_usd": usd} for usd in net])
    assert month["net_usd"] == whole
    assert month["subscription_usd"] is None
    assert month["virtual_cost_per_seat_usd"] == "0.333333333333"
    if whole is not None:
        assert blank.evaluate("text => signedMoney(signedPicodollars(text))", whole) == text


@pytest.mark.parametrize(
    ("chosen", "fits"),
    [
        ({}, True),
        ({"account": "1", "region": "eu-central-1", "caller": "d"}, True),
        ({"account": "2"}, False),
        ({"region": "us-east-1"}, False),
        ({"caller": "ADA"}, False),
        ({"model": "m", "endpoint": "geo", "tag": "a=b", "application": "x"}, True),
    ],
)
def test_which_filters_act_on_users(blank: Page, chosen: dict[str, str], fits: bool) -> None:
    row = {"account_id": "1", "region": "eu-central-1", "user_id": "ada"}
    nothing = dict.fromkeys(("account", "region", "model", "endpoint", "tag", "application", "caller"), "")
    assert blank.evaluate("([row, chosen]) => qFits(row, chosen)", [row, nothing | chosen]) is fits


def test_users_who_were_put_together_are_one_row_that_no_caller_filter_finds(blank: Page) -> None:
    place = {"account_id": "1", "region": "eu-central-1", "product": "kiro", "usage_date": "2026-11-15"}
    rows = [
        place | {"user_id": "ada", "user_email": None, "merged_users": 0, "interactions": 4, "token_source": "counted"},
        place | {"user_id": None, "user_email": None, "merged_users": 7, "interactions": 9, "token_source": None},
        place | {"user_id": None, "user_email": None, "merged_users": 0, "interactions": 1, "token_source": None},
    ]
    users = blank.evaluate("rows => qUsers(rows)", rows)
    assert [(row["user_id"], row["merged_users"], row["interactions"], row["active_days"]) for row in users] == [
        (None, 7, 9, 1),
        ("ada", 0, 4, 1),
        (None, 0, 1, 1),
    ]
    assert blank.evaluate("rows => rows.filter((row) => qFits(row, { caller: 'a' })).length", rows) == 1
