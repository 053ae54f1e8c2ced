"""The What-if page replays what the command replays, tells how far it is, and runs no more than a page can bear."""

import json
import shlex
import shutil
import threading
from fractions import Fraction
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from usage_pipeline import replays
from usage_pipeline.cli import app
from usage_pipeline.replays import Changes, ReplayError
from usage_pipeline.ui import replay_answers
from usage_pipeline.ui.reading import published_file
from usage_pipeline.ui.replay_answers import Answer, Question, ReplayAnswers
from usage_pipeline_tests.ui.priced_sample import CONFIGURATION, POOL, draw, drawn, table


@pytest.fixture(scope="module")
def config(priced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose published file is the sample."""
    folder = tmp_path_factory.mktemp("what if")
    (folder / "data" / "published").mkdir(parents=True)
    shutil.copy(priced, folder / "data" / "published")
    (folder / "usage_pipeline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    return folder / "usage_pipeline.yaml"


@pytest.fixture
def file(config: Path) -> Path:
    return config.parent / "data" / "published" / "usage.duckdb"


def replay(page: AppTest) -> AppTest:
    page.button(key="what-if_replay").click()
    return drawn(page)


def throttled(page: AppTest) -> dict[str, str]:
    (line,) = [row for row in table(page, "Result") if row["Result"] == "throttled requests"]
    return {name: value for name, value in line.items() if name != "Result"}


def test_the_page_shows_what_the_command_it_names_prints(file: Path, config: Path) -> None:
    page = draw("what_if", file, config)
    assert page.selectbox(key="what-if_pool").options == [
        "Nova Lite · on_demand · us-east-1 · production",
        "Claude Sonnet 4.5 · geo · us-east-1 · production",
    ]
    page.text_input(key="what-if_quota").set_value("3.002e6")
    page.number_input(key="what-if_max_tokens").set_value(600)
    replay(drawn(page))

    (command,) = [code.value for code in page.code]
    program, *arguments = shlex.split(command)
    assert program == "usage-pipeline"
    assert arguments == [
        *("replay", "--pool", POOL, "--max-tokens", "600", "--quota", "3002000"),
        *("--from", "2026-11-08", "--to", "2026-11-14", "--config", str(config)),
    ]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    (found,) = [answer.data for question, answer in what_is_kept(page).items() if question.changes.quota == 3_002_000]
    assert json.loads(result.stdout) == found
    # Of three calls at once, two fit into today's quota and all into the other one.
    assert throttled(page) == {
        "today, bucket": "1 (25.00%)",
        "today, window": "1 (25.00%)",
        "changed, bucket": "0 (0.00%)",
        "changed, window": "0 (0.00%)",
    }
    settings = {row["Setting"]: row["changed, window"] for row in table(page, "Setting")}
    assert (settings["tokens per minute"], settings["max_tokens"]) == ("3,002,000", "600")


def what_is_kept(page: AppTest) -> dict[Question, Answer]:
    from usage_pipeline.ui.pages.what_if import _answers

    return dict(_answers()._answers)


def test_a_replay_that_was_run_is_shown_again_at_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = draw("what_if", file)
    page.number_input(key="what-if_traffic").set_value(2.0)
    replay(drawn(page))
    before = throttled(page)

    def refuse(*_: object) -> None:
        raise AssertionError("replayed again")

    monkeypatch.setattr(replay_answers, "replay_published", refuse)
    again = draw("what_if", file)
    assert [frame for frame in again.dataframe if "Result" in frame.value.columns] == []
    again.number_input(key="what-if_traffic").set_value(2.0)
    assert throttled(drawn(again)) == before
    assert next(code.value for code in again.code).endswith("--traffic 2.0 --from 2026-11-08 --to 2026-11-14")


def test_what_is_not_allowed_is_told_in_the_commands_words(file: Path) -> None:
    page = draw("what_if", file)
    page.text_input(key="what-if_burndown").set_value("<b>five</b>")
    (error,) = drawn(page).error
    assert error.value.replace("\\", "") == (
        "--burndown is '<b>five</b>'; give a number above 0 and up to 1000, such as 5 or 2.5."
    )
    assert list(page.button) == []


def test_a_pool_whose_quota_is_not_known_needs_one(file: Path) -> None:
    page = draw("what_if", file)
    page.selectbox(key="what-if_pool").set_value("Claude Sonnet 4.5 · geo · us-east-1 · production")
    (error,) = replay(drawn(page)).error
    assert "is not known; give one with" in error.value
    assert [frame for frame in page.dataframe if "Result" in frame.value.columns] == []


def test_more_calls_than_a_page_can_bear_are_refused_with_what_to_do(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_answers, "MOST_CALLS", 7)
    page = draw("what_if", file)
    page.number_input(key="what-if_traffic").set_value(1.9)
    (error,) = replay(drawn(page)).error
    assert error.value.replace("\\", "") == (
        "There are 4 calls from 2026-11-08 to 2026-11-14, 8 with the traffic that is asked for; at most 7 are replayed "
        "here. Choose fewer days, or run the command, which replays them all."
    )


def test_without_logged_calls_there_is_nothing_to_replay(unused: Path) -> None:
    page = draw("what_if", unused)
    assert [box.value for box in page.info] == ["No pool has logged calls here. A replay needs model invocation logs."]


# ---------------------------------------------------------------------------------------------------------------------
# Running replays


def question(file: Path, rate: int = 5) -> Question:
    return Question(published_file(file), POOL, Changes(burndown_rate=Fraction(rate)), 7)


def test_progress_grows_to_the_whole(file: Path) -> None:
    told: list[float] = []
    ReplayAnswers().ask(question(file, 7), told.append, lambda: None)
    assert told == sorted(told)
    assert told[-1] == 1.0
    # Two settings, each in two shapes.
    assert {0.25, 0.5, 0.75, 1.0} <= set(told)


def test_one_replay_waits_for_the_other(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, is_running, may_end = ReplayAnswers(), threading.Event(), threading.Event()
    running, most, waited = 0, 0, threading.Event()
    real = replays.replay_published

    def slow(*arguments: object) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        is_running.set()
        may_end.wait(20)
        found = real(*arguments)
        running -= 1
        return found

    monkeypatch.setattr(replay_answers, "replay_published", slow)
    first = threading.Thread(target=lambda: answers.ask(question(file), lambda _: None, lambda: None))
    first.start()
    assert is_running.wait(20)
    second = threading.Thread(target=lambda: answers.ask(question(file, 6), lambda _: None, waited.set))
    second.start()
    assert waited.wait(20)
    may_end.set()
    first.join()
    second.join()
    assert most == 1
    assert answers.known(question(file, 6)) is not None


def test_a_replay_that_fails_lets_the_next_one_in_and_is_not_remembered(file: Path) -> None:
    answers = ReplayAnswers()
    wrong = Question(published_file(file), "no/such/pool/here", Changes(), 7)
    with pytest.raises(ReplayError, match=r"^There is no pool no/such/pool/here"):
        answers.ask(wrong, lambda _: None, lambda: None)
    assert answers.known(wrong) is None
    assert answers.ask(question(file), lambda _: None, lambda: None).data["calls"] == 4


def test_only_so_many_answers_are_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_answers, "MOST_ANSWERS", 2)
    answers = ReplayAnswers()
    for rate in (1, 2, 3):
        answers.ask(question(file, rate), lambda _: None, lambda: None)
    assert [answers.known(question(file, rate)) is None for rate in (1, 2, 3)] == [True, False, False]
