"""Activity reports for tests, written out as AWS writes them."""

from collections.abc import Mapping, Sequence

from usage_pipeline.q_developer.activity_rows import METRICS

KEY = (
    "reports/AWSLogs/111122223333/QDeveloperLogs/by_user_analytic/us-east-1/2026/11/15/00/"
    "111122223333_by_user_analytic_202611150000_report.csv"
)
KIRO_KEY = (
    "reports/AWSLogs/111122223333/KiroLogs/user_report/us-east-1/2026/11/15/00/"
    "KIRO_IDE_111122223333_user_report_202611150200.csv"
)
USER = "b8f1f340-9081-70ad-5fc5-0f37151937a6"

COLUMNS = ("UserId", "Date", *METRICS)
"""The 46 columns, in AWS's order."""

KIRO_HEADER = (
    "Date,UserId,Client_Type,Chat_Conversations,Credits_Used,Overage_Cap,Overage_Credits_Used,Overage_Enabled,ProfileId,"
    "Subscription_Tier,Total_Messages,New_User,User_Email,auto_messages,claude_opus_4.8_messages"
)
KIRO_LINE = f"2026-11-14,{USER},KIRO_IDE,3,12.53,100.0,0,false,arn:aws:codewhisperer:x,PRO,40,true,ann@x.test,30,10"


def report(*lines: Mapping[str, object], columns: Sequence[str] = COLUMNS) -> bytes:
    """A report with these columns; a line says what it has, other cells are empty."""
    return "\n".join([",".join(columns), *(_line(line, columns) for line in lines), ""]).encode()


def _line(line: Mapping[str, object], columns: Sequence[str]) -> str:
    whole = {"UserId": USER, "Date": "11-14-2026", **line}
    return ",".join(str(whole.get(column, "")) for column in columns)
