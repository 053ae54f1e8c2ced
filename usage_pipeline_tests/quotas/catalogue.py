"""The quotas and models that AWS offered in 2026, as test data with the answers that a person checked.

`known_quotas.csv`: code and name as Service Quotas has them (source: the quota index of bedrock-usage-analyzer 0.7.0b0,
Apache-2.0, whose wrong rows are not taken over, and AWS's naming pattern for codes without a published name), and the
models that each limits; none for quotas of long-context requests only. `known_models.csv`: ids and display names.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from usage_pipeline.quotas.model_names import FoundationModel
from usage_pipeline.quotas.rule_mapper import Quota, QuotaMapping, map_quotas
from usage_pipeline.reference import quota_labels

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class KnownQuota(Quota):
    """A quota with the endpoint types, the kind and the models that it limits."""

    endpoint_types: tuple[str, ...]
    quota_kind: str
    model_ids: frozenset[str]


def known_quotas() -> list[KnownQuota]:
    with (FOLDER / "known_quotas.csv").open(encoding="utf-8", newline="") as file:
        return [
            KnownQuota(
                row["quota_code"],
                row["quota_name"],
                tuple(row["endpoint_types"].split("|")),
                row["quota_kind"],
                frozenset(row["model_ids"].split("|")) - {""},
            )
            for row in csv.DictReader(file)
        ]


def known_models() -> list[FoundationModel]:
    with (FOLDER / "known_models.csv").open(encoding="utf-8", newline="") as file:
        return [FoundationModel(**row) for row in csv.DictReader(file)]


def mapped(models: list[FoundationModel], quotas: list[Quota]) -> dict[tuple[str, str, str], QuotaMapping]:
    """Mappings by model id, endpoint type and kind, with the labels that the package ships."""
    mappings = map_quotas(models, quotas, labels=quota_labels())
    return {(one.model_id, one.endpoint_type, one.quota_kind): one for one in mappings}
