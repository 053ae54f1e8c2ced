"""The settings: which accounts and Regions are read, where the results go, what the report shows.

Here: the settings, their rules and defaults, and `load_settings`. Not here: wording of errors
(`config_problems.py`), credentials and calls to AWS (`aws/`).
"""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from usage_pipeline.config_alerts import (
    AlertSettings,
    BudgetSettings,
    ChannelSettings,
    ThresholdSettings,
    of_shape,
)
from usage_pipeline.config_bill import BillSettings
from usage_pipeline.config_environment import (
    CONFIG_VARIABLE,
    ENVIRONMENT_PREFIX,
    NESTED,
    variable_that_set,
    wrong_variables,
)
from usage_pipeline.config_logs import (
    DEFAULT_APPLICATIONS,
    ApplicationRule,
    LogPlaceSettings,
    LogSettings,
)
from usage_pipeline.config_prices import PriceSettings
from usage_pipeline.config_problems import (
    ConfigurationError,
    KnownKeys,
    Location,
    YamlFile,
    problem_text,
    quote,
    read_yaml,
    unknown_key_sentence,
)
from usage_pipeline.config_q_developer import BucketPlaceSettings, QDeveloperSettings, QDeveloperTermSettings
from usage_pipeline.config_quota_mapping import QuotaMappingSettings
from usage_pipeline.config_values import (
    auto_word,
    checked_moment,
    checked_refresh_hours,
    checked_region,
    checked_role_arn,
    region_partitions,
    role_partition,
)

__all__ = ["CONFIG_VARIABLE", "AccountSettings", "ConfigurationError", "ReportSettings", "Settings", "load_settings"]

DEFAULT_CONFIG_FILE = "usage_pipeline.yaml"
"""Read from the working directory when the variable is not set."""

Window = Literal["1hour", "1day", "7days", "14days", "30days"]
Granularity = Literal["1min", "5min", "15min", "1hour"]

WINDOW_LENGTHS: dict[Window, timedelta] = {
    "1hour": timedelta(hours=1),
    "1day": timedelta(days=1),
    "7days": timedelta(days=7),
    "14days": timedelta(days=14),
    "30days": timedelta(days=30),
}
"""Every window the report can show, shortest first."""

GRANULARITY_SECONDS: dict[Granularity, int] = {"1min": 60, "5min": 300, "15min": 900, "1hour": 3600}
"""Seconds between two points of a chart, finest first."""

# At most 2,880 points a series, so that the report stays a file that can be mailed.
_DEFAULT_GRANULARITY: dict[Window, Granularity] = {
    "1hour": "1min",
    "1day": "1min",
    "7days": "5min",
    "14days": "15min",
    "30days": "15min",
}


def _not_empty(items: tuple[Any, ...]) -> tuple[Any, ...]:
    if not items:
        raise ValueError("read an empty list; allowed: at least one.")
    return items


def _list_or_word(value: object) -> str:
    return "word" if isinstance(value, str) else "list"


def _map_or_word(value: object) -> str:
    return "word" if isinstance(value, str) else "map"


Regions = Annotated[
    Annotated[Literal["auto"], BeforeValidator(auto_word), Tag("word")]
    | Annotated[tuple[Annotated[str, AfterValidator(checked_region)], ...], AfterValidator(_not_empty), Tag("list")],
    Discriminator(_list_or_word),
]
Granularities = Annotated[
    Annotated[Granularity, Tag("word")] | Annotated[dict[Window, Granularity], Tag("map")],
    Discriminator(_map_or_word),
]
_PYDANTIC_STEPS = {"word", "list", "map", "place", "[key]"}


class AccountSettings(BaseModel):
    """One AWS account: how to sign in to it (profile, role, or the default credential chain) and what to read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    profile: str | None = Field(default=None, min_length=1)
    role_arn: Annotated[str, AfterValidator(checked_role_arn)] | None = None
    external_id: str | None = Field(default=None, min_length=2, max_length=1224)
    regions: Regions = "auto"
    logs: LogSettings | None = None
    q_developer: QDeveloperSettings | None = None

    def log_place(self, region: str) -> LogPlaceSettings | Literal["off"] | None:
        """Where the Region's invocation logs lie as the configuration says; None when AWS is to be asked."""
        return self.logs.get(region) if isinstance(self.logs, dict) else self.logs

    @property
    def aws_partition(self) -> str | None:
        """`aws` or `aws-us-gov` as far as the configuration says; None when only the credentials tell."""
        if self.role_arn:
            return role_partition(self.role_arn)
        return None if self.regions == "auto" else region_partitions()[self.regions[0]]

    @field_validator("role_arn")
    @classmethod
    def _profile_or_role(cls, role_arn: str | None, info: ValidationInfo) -> str | None:
        if role_arn and info.data.get("profile"):
            raise ValueError(
                "both profile and role_arn are set; allowed: one of them (to assume the role from a profile, leave "
                "profile out and set AWS_PROFILE)."
            )
        return role_arn

    @field_validator("external_id")
    @classmethod
    def _external_id_needs_a_role(cls, external_id: str | None, info: ValidationInfo) -> str | None:
        if external_id and "role_arn" in info.data and not info.data["role_arn"]:
            raise ValueError("external_id is set without role_arn; allowed: both, or neither.")
        return external_id

    @field_validator("regions")
    @classmethod
    def _one_partition(cls, regions: Literal["auto"] | tuple[str, ...], info: ValidationInfo) -> str | tuple[str, ...]:
        if isinstance(regions, str):
            return regions
        if repeated := sorted({region for region in regions if regions.count(region) > 1}):
            raise ValueError(f"{', '.join(repeated)} is named twice; allowed: each Region once.")
        if len(partitions := {region_partitions()[region] for region in regions}) > 1:
            raise ValueError(
                f"read Regions of {' and '.join(sorted(partitions))}; allowed: Regions of one partition, "
                "because an account is either commercial or GovCloud."
            )
        role = info.data.get("role_arn")
        if role and role_partition(role) not in partitions:
            raise ValueError(
                f"{regions[0]} is a Region of {partitions.pop()}, but role_arn is of {role_partition(role)}; "
                "allowed: both of one partition."
            )
        return regions

    @field_validator("logs")
    @classmethod
    def _logs_of_own_regions(cls, logs: LogSettings | None, info: ValidationInfo) -> LogSettings | None:
        regions = info.data.get("regions", "auto")
        if not isinstance(logs, dict) or regions == "auto":
            return logs
        if others := sorted(set(logs) - set(regions)):
            raise ValueError(f"names {', '.join(others)}; allowed: Regions of the account: {', '.join(regions)}.")
        return logs


class ReportSettings(BaseModel):
    """What the report shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    windows: Annotated[tuple[Window, ...], AfterValidator(_not_empty)] = tuple(WINDOW_LENGTHS)
    granularity: Granularities = Field(default_factory=lambda: dict(_DEFAULT_GRANULARITY))
    utilization_warning: float = Field(default=0.8, gt=0, le=1)

    @property
    def granularity_by_window(self) -> dict[Window, Granularity]:
        """The charts' granularity for each window, in the report's order."""
        granularity = self.granularity
        if isinstance(granularity, dict):
            return {window: granularity[window] for window in self.windows}
        return dict.fromkeys(self.windows, granularity)

    @field_validator("windows")
    @classmethod
    def _each_window_once(cls, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        if len(set(windows)) < len(windows):
            raise ValueError(f"read {', '.join(windows)}; allowed: each window once.")
        return windows

    @field_validator("granularity")
    @classmethod
    def _longer_window_is_never_finer(
        cls, granularity: Granularity | dict[Window, Granularity], info: ValidationInfo
    ) -> Granularity | dict[Window, Granularity]:
        windows = info.data.get("windows")
        if not isinstance(granularity, dict) or windows is None:
            return granularity
        if set(granularity) != set(windows):
            raise ValueError(
                f"names {', '.join(granularity) or 'no window'}, but windows are {', '.join(windows)}; "
                "allowed: one granularity for all, or one for each window."
            )
        by_length: list[Window] = [window for window in WINDOW_LENGTHS if window in granularity]
        for shorter, longer in pairwise(by_length):
            fine, coarse = granularity[shorter], granularity[longer]
            if GRANULARITY_SECONDS[coarse] < GRANULARITY_SECONDS[fine]:
                raise ValueError(
                    f"{longer} has {coarse}, finer than the {fine} of {shorter}; allowed: a longer window is never "
                    "finer than a shorter one."
                )
        return granularity


class Settings(BaseSettings):
    """Everything that can be set, from the file and from USAGE_PIPELINE_ variables, which win."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter=NESTED, env_ignore_empty=True, extra="forbid", frozen=True
    )

    accounts: Annotated[tuple[AccountSettings, ...], AfterValidator(_not_empty)]
    warehouse: Path = Path("data/warehouse.duckdb")
    applications: tuple[ApplicationRule, ...] = DEFAULT_APPLICATIONS
    prices: PriceSettings = PriceSettings()
    bill: BillSettings = BillSettings()
    report: ReportSettings = ReportSettings()
    alerts: Annotated[AlertSettings, of_shape(dict, "`key: value` lines")] = AlertSettings()
    quota_mapping: QuotaMappingSettings = QuotaMappingSettings()
    q_developer_terms: tuple[QDeveloperTermSettings, ...] = ()
    quota_refresh_hours: Annotated[int | Literal["off"], BeforeValidator(checked_refresh_hours)] = 3
    lookback_days: int = Field(default=3, ge=1, le=455)
    first_run_days: int = Field(default=30, ge=1, le=455)
    max_concurrent_scopes: int = Field(default=8, ge=1, le=64)
    duckdb_memory_mb: int = Field(default=700, ge=250, le=1_000_000)
    as_of: Annotated[datetime | None, BeforeValidator(checked_moment)] = None

    _folder: Path = PrivateAttr(default_factory=Path.cwd)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file; nothing else is read."""
        return env_settings, init_settings

    @field_validator("accounts")
    @classmethod
    def _names_are_unique(cls, accounts: tuple[AccountSettings, ...]) -> tuple[AccountSettings, ...]:
        names = [account.name for account in accounts]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two accounts have the name {quote(repeated[0])}; allowed: each name once.")
        return accounts

    @field_validator("quota_mapping")
    @classmethod
    def _mapper_account_is_configured(
        cls, quota_mapping: QuotaMappingSettings, info: ValidationInfo
    ) -> QuotaMappingSettings:
        names = [account.name for account in info.data.get("accounts", ())]
        if quota_mapping.llm_account is not None and names and quota_mapping.llm_account not in names:
            raise ValueError(
                f"llm_account: read {quote(quota_mapping.llm_account)}; allowed: the name of a configured account: "
                f"{', '.join(names)}."
            )
        return quota_mapping

    @field_validator("q_developer_terms")
    @classmethod
    def _terms_name_accounts(
        cls, terms: tuple[QDeveloperTermSettings, ...], info: ValidationInfo
    ) -> tuple[QDeveloperTermSettings, ...]:
        names = [account.name for account in info.data.get("accounts", ())]
        for term in terms:
            if names and term.account not in ("*", *names):
                raise ValueError(
                    f"{term.term} names the account {quote(term.account)}; allowed: * or a configured account: "
                    f"{', '.join(names)}."
                )
        return terms

    @classmethod
    def in_folder(cls, values: Mapping[str, Any], folder: Path) -> Self:
        """Make the settings from a file's values and the environment; a relative `warehouse` lies under the folder."""
        settings = cls(**values)
        settings._folder = folder.resolve()
        return settings

    def now(self) -> datetime:
        """The moment the run takes as now, UTC without a zone: `as_of` when it is set."""
        return self.as_of or datetime.now(UTC).replace(tzinfo=None)

    @property
    def warehouse_file(self) -> Path:
        """Absolute path of the DuckDB file that the pipeline writes."""
        return self._folder / self.warehouse.expanduser()

    @property
    def price_settings(self) -> PriceSettings:
        """Where prices come from, with absolute paths; `prices` has them as they were written."""
        return self.prices.in_folder(self._folder)

    @property
    def bill_settings(self) -> BillSettings:
        """Where the bill lies, with an absolute path."""
        return self.bill.in_folder(self._folder)

    @property
    def quota_mapping_settings(self) -> QuotaMappingSettings:
        """Who decides where rules leave a quota open, with absolute paths; `quota_mapping` has them as written."""
        return self.quota_mapping.in_folder(self._folder)

    @property
    def data_folder(self) -> Path:
        """Folder of the warehouse; every result lies in it."""
        return self.warehouse_file.parent

    @property
    def published_file(self) -> Path:
        """The DuckDB file that readers open."""
        return self.data_folder / "published" / "usage.duckdb"

    @property
    def report_html(self) -> Path:
        """The report as one self-contained page."""
        return self.data_folder / "report.html"

    @property
    def report_json(self) -> Path:
        """The report's numbers."""
        return self.data_folder / "report.json"

    @property
    def report_markdown(self) -> Path:
        """The report's summary for a chat channel; it lies beside the page."""
        return self.data_folder / "report.md"

    @property
    def alerts_file(self) -> Path:
        """The SQLite file that notes which messages were delivered where."""
        return self.data_folder / "alerts.sqlite"

    @property
    def dagster_home(self) -> Path:
        """Folder of Dagster's own records of runs and events."""
        return self.data_folder / "dagster_home"


_KNOWN_KEYS = KnownKeys(
    {
        (): tuple(Settings.model_fields),
        ("accounts",): tuple(AccountSettings.model_fields),
        ("accounts", "logs"): tuple(LogPlaceSettings.model_fields),
        ("accounts", "logs", "*"): tuple(LogPlaceSettings.model_fields),
        ("accounts", "q_developer"): tuple(QDeveloperSettings.model_fields),
        ("accounts", "q_developer", "*"): tuple(BucketPlaceSettings.model_fields),
        ("applications",): tuple(ApplicationRule.model_fields),
        ("prices",): tuple(PriceSettings.model_fields),
        ("quota_mapping",): tuple(QuotaMappingSettings.model_fields),
        ("q_developer_terms",): tuple(QDeveloperTermSettings.model_fields),
        ("bill",): tuple(BillSettings.model_fields),
        ("report",): tuple(ReportSettings.model_fields),
        ("alerts",): tuple(AlertSettings.model_fields),
        ("alerts", "channels"): tuple(ChannelSettings.model_fields),
        ("alerts", "quiet_hours"): ("from", "to", "time_zone", "errors_pass"),
        ("alerts", "thresholds"): tuple(ThresholdSettings.model_fields),
        ("alerts", "budgets"): tuple(BudgetSettings.model_fields),
    }
)


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings from `path`, else the file USAGE_PIPELINE_CONFIG names, else `usage_pipeline.yaml` here.

    Raises:
        ConfigurationError: no file, or something wrong in it or in a USAGE_PIPELINE_ variable; every problem at once.
    """
    path = path or Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG_FILE)
    if not path.exists():
        raise ConfigurationError(
            [
                f"There is no configuration at {path}: write one with `usage-pipeline init`, or see everything work on "
                "a simulated account with `usage-pipeline demo`."
            ]
        )
    file = read_yaml(path)
    # Top-level keys are checked here because pydantic-settings has arguments of its own, such as `_env_file`.
    unknown = [key for key in file.data if key not in Settings.model_fields]
    problems = [f"{file.place((key,))}: {unknown_key_sentence(key, _KNOWN_KEYS.of(()))}" for key in unknown]
    problems += wrong_variables(Settings.model_fields)
    values = {key: value for key, value in file.data.items() if key not in unknown}
    try:
        settings = Settings.in_folder(values, path.parent)
    except SettingsError as error:
        raise ConfigurationError(problems or [f"environment variables: {error}"]) from error
    except ValidationError as error:
        raise ConfigurationError([*problems, *_problems_of(error, file)]) from error
    if settings.warehouse_file.is_dir():
        read = f"read {quote(settings.warehouse)}, which is a folder; allowed: the path of a DuckDB file."
        problems.append(f"{_place(('warehouse',), file)}: warehouse: {read}")
    for name, missing in settings.price_settings.missing_files().items():
        # A path is shown whole: cut short, nobody could look for it.
        read = f"read '{missing}', where there is no file; allowed: the path of a CSV file."
        problems.append(f"{_place(('prices', name), file)}: prices.{name}: {read}")
    for name, missing in settings.quota_mapping_settings.missing_files().items():
        read = f"read '{missing}', where there is no file; allowed: the path of a CSV file."
        problems.append(f"{_place(('quota_mapping', name), file)}: quota_mapping.{name}: {read}")
    if problems:
        raise ConfigurationError(problems)
    return settings


def _problems_of(error: ValidationError, file: YamlFile) -> Iterator[str]:
    """One sentence for each of pydantic's errors."""
    for detail in error.errors(include_url=False):
        location: Location = tuple(step for step in detail["loc"] if step not in _PYDANTIC_STEPS)
        yield f"{_place(location, file)}: {problem_text(detail, location, _KNOWN_KEYS)}"


def _place(location: Location, file: YamlFile) -> str:
    """Where the value came from: the variable if one set it, else the file and line."""
    variable = variable_that_set(location, EnvSettingsSource(Settings)())
    return f"environment variable {variable}" if variable else file.place(location)


COMMENTED_EXAMPLE = """\
# Which AWS accounts are read, and what the report shows. Times are UTC.
# A variable wins over this file: USAGE_PIPELINE_WAREHOUSE, USAGE_PIPELINE_REPORT__UTILIZATION_WARNING, …

accounts:
  - name: production            # your own name for it; shown everywhere
    regions: auto               # every enabled Region that has Bedrock, or a list: [us-east-1, eu-west-1]
    # Without profile or role_arn, the default credential chain is used (environment, SSO, instance role, …).
    # profile: production-readonly
    # role_arn: arn:aws:iam::111122223333:role/usage-pipeline-reader
    # external_id: the-text-in-the-role's-trust-policy
    # Invocation logs are read where AWS says that each Region's go; name the place when that is not to be asked:
    # logs: {bucket: central-bedrock-logs, prefix: bedrock}
    # logs: {us-east-1: {bucket: my-bedrock-logs}, eu-west-1: {log_group: /bedrock/invocations}, us-west-2: off}
    # Amazon Q Developer and Kiro, where their logs and reports go to S3; see docs/q_developer.md:
    # q_developer:
    #   prompt_logs: {bucket: my-q-developer-logs, prefix: prompts}
    #   activity_reports: {bucket: my-q-developer-logs, prefix: reports}

applications:                   # which application a request belongs to: the first rule that fits names it
  - subject: role               # role, user, session, metadata (of the request) or tag (of the inference profile)
    pattern: "{application}-BedrockRole"  # regular expression over the whole text; {application} stands for the name
  # - {subject: metadata, key: application}
  # - {subject: user, pattern: "alice|bob", application: research}

# prices:                       # a dated snapshot of AWS's list prices comes with this program
#   overrides: price_overrides.csv    # your agreed prices and discounts; this file is read when it is there
#   file: prices.csv            # list prices of your own in place of the snapshot: raw.model_prices' columns
#   sources: [snapshot, aws_price_list]  # asked weekly; also litellm_json: https://… (an address of LiteLLM's JSON)

# bill:                         # AWS's cost and usage report (CUR 2.0) on this machine; see docs/bill.md
#   files: cur/data/*/*.csv.gz  # .csv, .csv.gz or .parquet

# quota_mapping:                # which quota limits which model; see docs/quota_mappings.md
#   overrides_file: quota_overrides.csv  # what you decide; its columns are those of `usage-pipeline export quota-index`
#   llm_model: us.anthropic.claude-haiku-4-5-20251001-v1:0  # asked where rules leave it open; off without it

warehouse: data/warehouse.duckdb  # relative to this file; report.html and published/ lie beside it

report:
  windows: [1hour, 1day, 7days, 14days, 30days]
  granularity:                  # 1min, 5min, 15min or 1hour; one for all windows (granularity: 5min), or one for each
    1hour: 1min
    1day: 1min
    7days: 5min
    14days: 15min
    30days: 15min
  utilization_warning: 0.8      # a pool is marked above this share of its quota

# alerts:                       # who is told what; see docs/alerts.md
#   channels:
#     - {name: chat, url_env: ALERTS_CHAT_URL}   # the variable holds an Apprise address: Slack, Teams, PagerDuty, …
#     - {name: topic, sns_topic_arn: "arn:aws:sns:us-east-1:111122223333:bedrock"}
#   routing: {ERROR: [chat, topic], WARN: [chat]}
#   thresholds: {utilization: 0.8, utilization_minutes: 5, throttles_per_day: 10}
#   budgets:
#     - {name: search, application: search, usd: 500, per: month}

quota_refresh_hours: 3          # quotas are read anew this often while Dagster's daemon runs, 1 to 24; or off
lookback_days: 3                # each daily run reads this many days again, for data that came late
first_run_days: 30              # how far back the first run goes
max_concurrent_scopes: 8        # accounts and Regions read at the same time
duckdb_memory_mb: 700           # what DuckDB takes before it puts what it works on into files
# as_of: 2026-11-15T10:30:00Z   # take this as now, to repeat an old run
"""
"""A configuration file with every setting explained; it loads as it is."""
