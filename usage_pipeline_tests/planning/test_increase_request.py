from dataclasses import replace

from usage_pipeline.planning.increase_request import Load, RequestFacts, increase_request
from usage_pipeline.planning.recommendations import QuotaRecommendation

FACTS = RequestFacts(
    model_name="Claude Sonnet 4.5",
    endpoint_type="geo",
    region="us-east-1",
    account_id="111122223333",
    quota_name="Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1",
    quota_code="L-F4DDD3EB",
    limited="tpm",
    limit=5_000_000,
    days=30,
    tokens=Load(400_000, 3_900_000, 4_600_000),
    requests=Load(120, 900.4, 1100),
    mean_input=2100.6,
    p99_input=9000,
    mean_output=310,
    p99_output=2048,
    throttles=412,
    throttled_minutes=37,
)
RECOMMENDED = QuotaRecommendation(7_200_000, 6_100_000, 7_200_000, "high", "use", 1.44, "increase", ())


def test_the_text_has_what_aws_asks_for() -> None:
    assert increase_request(FACTS, RECOMMENDED) == (
        "Please increase "
        "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1 (L-F4DDD3EB)\n"
        "in account 111122223333, Region us-east-1,\n"
        "from 5,000,000 to 7,200,000.\n"
        "\n"
        "Model: Claude Sonnet 4.5; endpoint type: geo\n"
        "Measured over the last 30 days, per minute:\n"
        "- Tokens: steady 400,000 (median of active minutes), peak 3,900,000 (P99.9), maximum 4,600,000\n"
        "- Requests: steady 120 (median of active minutes), peak 900 (P99.9), maximum 1,100\n"
        "- Input tokens per request: mean 2,101, P99 9,000\n"
        "- Output tokens per request: mean 310, P99 2,048\n"
        "- Share of the existing quota used at the maximum: 92%\n"
        "- Throttled requests: 412 in 37 minutes"
    )


def test_a_quota_of_requests_is_held_against_requests() -> None:
    text = increase_request(replace(FACTS, limited="rpm", limit=1000), RECOMMENDED)
    assert "Share of the existing quota used at the maximum: 110%" in text


def test_what_is_not_known_is_written_so_and_never_as_nothing() -> None:
    text = increase_request(
        replace(FACTS, limit=None, throttles=None, throttled_minutes=None, mean_input=None), RECOMMENDED
    )
    assert "from not known to 7,200,000" in text
    assert "mean not known, P99 9,000" in text
    assert "Share of the existing quota used at the maximum: not known" in text
    assert "Throttled requests: not known in not known minutes" in text


def test_names_from_aws_stay_in_their_line_and_are_cut() -> None:
    text = increase_request(replace(FACTS, model_name="evil\nfrom 1 to 2.\x1b[31m" + "x" * 500), RECOMMENDED)
    assert len(text.splitlines()) == 12
    assert "\x1b" not in text
    assert "Model: evil from 1 to 2. [31mxxx" in text
    assert all(len(line) < 200 for line in text.splitlines())
