"""What a reader does with the page: filter, link, sort, save, search, keys, zones, themes, paper, a phone."""

import csv
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from usage_pipeline.report.anchors import check_anchor, pool_anchor
from usage_pipeline_tests.report.browser import PHONE, Opened, column, heads, open_report
from usage_pipeline_tests.report.sample import HOSTILE_NAME, LITE, LITE_POOL, PIXTRAL_POOL, SONNET_POOL

pytestmark = pytest.mark.browser

ARTEFACTS = Path(__file__).parents[2] / "artefacts"
"""Pictures of the page for whoever wants to look; git ignores the folder."""


@pytest.fixture(scope="module")
def plain(browser: Browser, logged_page: Path) -> Iterator[Opened]:
    """The page where scripts do not run."""
    found = open_report(browser, logged_page, java_script_enabled=False)
    yield found
    found.tab.context.close()


def tiles(opened: Opened) -> list[str]:
    return [" ".join(text.split()) for text in opened.tab.locator("#verdict .tiles dd").all_inner_texts()]


def shown_pools(opened: Opened) -> set[str]:
    rows = opened.tab.locator("#pools tbody tr:visible")
    return set(rows.evaluate_all("rows => rows.map(row => row.dataset.pool)"))


# ---------------------------------------------------------------------------------------------------------------------
# Filters and the address


def test_tiles_and_risk_table_say_the_same_with_and_without_the_script(opened: Opened, plain: Opened) -> None:
    opened.choose("window", "1day")
    opened.choose("window", "30days")
    names = ("utilization_peak", "headroom", "throttles", "consumed_tokens")
    rows = [[column(tab.tab.locator("#pools"), name) for name in names] for tab in (opened, plain)]
    assert rows[0] == rows[1]
    assert tiles(opened) == tiles(plain)
    assert opened.tab.locator(".headline").first.inner_text() == plain.tab.locator(".headline").first.inner_text()


def test_filters_act_on_pools_tiles_throttles_and_sections_together(opened: Opened) -> None:
    opened.filter("model", LITE)
    assert shown_pools(opened) == {LITE_POOL}
    assert opened.tab.locator("#pool-count").inner_text() == "1 of 4 pools"
    assert tiles(opened)[0] == "1 of 1 with use"
    assert tiles(opened)[2].startswith("at least 0 ")
    assert not opened.pool(SONNET_POOL).is_visible()
    assert opened.pool(LITE_POOL).is_visible()
    assert opened.table("causes").is_hidden()
    assert "No pool that is shown was throttled" in opened.tab.locator("#throttles").inner_text()
    opened.tab.locator("#clear-filters").click()
    assert opened.tab.locator("#pool-count").inner_text() == "4 of 4 pools"
    assert opened.pool(SONNET_POOL).is_visible()


def test_window_acts_on_the_risk_table(opened: Opened) -> None:
    opened.choose("window", "1day")
    assert "2026-11-15 to 2026-11-15" in opened.tab.locator("#pools-days").inner_text()
    row = opened.tab.locator(f'#pools tr[data-pool="{PIXTRAL_POOL}"]')
    lite = opened.tab.locator(f'#pools tr[data-pool="{LITE_POOL}"] td[data-column="consumed_tokens"]')
    assert "limit or use unknown" in row.inner_text()
    assert lite.get_attribute("data-value") == "97650"
    opened.choose("window", "7days")
    assert lite.get_attribute("data-value") == "292950"


def test_link_shows_the_same_in_another_tab(browser: Browser, logged_page: Path, opened: Opened) -> None:
    opened.choose("window", "7days")
    opened.choose("basis", "all")
    opened.filter("model", LITE)
    opened.tab.locator('#display select[name="zone"]').select_option("Asia/Tokyo")
    opened.table("prices").locator("thead button").first.click()
    opened.pool(LITE_POOL).locator("summary").first.click()
    opened.tab.wait_for_function("location.hash.includes('open=')")
    other = open_report(browser, logged_page, opened.fragment())
    for tab in (opened, other):
        assert tab.tab.locator("#window-span").inner_text() == "2026-11-08 19:27 – 2026-11-15 19:27 Asia/Tokyo"
        assert tab.tab.locator('input[name="basis"][value="all"]').is_checked()
        assert shown_pools(tab) == {LITE_POOL}
        assert tab.table("prices").locator("th[aria-sort]").count() == 1
        assert tab.pool(LITE_POOL).get_attribute("open") is None
    assert other.fragment() == opened.fragment()
    other.tab.context.close()


def test_back_and_forward_undo_and_redo_a_choice(opened: Opened) -> None:
    opened.choose("window", "1day")
    opened.filter("model", LITE)
    opened.tab.go_back()
    expect(opened.tab.locator("#pool-count")).to_have_text("4 of 4 pools")
    assert opened.tab.locator('input[name="window"][value="1day"]').is_checked()
    opened.tab.go_forward()
    expect(opened.tab.locator("#pool-count")).to_have_text("1 of 4 pools")


def test_address_of_another_report_does_no_harm(opened: Opened) -> None:
    opened.go("#nothing/here?window=90days&zone=Mars/Olympus&model=gone&sort=causes~nothing:desc&unknown=1&open=~")
    assert opened.tab.locator("#window-span").inner_text().endswith("UTC")
    assert opened.tab.locator("#pool-count").inner_text() == "0 of 4 pools"
    assert opened.tab.locator(".filters select[name=model]").input_value() == "gone"
    assert "not in this report" in opened.tab.locator(".filters select[name=model]").inner_text()


def test_link_to_a_pool_that_a_filter_hides_clears_the_filter(opened: Opened) -> None:
    opened.filter("model", LITE)
    opened.tab.evaluate("anchor => { location.hash = anchor + '?model=' }", pool_anchor(PIXTRAL_POOL))
    expect(opened.tab.locator("#pool-count")).to_have_text("4 of 4 pools")
    assert opened.pool(PIXTRAL_POOL).get_attribute("open") is not None


def test_failed_check_leads_to_its_row(opened: Opened) -> None:
    opened.tab.locator(".problems a").first.click()
    anchor = check_anchor("raw.cloudwatch_metrics", "every_scope_answered_for_cloudwatch_metrics")
    assert opened.fragment() == f"#{anchor}"
    assert opened.tab.locator(f'tr[id="{anchor}"]').is_visible()


# ---------------------------------------------------------------------------------------------------------------------
# Tables


def test_tables_are_sorted_by_their_heads(opened: Opened) -> None:
    table = opened.table("cost-application")
    first = heads(table)
    head = table.locator('th[data-sorted-by="calls"]')
    orders: list[list[int]] = []
    for direction in ("descending", "ascending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == direction
        orders.append([int(text) for text in column(table, "calls")])
    assert orders == [sorted(orders[0], reverse=True), sorted(orders[0])]
    head.locator("button").click()
    assert head.get_attribute("aria-sort") is None
    assert heads(table) == first


def test_unknown_values_come_last_in_both_directions(opened: Opened) -> None:
    table = opened.table("pools")
    for _ in range(2):
        table.locator("thead button", has_text="Highest use").click()
        found = column(table, "utilization_peak")
        assert found[2:] == ["", ""]
        assert "" not in found[:2]


def saved(opened: Opened, table: Any) -> list[list[str]]:
    with opened.tab.expect_download() as download:
        table.locator("button.csv").click()
    assert download.value.suggested_filename.endswith(".csv")
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def test_csv_is_the_table_and_defuses_formulas(opened: Opened) -> None:
    table = opened.table("cost-application")
    head, *rows = saved(opened, table)
    assert head[:3] == ["Application", "Total (US dollars)", "Share"]
    assert [row[1] for row in rows[:-1]] == column(table, "cost")
    assert [row[0] for row in rows[:-1]] == heads(table)
    assert rows[-1][0] == "Total"


def test_csv_of_the_first_screen_s_table_is_exact(opened: Opened) -> None:
    table = opened.table("pools")
    head, *rows = saved(opened, table)
    consumed = head.index("Consumed (tokens)")
    assert [row[consumed] for row in rows] == column(table, "consumed_tokens")
    assert [row[head.index("Headroom")] for row in rows] == column(table, "headroom")


def test_every_table_has_a_name_and_can_be_saved(opened: Opened) -> None:
    bare = opened.tab.evaluate("""
        [...document.querySelectorAll("main table:not(.heat)")]
            .filter((table) => !table.closest(".framed")?.querySelector("button.csv"))
            .map((table) => table.outerHTML.slice(0, 120))
    """)
    assert bare == []


def test_every_chart_has_its_numbers_as_a_table(opened: Opened) -> None:
    opened.choose("window", "1hour")
    figure = opened.figure(SONNET_POOL, "tpm")
    figure.locator(".twin-toggle").click()
    rows = figure.locator("tbody tr")
    rows.first.wait_for()
    assert figure.locator(".canvas").is_hidden()
    head, *saved_rows = saved(opened, figure)
    assert head[:2] == ["When (UTC)", "All profiles (tokens/min)"]
    assert ["2026-11-15 10:00", "22000"] in [row[:2] for row in saved_rows]
    assert f"{HOSTILE_NAME} (tokens/min)" in head
    assert " ".join(rows.first.inner_text().split()).startswith(saved_rows[0][0])
    figure.locator(".twin-toggle").click()
    toggles = opened.tab.locator("figure .twin-toggle").count()
    assert toggles == opened.tab.locator("figure").count()


# ---------------------------------------------------------------------------------------------------------------------
# Keys, search, copying


def focused(opened: Opened) -> str | None:
    return opened.tab.evaluate("document.activeElement.closest('[id]')?.id ?? null")


def test_j_and_k_go_through_the_findings(opened: Opened) -> None:
    findings = [str(card.get_attribute("id")) for card in opened.tab.locator("#findings .finding").all()]
    assert len(findings) >= 2
    opened.tab.locator("body").press("j")
    assert focused(opened) == findings[0]
    opened.tab.keyboard.press("j")
    assert focused(opened) == findings[1]
    opened.tab.keyboard.press("k")
    assert focused(opened) == findings[0]


def test_slash_searches_and_enter_goes_there(opened: Opened) -> None:
    opened.tab.locator("body").press("/")
    opened.tab.keyboard.type("nova li")
    options = opened.tab.locator("#search-results [role=option]")
    assert "Nova Lite" in options.first.inner_text()
    opened.tab.keyboard.press("Enter")
    assert opened.fragment().startswith(f"#{pool_anchor(LITE_POOL)}")
    assert opened.tab.locator("dialog[open]").count() == 0
    opened.tab.locator("body").press("/")
    opened.tab.keyboard.type(HOSTILE_NAME)
    assert HOSTILE_NAME in options.first.inner_text()
    opened.tab.keyboard.press("Escape")
    assert opened.tab.locator("dialog[open]").count() == 0


@pytest.mark.parametrize(
    ("text", "kind"),
    [("L-00000001", "Quota"), ("two models", None), ("small-3", "Application"), ("throttled", "Finding")],
)
def test_search_finds_every_kind_of_thing(opened: Opened, text: str, kind: str | None) -> None:
    opened.tab.locator("#search").click()
    opened.tab.keyboard.type(text)
    kinds = opened.tab.locator("#search-results .kind").all_inner_texts()
    opened.tab.keyboard.press("Escape")
    assert (kind in kinds) if kind else kinds == []


def test_question_mark_opens_help_and_letters_typed_are_letters(opened: Opened) -> None:
    opened.tab.locator("body").press("?")
    assert "Next finding" in opened.tab.locator("dialog.help").inner_text()
    opened.tab.keyboard.press("Escape")
    opened.tab.locator("#caller-filter").focus()
    opened.tab.keyboard.type("j/?")
    assert opened.tab.locator("#caller-filter").input_value() == "j/?"
    expect(opened.tab.locator("#pool-count")).to_have_text("0 of 4 pools")
    assert opened.tab.locator("dialog[open]").count() == 0


def test_command_of_a_finding_is_copied(opened: Opened) -> None:
    opened.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    block = opened.tab.locator("#findings .copyable:has(> code)").first
    block.locator("button").click()
    expect(block.locator("button")).to_have_text("Copied")
    assert opened.tab.evaluate("navigator.clipboard.readText()") == block.locator("code").inner_text()


# ---------------------------------------------------------------------------------------------------------------------
# Zones, themes, paper, a phone, no script


def test_time_zone_is_said_everywhere(opened: Opened) -> None:
    opened.tab.locator('#display select[name="zone"]').select_option("America/New_York")
    assert "2026-11-15 05:27 America/New_York" in opened.tab.locator(".dateline").inner_text()
    assert "days are UTC days" in opened.tab.locator("#zone-note").inner_text()
    assert set(opened.tab.locator("thead .zone").all_inner_texts()) == {"America/New_York"}
    opened.choose("window", "1hour")
    figure = opened.figure(SONNET_POOL, "tpm")
    figure.locator(".twin-toggle").click()
    assert figure.locator("tbody tr td").first.inner_text() == "2026-11-15 04:27"
    assert "America/New_York" in figure.locator("thead").inner_text()
    figure.locator(".twin-toggle").click()


def test_theme_follows_the_system_until_it_is_chosen(opened: Opened) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    grounds: list[str] = []
    for scheme in ("light", "dark"):
        opened.tab.emulate_media(color_scheme=scheme)
        grounds.append(opened.tab.evaluate(ground))
    assert grounds == ["rgb(247, 248, 250)", "rgb(16, 19, 23)"]
    opened.tab.locator('#display select[name="theme"]').select_option("light")
    assert opened.tab.evaluate(ground) == grounds[0]
    assert "theme=light" in opened.fragment()
    opened.tab.emulate_media(color_scheme="light")


def test_paper_is_light_without_controls_and_with_vectors(opened: Opened) -> None:
    opened.tab.emulate_media(color_scheme="dark")
    figure = opened.figure(SONNET_POOL, "rpm")
    opened.tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.tab.emulate_media(media="print", color_scheme="dark")
    assert figure.locator("svg").count() == 1
    assert figure.locator("canvas").count() == 0
    assert opened.tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for part in ("#toolbar", ".sections", "#display", "button.csv"):
        assert not opened.tab.locator(part).first.is_visible()
    assert opened.tab.evaluate("getComputedStyle(document.querySelector('.framed .scroll')).overflowX") == "visible"
    keep(opened, "print")
    opened.tab.emulate_media(media="screen", color_scheme="light")
    opened.tab.evaluate("dispatchEvent(new Event('afterprint'))")
    figure.locator("canvas").first.wait_for()


def keep(opened: Opened, name: str) -> None:
    """A picture beside the repository's files; not in continuous integration's read-only checkouts."""
    if os.access(ARTEFACTS.parent, os.W_OK):
        ARTEFACTS.mkdir(exist_ok=True)
        opened.tab.screenshot(path=ARTEFACTS / f"report_{name}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(opened: Opened, scheme: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    opened.tab.emulate_media(color_scheme=scheme)
    opened.figure(SONNET_POOL, "tpm")
    opened.tab.evaluate("scrollTo(0, 0)")
    keep(opened, scheme)
    found = Axe().run(opened.tab, options={"resultTypes": ["violations"]})
    opened.tab.emulate_media(color_scheme="light")
    barriers = [
        (violation["id"], violation["impact"], [node["html"][:120] for node in violation["nodes"][:3]])
        for violation in found.response["violations"]
    ]
    assert barriers == []


def test_phone_needs_no_sideways_scrolling_of_the_page(browser: Browser, logged_page: Path) -> None:
    opened = open_report(browser, logged_page, viewport=PHONE)
    first_tab_stop_skips_to_the_verdict(opened)
    opened.tab.locator("#open-all").click()
    for summary in ("#unused summary", "#max-tokens summary"):
        if opened.tab.locator(summary).count():
            opened.tab.locator(summary).first.click()
    opened.figure(SONNET_POOL, "rpm")
    for scheme in ("light", "dark"):
        opened.tab.emulate_media(color_scheme=scheme)
        assert opened.tab.evaluate("document.documentElement.scrollWidth") == 390
        keep(opened, f"phone_{scheme}")
    assert opened.complaints == []
    opened.tab.context.close()


def first_tab_stop_skips_to_the_verdict(opened: Opened) -> None:
    opened.tab.keyboard.press("Tab")
    assert opened.tab.evaluate("document.activeElement.className") == "skip"
    opened.tab.keyboard.press("Enter")
    assert opened.fragment() == "#verdict"


def test_without_the_script_the_verdict_findings_quotas_prices_and_completeness_are_there(plain: Opened) -> None:
    text = plain.tab.locator("main").inner_text()
    assert "1 pool is over its quota or was throttled." in text
    assert "need JavaScript" in text
    for part in ("pools tbody tr", "findings .finding", "prices tbody tr", "completeness tbody tr", "checks tbody tr"):
        assert plain.tab.locator(f"#{part}").first.is_visible()
    assert plain.pool(SONNET_POOL).locator('tr[data-quota="tpm"]').is_visible()
    assert plain.tab.locator("#toolbar").is_hidden()
    assert not re.search(r"\{\w+\}|undefined|NaN", text)
