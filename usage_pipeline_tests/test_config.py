import os
from datetime import datetime
from pathlib import Path

import pytest

from usage_pipeline.config import COMMENTED_EXAMPLE, ConfigurationError, load_settings
from usage_pipeline.warehouse import Warehouse

ONE_ACCOUNT = "accounts:\n  - name: production\n    regions: [us-east-1]\n"


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("USAGE_PIPELINE_"):
            monkeypatch.delenv(variable)


def write(folder: Path, text: str) -> Path:
    path = folder / "usage_pipeline.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    return [problem.replace(str(path), "FILE") for problem in caught.value.problems]


def test_the_commented_example_loads_and_has_the_defaults(tmp_path: Path) -> None:
    example = load_settings(write(tmp_path, COMMENTED_EXAMPLE))
    bare = load_settings(write(tmp_path, "accounts:\n  - name: production\n"))
    assert example.model_dump() == bare.model_dump()


def test_the_commented_lines_of_the_example_load_too(tmp_path: Path) -> None:
    text = COMMENTED_EXAMPLE
    for line in ("    # role_arn:", "    # external_id:", "# as_of:"):
        assert line in text
        text = text.replace(line, line.replace("# ", ""))
    settings = load_settings(write(tmp_path, text))
    assert settings.accounts[0].role_arn == "arn:aws:iam::111122223333:role/usage-pipeline-reader"
    assert settings.as_of == datetime.fromisoformat("2026-11-15T10:30")


def test_everything_lies_in_the_warehouse_folder_beside_the_file(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ONE_ACCOUNT + "warehouse: store/w.duckdb\n"))
    assert settings.warehouse_file == tmp_path / "store/w.duckdb"
    assert settings.data_folder == tmp_path / "store"
    assert settings.published_file == tmp_path / "store/published/usage.duckdb"
    assert settings.report_html == tmp_path / "store/report.html"
    assert settings.report_json == tmp_path / "store/report.json"
    assert settings.report_markdown == tmp_path / "store/report.md"
    assert settings.dagster_home == tmp_path / "store/dagster_home"


def test_the_variable_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, ONE_ACCOUNT)
    monkeypatch.setenv("USAGE_PIPELINE_CONFIG", str(path))
    assert load_settings().accounts[0].name == "production"


def test_the_working_directory_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ONE_ACCOUNT)
    monkeypatch.chdir(tmp_path)
    assert load_settings().accounts[0].regions == ("us-east-1",)


def test_a_missing_file_is_one_sentence_that_names_init_and_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert str(caught.value) == (
        "There is no configuration at usage_pipeline.yaml: write one with `usage-pipeline init`, or see everything "
        "work on a simulated account with `usage-pipeline demo`."
    )


def test_as_of_is_the_clock_of_the_run(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ONE_ACCOUNT + "as_of: 2026-11-15T19:30:00+09:00\n"))
    assert settings.now() == datetime.fromisoformat("2026-11-15T10:30")


def test_one_granularity_serves_every_window_in_the_order_asked(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ONE_ACCOUNT + "report:\n  windows: [7days, 1hour]\n  granularity: 5min\n"))
    assert list(settings.report.granularity_by_window.items()) == [("7days", "5min"), ("1hour", "5min")]


def test_govcloud_regions_and_role_go_together(tmp_path: Path) -> None:
    text = "accounts:\n- {name: g, role_arn: 'arn:aws-us-gov:iam::111122223333:role/r', regions: [us-gov-west-1]}\n"
    assert load_settings(write(tmp_path, text)).accounts[0].aws_partition == "aws-us-gov"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "FILE, line 1: read nothing, but the file must hold `key: value` lines."),
        ("- a\n", "FILE, line 1: read ['a'], but the file must hold `key: value` lines."),
        (
            "accounts:\n  - name: a\n  regions: auto\n",
            "FILE, line 3, column 3: not valid YAML: while parsing a block collection, expected <block end>, but found "
            "'?'.",
        ),
        (
            ONE_ACCOUNT + "lookback_days: 3\nlookback_days: 4\n",
            "FILE, line 5: the key 'lookback_days' is written twice; the first is on line 4.",
        ),
        (
            "accounts: &a\n  - *a\n",
            "FILE, line 1: an alias (`*name`) that contains itself.",
        ),
        (
            ONE_ACCOUNT + "warehose: x.duckdb\n",
            "FILE, line 4: there is no setting 'warehose'; did you mean 'warehouse'? Allowed here: accounts, "
            "warehouse, applications, prices, bill, report, alerts, quota_mapping, q_developer_terms, "
            "quota_refresh_hours, "
            "lookback_days, first_run_days, max_concurrent_scopes, duckdb_memory_mb, as_of.",
        ),
        (
            ONE_ACCOUNT + "_env_file: x\n",
            "FILE, line 4: there is no setting '_env_file'; Allowed here: accounts, warehouse, applications, prices, "
            "bill, report, alerts, quota_mapping, q_developer_terms, quota_refresh_hours, lookback_days, "
            "first_run_days, max_concurrent_scopes, duckdb_memory_mb, as_of.",
        ),
        ("lookback_days: 2\n", "FILE, line 1: accounts is missing; it is required."),
        ("accounts: []\n", "FILE, line 1: accounts: read an empty list; allowed: at least one."),
        ("accounts: production\n", "FILE, line 1: accounts: read 'production'; allowed: a list."),
        ("accounts:\n- production\n", "FILE, line 2: accounts[0]: read 'production'; allowed: `key: value` lines."),
        ("accounts:\n- regions: auto\n", "FILE, line 2: accounts[0].name is missing; it is required."),
        (
            "accounts:\n- name: a\n- name: a\n",
            "FILE, line 1: accounts: two accounts have the name 'a'; allowed: each name once.",
        ),
        (
            "accounts:\n- name: a\n  region: auto\n",
            "FILE, line 3: there is no setting 'region'; did you mean 'regions'? Allowed here: name, profile, "
            "role_arn, external_id, regions, logs, "
            "q_developer.",
        ),
        (
            "accounts:\n- name: a\n  regions:\n    - us-east-1\n    - eu-wst-1\n",
            "FILE, line 5: accounts[0].regions[1]: read 'eu-wst-1', which is no Region of AWS or AWS GovCloud; did you "
            "mean 'eu-west-1'? Allowed: Region codes such as us-east-1 (a Region newer than the installed boto3 needs "
            "a newer boto3), or `regions: auto` for every Region that is enabled.",
        ),
        (
            "accounts:\n- name: a\n  regions: us-east-1\n",
            "FILE, line 3: accounts[0].regions: read 'us-east-1'; allowed: auto, or a list such as [us-east-1, "
            "eu-west-1].",
        ),
        (
            "accounts:\n- name: a\n  regions: [us-east-1, us-gov-west-1]\n",
            "FILE, line 3: accounts[0].regions: read Regions of aws and aws-us-gov; allowed: Regions of one partition, "
            "because an account is either commercial or GovCloud.",
        ),
        (
            "accounts:\n- name: a\n  regions: [us-east-1, us-east-1]\n",
            "FILE, line 3: accounts[0].regions: us-east-1 is named twice; allowed: each Region once.",
        ),
        (
            "accounts:\n- name: a\n  role_arn: arn:aws:iam::123:role/x\n",
            "FILE, line 3: accounts[0].role_arn: read 'arn:aws:iam::123:role/x', which is no role ARN; allowed: "
            "arn:aws:iam::<12 digits>:role/<name> (or arn:aws-us-gov:…).",
        ),
        (
            "accounts:\n- name: a\n  role_arn: arn:aws-us-gov:iam::111122223333:role/x\n  regions: [us-east-1]\n",
            "FILE, line 4: accounts[0].regions: us-east-1 is a Region of aws, but role_arn is of aws-us-gov; allowed: "
            "both of one partition.",
        ),
        (
            "accounts:\n- name: a\n  external_id: abc\n",
            "FILE, line 3: accounts[0].external_id: external_id is set without role_arn; allowed: both, or neither.",
        ),
        (
            "accounts:\n- name: a\n  profile: p\n  role_arn: arn:aws:iam::111122223333:role/x\n",
            "FILE, line 4: accounts[0].role_arn: both profile and role_arn are set; allowed: one of them (to assume "
            "the role from a profile, leave profile out and set AWS_PROFILE).",
        ),
        (
            ONE_ACCOUNT + "lookback_days: 0\n",
            "FILE, line 4: lookback_days: read 0; allowed: greater than or equal to 1.",
        ),
        (ONE_ACCOUNT + "lookback_days: many\n", "FILE, line 4: lookback_days: read 'many'; allowed: a whole number."),
        (
            ONE_ACCOUNT + "quota_refresh_hours: 25\n",
            "FILE, line 4: quota_refresh_hours: read 25; allowed: whole hours from 1 to 24, or off.",
        ),
        (
            ONE_ACCOUNT + "quota_refresh_hours: on\n",
            "FILE, line 4: quota_refresh_hours: read True; allowed: whole hours from 1 to 24, or off.",
        ),
        (
            ONE_ACCOUNT + "quota_refresh_hours: hourly\n",
            "FILE, line 4: quota_refresh_hours: read 'hourly'; allowed: whole hours from 1 to 24, or off.",
        ),
        (
            ONE_ACCOUNT + "as_of: tomorrow\n",
            "FILE, line 4: as_of: read 'tomorrow'; allowed: a UTC time such as 2026-11-15T10:30:00Z.",
        ),
        (ONE_ACCOUNT + "as_of: 3\n", "FILE, line 4: as_of: read 3; allowed: a UTC time such as 2026-11-15T10:30:00Z."),
        (
            ONE_ACCOUNT + "warehouse: .\n",
            "FILE, line 4: warehouse: read '.', which is a folder; allowed: the path of a DuckDB file.",
        ),
        (ONE_ACCOUNT + "report: all\n", "FILE, line 4: report: read 'all'; allowed: `key: value` lines."),
        (
            ONE_ACCOUNT + "report:\n  utilization_warning: 80\n",
            "FILE, line 5: report.utilization_warning: read 80; allowed: less than or equal to 1.",
        ),
        (
            ONE_ACCOUNT + "report:\n  windows: [1day, 2days]\n",
            "FILE, line 5: report.windows[1]: read '2days'; allowed: '1hour', '1day', '7days', '14days' or '30days'.",
        ),
        (
            ONE_ACCOUNT + "report:\n  windows: [1day, 1day]\n",
            "FILE, line 5: report.windows: read 1day, 1day; allowed: each window once.",
        ),
        (
            ONE_ACCOUNT + "report:\n  granularity: 2min\n",
            "FILE, line 5: report.granularity: read '2min'; allowed: '1min', '5min', '15min' or '1hour'.",
        ),
        (
            ONE_ACCOUNT + "report:\n  windows: [1hour, 1day]\n  granularity:\n    1day: 1min\n    1hour: 5min\n",
            "FILE, line 6: report.granularity: 1day has 1min, finer than the 5min of 1hour; allowed: a longer window "
            "is never finer than a shorter one.",
        ),
        (
            ONE_ACCOUNT + "report:\n  windows: [1hour, 1day]\n  granularity:\n    1day: 1min\n",
            "FILE, line 6: report.granularity: names 1day, but windows are 1hour, 1day; allowed: one granularity for "
            "all, or one for each window.",
        ),
    ],
)
def test_a_wrong_file_is_told_with_place_value_and_what_is_allowed(tmp_path: Path, text: str, expected: str) -> None:
    assert problems_of(write(tmp_path, text)) == [expected]


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "usage_pipeline.yaml"
    path.write_bytes(b"accounts: \xff\n")
    assert problems_of(path)[0].startswith("FILE cannot be read as UTF-8 text:")


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = "accounts:\n- name: a\n  regions: [eu-wst-1]\nlookback_days: 0\nreports: {}\n"
    assert [problem.partition(":")[0] for problem in problems_of(write(tmp_path, text))] == [
        "FILE, line 5",
        "FILE, line 3",
        "FILE, line 4",
    ]


def test_variables_win_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, ONE_ACCOUNT + "lookback_days: 5\nreport:\n  utilization_warning: 0.7\n")
    monkeypatch.setenv("USAGE_PIPELINE_LOOKBACK_DAYS", "7")
    monkeypatch.setenv("USAGE_PIPELINE_REPORT__WINDOWS", '["1day"]')
    monkeypatch.setenv("USAGE_PIPELINE_REPORT__GRANULARITY", "1hour")
    monkeypatch.setenv("USAGE_PIPELINE_ACCOUNTS", '[{"name": "other"}]')
    monkeypatch.setenv("USAGE_PIPELINE_WAREHOUSE", "")
    settings = load_settings(path)
    assert settings.lookback_days == 7
    assert settings.report.model_dump() == {
        "windows": ("1day",),
        "granularity": "1hour",
        "utilization_warning": 0.7,
    }
    assert [account.name for account in settings.accounts] == ["other"]
    assert settings.warehouse == Path("data/warehouse.duckdb")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (
            "USAGE_PIPELINE_LOOKBACK_DAYS",
            "0",
            "environment variable USAGE_PIPELINE_LOOKBACK_DAYS: lookback_days: read '0'; allowed: greater than or "
            "equal to 1.",
        ),
        (
            "USAGE_PIPELINE_REPORT__UTILIZATION_WARNING",
            "high",
            "environment variable USAGE_PIPELINE_REPORT__UTILIZATION_WARNING: report.utilization_warning: read 'high'; "
            "allowed: a number.",
        ),
        (
            "USAGE_PIPELINE_REPORT__WINDOWS",
            "1day",
            "environment variable USAGE_PIPELINE_REPORT__WINDOWS: read '1day'; allowed: JSON such as "
            '["1day", "7days"].',
        ),
        (
            "USAGE_PIPELINE_REPORT__WINDOWS",
            '["1day", "2days"]',
            "environment variable USAGE_PIPELINE_REPORT__WINDOWS: report.windows[1]: read '2days'; allowed: '1hour', "
            "'1day', '7days', '14days' or '30days'.",
        ),
        (
            "USAGE_PIPELINE_REPORT__WINDOW",
            '["1day"]',
            "environment variable USAGE_PIPELINE_REPORT__WINDOW: there is no setting 'window'; did you mean 'windows'? "
            "Allowed here: windows, granularity, utilization_warning.",
        ),
        (
            "USAGE_PIPELINE_ACCOUNTS",
            '[{"regions": "auto"}]',
            "environment variable USAGE_PIPELINE_ACCOUNTS: accounts[0].name is missing; it is required.",
        ),
        (
            "USAGE_PIPELINE_ACCOUNTS__0__NAME",
            "production",
            "environment variable USAGE_PIPELINE_ACCOUNTS__0__NAME: accounts: read {'0': {'name': 'production'}}; "
            "allowed: a list.",
        ),
        (
            "usage_pipeline_accounts",
            "production",
            "environment variable usage_pipeline_accounts: read 'production'; allowed: JSON such as "
            '[{"name": "production", "regions": ["us-east-1"]}].',
        ),
        (
            "USAGE_PIPELINE_WAREHOSE",
            "x.duckdb",
            "environment variable USAGE_PIPELINE_WAREHOSE: there is no setting WAREHOSE; did you mean 'WAREHOUSE'?",
        ),
    ],
)
def test_a_wrong_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert problems_of(write(tmp_path, ONE_ACCOUNT)) == [expected]


def test_a_problem_of_the_file_is_not_blamed_on_a_variable_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USAGE_PIPELINE_REPORT", '{"windows": ["1day"]}')
    path = write(tmp_path, ONE_ACCOUNT + "report:\n  granularity: 2min\n")
    assert problems_of(path) == [
        "FILE, line 5: report.granularity: read '2min'; allowed: '1min', '5min', '15min' or '1hour'."
    ]


def test_variables_that_kubernetes_sets_for_a_service_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USAGE_PIPELINE_PORT_3000_TCP", "tcp://10.0.0.1:3000")
    monkeypatch.setenv("USAGE_PIPELINE_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("USAGE_PIPELINE_PORT", "tcp://10.0.0.1:3000")
    assert load_settings(write(tmp_path, ONE_ACCOUNT)).lookback_days == 3


@pytest.mark.parametrize(
    ("line", "hours"),
    [
        ("", 3),
        ("quota_refresh_hours: 24\n", 24),
        ('quota_refresh_hours: "6"\n', 6),
        ("quota_refresh_hours: off\n", "off"),
        ('quota_refresh_hours: "Off"\n', "off"),
    ],
)
def test_quotas_are_refreshed_every_few_hours_or_not_at_all(tmp_path: Path, line: str, hours: object) -> None:
    assert load_settings(write(tmp_path, ONE_ACCOUNT + line)).quota_refresh_hours == hours


def test_duckdb_takes_no_more_than_configured(tmp_path: Path) -> None:
    file = tmp_path / "usage_pipeline.yaml"
    file.write_text(ONE_ACCOUNT + "duckdb_memory_mb: 1000\n", encoding="utf-8")
    with Warehouse.of(load_settings(file)).connect() as con:
        assert con.execute("select current_setting('memory_limit')").fetchone() == ("953.6 MiB",)
