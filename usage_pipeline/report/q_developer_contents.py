"""What a report says of Amazon Q Developer and Kiro, as values.

Here: the types. Not here: where the numbers come from (`q_developer.py`), the rest of the report (`contents.py`).
NULL means unknown everywhere, never zero. Money is exact US dollars. Logged tokens are of a public tokenizer and
not what a model counted; `estimated_*` are guesses from activity alone.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from usage_pipeline.report.table_rows import table


@dataclass(frozen=True)
class QDeveloperDay:
    """One user's UTC day; `user_id` is NULL when the log names nobody, and in rows of several `merged_users`."""

    usage_date: date
    account_id: str
    account_name: str
    region: str
    product: str
    user_id: str | None
    user_email: str | None
    merged_users: int
    interactions: int | None
    messages: int | None
    suggestions: int | None
    accepted_suggestions: int | None
    inline_lines: int | None
    chat_lines: int | None
    dev_runs: int | None
    test_runs: int | None
    doc_runs: int | None
    requests: int | None
    uncounted_requests: int | None
    chat_requests: int | None
    inline_requests: int | None
    dev_requests: int | None
    chat_input_tokens: int | None
    chat_output_tokens: int | None
    inline_input_tokens: int | None
    inline_output_tokens: int | None
    dev_input_tokens: int | None
    input_tokens: int | None
    output_tokens: int | None
    token_source: str | None
    estimated_input_tokens_low: int | None
    estimated_input_tokens_mean: int | None
    estimated_input_tokens_high: int | None
    estimated_output_tokens_low: int | None
    estimated_output_tokens_mean: int | None
    estimated_output_tokens_high: int | None


@dataclass(frozen=True)
class QDeveloperTotal:
    """Sums over the report's days. `people` are in logs or reports, `active_people` asked for something."""

    people: int
    active_people: int
    interactions: int | None
    messages: int | None
    suggestions: int | None
    accepted_suggestions: int | None
    inline_lines: int | None
    chat_lines: int | None
    dev_runs: int | None
    test_runs: int | None
    doc_runs: int | None
    requests: int | None
    uncounted_requests: int | None
    input_tokens: int | None
    output_tokens: int | None
    token_source: str | None


@dataclass(frozen=True)
class QDeveloperLimit:
    """A row of `marts.q_developer_limits`: one user, UTC calendar month and limit."""

    usage_month: date
    account_id: str
    account_name: str
    region: str
    product: str
    user_id: str
    user_email: str | None
    subscription_tier: str | None
    limit_name: str
    used: Decimal | None
    limit: Decimal | None
    used_share: float | None
    projected: Decimal | None
    projected_share: float | None
    known_through: date
    unknown_days: int
    reaches_limit_on: date | None
    status: str
    limit_source: str | None


@dataclass(frozen=True)
class QDeveloperValue:
    """A row of `marts.q_developer_value`: one UTC calendar month, account, product and subscription tier."""

    usage_month: date
    account_id: str
    account_name: str
    region: str
    product: str
    subscription_tier: str | None
    known_through: date
    users: int
    seats: int
    seats_source: str
    active_seats: int
    idle_seats: int
    input_tokens: int | None
    output_tokens: int | None
    token_source: str | None
    unknown_user_days: int
    virtual_cost_usd: Decimal | None
    virtual_cost_low_usd: Decimal | None
    virtual_cost_high_usd: Decimal | None
    usd_per_seat: Decimal | None
    subscription_usd: Decimal | None
    subscription_to_date_usd: Decimal | None
    net_usd: Decimal | None
    virtual_cost_per_seat_usd: Decimal | None


@dataclass(frozen=True)
class QDeveloperConversation:
    """A row of `marts.q_developer_conversations` whose last request lies in the report's days."""

    account_id: str
    account_name: str
    region: str
    product: str
    conversation_id: str
    user_id: str | None
    started_at: datetime
    last_request_at: datetime
    requests: int
    context_tokens: int | None
    token_source: str | None
    context_window_tokens: int | None
    window_share: float | None
    is_near_its_window: bool | None


@dataclass(frozen=True)
class QDeveloperSpike:
    """A row of `marts.q_developer_spikes`: a day with far more interactions than the other active days."""

    usage_date: date
    account_id: str
    account_name: str
    region: str
    product: str
    subject_kind: str
    user_id: str | None
    user_email: str | None
    value: int
    expected: float
    score: float


@dataclass(frozen=True)
class QDeveloperTrend:
    """A row of `marts.q_developer_trends`: what a day of a user, or of everybody, is like; idle days count as 0."""

    account_id: str
    account_name: str
    region: str
    product: str
    subject_kind: str
    user_id: str | None
    user_email: str | None
    first_day: date
    last_day: date
    days: int
    active_days: int
    interactions: int
    daily_average: float
    active_median: float
    daily_max: int
    daily_max_on: date
    daily_min: int
    spike_days: int


@dataclass(frozen=True)
class QDeveloper:
    """Use of Amazon Q Developer and Kiro. `left_out` counts rows by table that are not in the report."""

    first_day: date
    last_day: date
    total: QDeveloperTotal
    user_days: tuple[QDeveloperDay, ...] = table()
    limits: tuple[QDeveloperLimit, ...] = table()
    values: tuple[QDeveloperValue, ...] = table()
    conversations: tuple[QDeveloperConversation, ...] = table()
    spikes: tuple[QDeveloperSpike, ...] = table()
    trends: tuple[QDeveloperTrend, ...] = table()
    left_out: dict[str, int] = field(default_factory=dict[str, int])
