"""The dashboard's frame: filters from the address, another file under it, another version's file, who may look."""

import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from usage_pipeline.ui import passwords, start
from usage_pipeline.ui.app import PAGES
from usage_pipeline.ui.freshness import INTERVALS
from usage_pipeline.ui.login import may_look
from usage_pipeline.ui.options import PASSWORD_VARIABLE, Options, as_arguments, from_arguments
from usage_pipeline.ui.passwords import Door, PasswordHashError, TooSoonError, check_hash, hash_password, is_password
from usage_pipeline.ui.reading import published_file
from usage_pipeline_tests.ui.drawing import SECONDS, tiles

Look = Callable[..., AppTest]

DASHBOARD = Path(start.__file__).with_name("dashboard.py")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Look:
    """Opens the dashboard with options and an address."""

    def look(options: Options, **address: str) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["dashboard.py", *as_arguments(options)])
        page = AppTest.from_file(str(DASHBOARD), default_timeout=SECONDS)
        for name, value in address.items():
            page.query_params[name] = value
        page.run()
        assert [error.value for error in page.exception] == []
        return page

    return look


def test_the_filters_come_from_the_address(opened: Look, published: Path) -> None:
    page = opened(Options(published), caller="alice", model="Claude Sonnet 4.5", refresh="30 s")
    assert tiles(page)["Calls"] == "1"
    assert page.multiselect(key="model").value == ["Claude Sonnet 4.5"]
    assert page.selectbox(key="refresh").value == "30 s"
    page.text_input(key="caller").set_value("").run()
    assert tiles(page)["Calls"] == "6"


def test_what_the_address_cannot_mean_is_left_out(opened: Look, published: Path) -> None:
    page = opened(Options(published), model="' or 1=1 --", days="never", endpoint="geo")
    assert page.multiselect(key="model").value == []
    assert page.multiselect(key="endpoint").value == ["geo"]
    assert tiles(page)["Calls"] == "6"


def test_everything_is_shown_at_first_with_how_new_it_is(opened: Look, published: Path) -> None:
    page = opened(Options(published))
    assert tiles(page)["Calls"] == "16"
    assert page.sidebar.markdown[0].value == "**Data up to** 2026-11-15 10:27 UTC"
    assert page.selectbox(key="refresh").options == list(INTERVALS)
    assert page.multiselect(key="account").options == ["production"]


def test_another_file_is_seen_at_the_next_look(opened: Look, published: Path, tmp_path: Path) -> None:
    file, newer = tmp_path / "usage.duckdb", tmp_path / "newer.duckdb"
    file.write_bytes(published.read_bytes())
    newer.write_bytes(published.read_bytes())
    with duckdb.connect(str(newer)) as con:
        con.execute("update marts.usage_daily set calls = calls + 1000 where role_or_user = 'Alice'")
    page = opened(Options(file))
    assert tiles(page)["Calls"] == "16"
    before = published_file(file)
    newer.replace(file)
    assert published_file(file) != before
    assert tiles(page.run())["Calls"] == "1,016"
    file.unlink()
    assert [error.value for error in page.run().error] == [
        f"{file} is not there. Run `usage-pipeline run`, or `usage-pipeline demo` for made-up data."
    ]


def test_before_anything_was_read_the_dashboard_says_so(opened: Look, unused: Path) -> None:
    page = opened(Options(unused))
    assert [info.value for info in page.info] == ["No use has been read yet. Run `usage-pipeline run`."]


def test_a_file_of_another_version_is_told_without_its_insides(opened: Look, published: Path, tmp_path: Path) -> None:
    file = tmp_path / "usage.duckdb"
    file.write_bytes(published.read_bytes())
    with duckdb.connect(str(file)) as con:
        con.execute("drop table ops.findings")
    page = opened(Options(file))
    (error,) = [error.value for error in page.error]
    assert error.startswith("The published file lacks what this page reads")
    assert "findings" not in error


def test_pages_have_names_and_addresses_of_their_own() -> None:
    assert len({module.URL for module in PAGES}) == len({module.TITLE for module in PAGES}) == len(PAGES)


def test_options_come_through_the_command_line() -> None:
    options = Options(Path("a b.duckdb"), Path("c.yaml"), "oidc", ("@corp.example", "ann@x.example"), 0.7)
    assert from_arguments(as_arguments(options)) == options
    assert from_arguments(as_arguments(Options(Path("a")))) == Options(Path("a"))


# ---------------------------------------------------------------------------------------------------------------------
# Who may look


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_COST", 2**4)


def test_a_password_is_asked_before_anything_is_shown(
    opened: Look, published: Path, monkeypatch: pytest.MonkeyPatch, cheap_hashes: None
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, hash_password("open sesame"))
    page = opened(Options(published, login="password"))

    def say(password: str) -> list[str]:
        page.text_input[0].set_value(password)
        page.button[0].click().run()
        return [error.value for error in page.error]

    assert len(page.metric) == len(page.sidebar.children) == 0
    for _ in range(passwords.FREE_TRIES):
        assert say("Open sesame") == ["This is not the password."]
    assert say("open sesame") == ["Too many wrong tries. Try again in 1 s."]
    assert len(page.metric) == 0

    other = hash_password("another")
    monkeypatch.setenv(PASSWORD_VARIABLE, other)
    assert say("another") == []
    assert tiles(page)["Calls"] == "16"


def test_a_hash_fits_its_password_alone_and_no_other_text_is_one() -> None:
    kept = hash_password("a")
    assert kept.startswith("scrypt:32768:8:3:")
    assert is_password("a", kept)
    assert not is_password("b", kept)
    for wrong in ("", "a", "scrypt:1:1:1:YQ==:YQ==", kept[:-4], kept.replace("scrypt", "md5"), kept + ":", kept + "é"):
        with pytest.raises(PasswordHashError, match="usage-pipeline ui --hash-password"):
            check_hash(wrong)


def test_wrong_tries_wait_twice_as_long_each_and_a_right_one_begins_anew(cheap_hashes: None) -> None:
    now = [0.0]
    door = Door(hash_password("a"), clock=lambda: now[0])
    for seconds in (0, 0, 1, 2, 4, 8, 16, 32, 60, 60):
        assert not door.try_password("b")
        if seconds:
            with pytest.raises(TooSoonError) as refused:
                door.try_password("a")
            assert refused.value.seconds == seconds
        now[0] += seconds
    assert door.try_password("a")
    assert not door.try_password("b")
    assert door.try_password("a")


@pytest.mark.parametrize(
    ("wrong_tries", "seconds"), [(0, 0), (2, 0), (3, 1), (4, 2), (5, 4), (8, 32), (9, 60), (10_000, 60)]
)
def test_waiting(wrong_tries: int, seconds: float) -> None:
    assert passwords.wait_seconds(wrong_tries) == seconds


@pytest.mark.parametrize(
    ("claims", "allowed", "expected"),
    [
        ({"email": "ann@corp.example"}, (), True),
        ({}, (), True),
        ({"email": "Ann@Corp.example"}, ("@corp.example",), True),
        ({"email": "ann@corp.example"}, ("ann@corp.EXAMPLE",), True),
        ({"email": "ann@corp.example"}, ("bob@corp.example", "@other.example"), False),
        ({"email": "ann@evilcorp.example"}, ("@corp.example",), False),
        ({"email": "ann@corp.example.evil.example"}, ("@corp.example",), False),
        ({"email": "ann@corp.example", "email_verified": False}, ("@corp.example",), False),
        ({"email": "ann@corp.example", "email_verified": True}, ("@corp.example",), True),
        ({"name": "ann@corp.example"}, ("@corp.example",), False),
        ({"email": "@corp.example"}, ("@corp.example",), True),
    ],
)
def test_addresses_that_may_look(claims: dict[str, object], allowed: tuple[str, ...], expected: bool) -> None:
    assert may_look(claims, allowed) is expected
