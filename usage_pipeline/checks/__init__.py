"""Data checks: statements about the warehouse that must be true, and how Dagster evaluates them."""

from usage_pipeline.checks.bill import BILL_RULES
from usage_pipeline.checks.costs import COST_RULES
from usage_pipeline.checks.expectations import EXPECTATION_RULES
from usage_pipeline.checks.logs import LOG_RULES
from usage_pipeline.checks.planning import PLANNING_RULES
from usage_pipeline.checks.prices import PRICE_RULES
from usage_pipeline.checks.q_developer import Q_DEVELOPER_RULES
from usage_pipeline.checks.quota_mappings import QUOTA_MAPPING_RULES
from usage_pipeline.checks.quota_values import QUOTA_VALUE_RULES
from usage_pipeline.checks.reconciliation import RECONCILIATION_RULES
from usage_pipeline.checks.rules import Rule
from usage_pipeline.checks.sources import SOURCE_RULES
from usage_pipeline.checks.thresholds import threshold_rules
from usage_pipeline.checks.throttles import THROTTLE_RULES
from usage_pipeline.config import Settings

ALL_RULES: tuple[Rule, ...] = (
    *SOURCE_RULES,
    *LOG_RULES,
    *PRICE_RULES,
    *QUOTA_MAPPING_RULES,
    *QUOTA_VALUE_RULES,
    *RECONCILIATION_RULES,
    *THROTTLE_RULES,
    *COST_RULES,
    *BILL_RULES,
    *Q_DEVELOPER_RULES,
    *PLANNING_RULES,
    *EXPECTATION_RULES,
)
"""Every rule that needs no configuration, in the order in which the report lists them."""


def all_rules(settings: Settings) -> tuple[Rule, ...]:
    """Every rule, those last whose limits the configuration sets."""
    return (*ALL_RULES, *threshold_rules(settings.alerts))
