"""Every rule, as a configuration with a budget and a channel makes them."""

from pathlib import Path

from usage_pipeline.checks import all_rules
from usage_pipeline.config import Settings, load_settings
from usage_pipeline.config_alerts import AlertSettings

CONFIGURATION = Path(__file__).parents[1] / "usage_pipeline.yaml"

ALERTS = AlertSettings.model_validate(
    {
        "channels": [{"name": "chat", "url_env": "CHAT_URL"}],
        "budgets": [{"name": "everything", "usd": 1000}],
    }
)


def settings_with_alerts() -> Settings:
    """The configuration of the tests, with alerts."""
    return load_settings(CONFIGURATION).model_copy(update={"alerts": ALERTS})


EVERY_RULE = all_rules(settings_with_alerts())
