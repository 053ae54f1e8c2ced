"""`usage-pipeline replay` on a published file with a few calls whose outcome can be worked out by hand."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from usage_pipeline.cli import app
from usage_pipeline.replays import ReplayError, quota_of, rate_of

ACCOUNT = "111122223333/us-east-1"
POOL = f"{ACCOUNT}/geo/some.model-v1:0"
GLOBAL = f"{ACCOUNT}/global/some.model-v1:0"

CONFIGURATION = """\
accounts:
  - name: production
    role_arn: arn:aws:iam::111122223333:role/usage-pipeline-reader
    regions: [us-east-1]
warehouse: data/warehouse.duckdb
"""

# Three calls within two seconds that hold 400 tokens each and take 150 in the end: two fit into 1,000 tokens at once.
TABLES = f"""
    create schema marts;
    create table marts.quota_pools as
    select
        pool_id,
        split_part(pool_id, '/', 1) as account_id,
        split_part(pool_id, '/', 2) as region,
        split_part(pool_id, '/', 3) as endpoint_type,
        split_part(pool_id, '/', 4) as model_id,
        tpm_limit::bigint as tpm_limit,
        null::bigint as rpm_limit,
        burndown_rate::double as burndown_rate,
    from (
        values
            ('{POOL}', 1000, 5.0),
            ('{GLOBAL}', 2000, 5.0),
            ('{ACCOUNT}/on_demand/some.model-v1:0', null, 5.0),
            ('{ACCOUNT}/geo/unused.model-v1:0', 1000, 5.0),
            ('{ACCOUNT}/geo/unknown.rate-v1:0', 1000, null),
    ) as pools (pool_id, tpm_limit, burndown_rate);
    create table marts.quota_usage_minutely (
        pool_id varchar, usage_date date, ts timestamp, latency_ms_avg double
    );
    create table marts.invocations as
    select
        'r' || number as request_id,
        pool_id,
        timestamp '2026-11-14 10:00:10' + to_seconds(number // 2) as ts,
        date '2026-11-14' as usage_date,
        'chat' as application,
        null::varchar as error_code,
        100 as input_tokens,
        10 as output_tokens,
        0 as cache_write_tokens,
        if(number = 1, null, 300) as max_tokens,
        400::bigint as reserved_tokens,
        'end_turn' as stop_reason,
        if(number = 2, null, 20000) as latency_ms,
    from range(3) as calls (number), (values ('{POOL}'), ('{ACCOUNT}/geo/unknown.rate-v1:0')) as pools (pool_id);
    insert into marts.invocations by name
    select * replace ('refused' as request_id, 'ThrottlingException' as error_code)
    from marts.invocations where request_id = 'r0' and pool_id = '{POOL}';
    insert into marts.invocations by name
    select * replace ('uncounted' as request_id, null as reserved_tokens)
    from marts.invocations where request_id = 'r0' and pool_id = '{POOL}';
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration and a published file; the command is run in it."""
    (tmp_path / "usage_pipeline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    published = tmp_path / "data" / "published" / "usage.duckdb"
    published.parent.mkdir(parents=True)
    with duckdb.connect(str(published)) as con:
        con.execute(TABLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("USAGE_PIPELINE_CONFIG", raising=False)
    return tmp_path


def replay(*options: str, pool: str = POOL) -> Result:
    return CliRunner().invoke(app, ["replay", "--pool", pool, "--config", "usage_pipeline.yaml", *options])


def data(*options: str) -> dict[str, Any]:
    result = replay("--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def throttled(results: dict[str, Any]) -> dict[str, int]:
    return {shape["shape"]: shape["throttled_requests"] for shape in results["shapes"]}


@pytest.mark.usefixtures("folder")
def test_today_and_the_changed_settings_stand_side_by_side() -> None:
    found = data("--max-tokens", "100")

    assert (found["first_day"], found["last_day"], found["calls"]) == ("2026-11-08", "2026-11-14", 3)
    assert throttled(found["today"]) == {"bucket": 1, "window": 1}
    assert throttled(found["changed"]) == {"bucket": 0, "window": 0}
    assert (found["today"]["max_tokens"], found["changed"]["max_tokens"]) == (None, 100)


@pytest.mark.usefixtures("folder")
def test_what_is_filled_in_or_left_out_is_counted() -> None:
    found = data()

    counted = ("calls_without_latency", "calls_without_max_tokens", "calls_left_out")
    assert [found[name] for name in counted] == [1, 1, 1]
    assert found["today"] == found["changed"]


@pytest.mark.parametrize(
    ("options", "tokens", "rate"),
    [
        (("--quota", "2e3"), 2000, 5),
        (("--endpoint", "global"), 2000, 5),
        (("--endpoint", "geo"), 1000, 5),
        (("--burndown", "2.5"), 1000, 2.5),
    ],
)
@pytest.mark.usefixtures("folder")
def test_an_option_changes_its_setting_and_no_other(options: tuple[str, str], tokens: int, rate: float) -> None:
    found = data(*options)

    assert (found["today"]["tokens_per_minute"], found["today"]["burndown_rate"]) == (1000, 5)
    assert (found["changed"]["tokens_per_minute"], found["changed"]["burndown_rate"]) == (tokens, rate)
    assert throttled(found["changed"]) == dict.fromkeys(("bucket", "window"), 1 if tokens == 1000 else 0)


@pytest.mark.usefixtures("folder")
def test_more_traffic_sends_more_calls() -> None:
    found = data("--traffic", "2")

    assert [shape["requests"] for shape in found["changed"]["shapes"]] == [6, 6]
    assert [shape["requests"] for shape in found["today"]["shapes"]] == [3, 3]


@pytest.mark.usefixtures("folder")
def test_the_table_has_both_settings_in_both_shapes() -> None:
    result = replay("--max-tokens", "100", "--from", "2026-11-14", "--to", "2026-11-14")

    assert result.exit_code == 0
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("throttled requests")]
    assert line.split()[2:] == ["1", "(33.33%)", "1", "(33.33%)", "0", "(0.00%)", "0", "(0.00%)"]
    assert "the latency of 1 calls, max_tokens of 1. Left out: 1 calls" in result.stdout
    assert "usage.duckdb" in result.stdout.splitlines()[-1]


@pytest.mark.usefixtures("folder")
def test_a_pool_without_a_rate_is_replayed_with_the_one_that_is_given() -> None:
    result = replay("--burndown", "5", "--json", pool=f"{ACCOUNT}/geo/unknown.rate-v1:0")

    found = json.loads(result.stdout)
    assert found["today"] is None
    assert throttled(found["changed"]) == {"bucket": 1, "window": 1}


@pytest.mark.parametrize(
    ("pool", "options", "message"),
    [
        ("some.model", (), f"There is no pool some.model. Near it are:\n  {POOL}\n  {GLOBAL}"),
        (POOL.replace("some", "sume"), (), f"  {POOL}"),
        ("???", (), "a pool is <account>/<Region>/<endpoint type>/<model id>"),
        (f"{ACCOUNT}/geo/unused.model-v1:0", (), "No answered call of"),
        (f"{ACCOUNT}/geo/unknown.rate-v1:0", (), "The burndown rate of"),
        (POOL, ("--from", "2026-01-01", "--to", "2026-01-02"), "from 2026-01-01 to 2026-01-02. Name other days."),
        (POOL, ("--from", "2026-01-03", "--to", "2026-01-02"), "--from 2026-01-03 is after --to 2026-01-02."),
        (POOL, ("--from", "2026-01-01"), "--from and --to belong together"),
        (POOL, ("--days", "3", "--from", "2026-01-01", "--to", "2026-01-02"), "give one or the other"),
        (POOL, ("--quota", "1e6", "--endpoint", "global"), "give one or the other"),
        (
            POOL,
            ("--endpoint", "moon"),
            "--endpoint is moon; the model's endpoint types here are geo, global, on_demand.",
        ),
        (POOL, ("--endpoint", "on_demand"), "is not known; give it with --quota instead."),
        (POOL, ("--quota", "many"), "--quota is 'many'; give whole tokens per minute from 1 to 1e12"),
        (POOL, ("--burndown", "0"), "--burndown is '0'; give a number above 0"),
        (POOL, ("--traffic", "0"), "--traffic is 0.0; it is a factor of today's calls, above 0 and at most 100."),
        (POOL, ("--traffic", "nan"), "--traffic is nan"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_replayed_is_refused_in_words(pool: str, options: tuple[str, ...], message: str) -> None:
    result = replay(*options, pool=pool)

    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_without_a_published_file_there_is_nothing_to_replay(folder: Path) -> None:
    (folder / "data" / "published" / "usage.duckdb").unlink()

    result = replay()

    assert result.exit_code == 1
    assert "There is nothing to replay: " in result.stderr
    assert "Run `usage-pipeline run` first." in result.stderr


def test_calls_without_any_latency_are_not_replayed(folder: Path) -> None:
    with duckdb.connect(str(folder / "data" / "published" / "usage.duckdb")) as con:
        con.execute("update marts.invocations set latency_ms = null")

    assert "has a latency, in its log or in CloudWatch" in replay().stderr


@given(st.text(max_size=12) | st.floats().map(str) | st.integers().map(str))
def test_any_text_is_a_number_in_its_range_or_refused(text: str) -> None:
    for read, most in ((quota_of, 10**12), (rate_of, 1000)):
        try:
            value = read(text)
        except ReplayError:
            continue
        assert 0 < value <= most
