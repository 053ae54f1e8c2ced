"""The pipeline's configuration for a sandbox. Not here: what the settings mean (`usage_pipeline/config.py`)."""

from pathlib import Path

from usage_pipeline.sandbox.bill import BILL_FILES
from usage_pipeline.sandbox.options import SandboxOptions
from usage_pipeline.sandbox.organisation import ACCOUNTS, EXTERNAL_ID, ROLE_NAME, SCOPES
from usage_pipeline.sandbox.prices import PRICES_FILE
from usage_pipeline.sandbox.q_developer_files import BUCKET, PROMPT_PREFIX, REPORT_PREFIX
from usage_pipeline.sandbox.q_developer_use import ACCOUNT_ID

CONFIG_FILE = "usage_pipeline.yaml"

_Q_DEVELOPER = """\
    q_developer:
      prompt_logs: {{bucket: {bucket}, prefix: {prompts}}}
      activity_reports: {{bucket: {bucket}, prefix: {reports}}}
"""

_ACCOUNT = """\
  - name: {name}
    role_arn: arn:aws:iam::{account_id}:role/{role}
    external_id: {external_id}
    regions: {regions}
"""

_FILE = """\
# Reads the simulated organisation of `usage-pipeline sandbox serve`, with the environment that it prints.

accounts:
{accounts}
warehouse: warehouse.duckdb  # relative to this file

prices:
  file: {prices}  # invented, as the traffic is

bill:
  files: {bill}  # what AWS would charge for it

# The sandbox's clock stands still here.
as_of: {end:%Y-%m-%dT%H:%M:%SZ}
"""


def write_configuration(folder: Path, options: SandboxOptions) -> Path:
    """Write usage_pipeline.yaml into the folder: one account finds its Regions itself, the other names them."""
    accounts = "".join(
        _ACCOUNT.format(
            name=name,
            account_id=account_id,
            role=ROLE_NAME,
            external_id=EXTERNAL_ID,
            regions="auto" if name == "production" else f"[{', '.join(_regions_of(account_id))}]",
        )
        + (_q_developer() if account_id == ACCOUNT_ID else "")
        for account_id, name in ACCOUNTS.items()
    )
    path = folder / CONFIG_FILE
    text = _FILE.format(accounts=accounts, prices=PRICES_FILE, bill=BILL_FILES, end=options.end)
    path.write_text(text, encoding="utf-8")
    return path


def _q_developer() -> str:
    return _Q_DEVELOPER.format(bucket=BUCKET, prompts=PROMPT_PREFIX, reports=REPORT_PREFIX)


def _regions_of(account_id: str) -> list[str]:
    return [region for account, region in SCOPES if account == account_id]
