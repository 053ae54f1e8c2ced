"""CloudWatch Logs' FilterLogEvents for the log groups of invocation logs; everything else is moto's.

Here: parameters in, JSON out. Not here: what the answer is (`log_events.py`).
"""

import json
from typing import Any

from moto.logs.responses import LogsResponse

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.log_destinations import LOG_STREAM
from usage_pipeline.sandbox.log_events import MOST_EVENTS, EventSearch, LogGroup
from usage_pipeline.sandbox.refusals import Answer, AnsweredByMotoError, RefusedRequestError

_END_OF_TIME = 2**53


class SandboxLogsResponse(LogsResponse):
    """Answers from the sandbox's log groups; other groups are moto's."""

    OPERATIONS = ("FilterLogEvents", "GetLogEvents")

    def __init__(self, data: AccountData) -> None:
        super().__init__()
        self._data = data

    def filter_log_events(self) -> Any:  # moto's own is typed as text
        """One page of events."""
        group = self._asked_group()
        if self._get_param("filterPattern"):
            raise _invalid("The sandbox has no filter patterns; ask without one.")
        names, prefix = self._get_param("logStreamNames"), self._get_param("logStreamNamePrefix")
        if names and prefix:
            raise _invalid("Only one of logStreamNames and logStreamNamePrefix may be given.")
        if (names and LOG_STREAM not in names) or not LOG_STREAM.startswith(prefix or ""):
            return _answer({"events": [], "searchedLogStreams": []})
        page = group.search(self._search(group))
        answer: dict[str, Any] = {"events": page.events, "searchedLogStreams": []}
        if page.next_token:
            answer["nextToken"] = page.next_token
        return _answer(answer)

    def get_log_events(self) -> Any:  # moto's own is typed as text
        """Refused, because moto would say that the stream is empty."""
        self._asked_group()
        raise _invalid("The sandbox answers FilterLogEvents for this log group, not GetLogEvents.")

    def _asked_group(self) -> LogGroup:
        group = self._data.log_groups.get((self.current_account, self.region))
        asked = self._get_param("logGroupName") or self._get_param("logGroupIdentifier") or ""
        # An identifier is a name, or an ARN that ends with it and perhaps with `:*`.
        if group is None or asked.removesuffix(":*").rpartition(":")[2] != group.name:
            raise AnsweredByMotoError
        return group

    def _search(self, group: LogGroup) -> EventSearch:
        limit, start, end = (self._get_param(name) for name in ("limit", "startTime", "endTime"))
        if limit is not None and not 1 <= int(limit) <= MOST_EVENTS:
            raise _invalid(f"Value at 'limit' must be between 1 and {MOST_EVENTS}.")
        return EventSearch(
            log_group=group.name,
            start_ms=int(start or 0),
            end_ms=_END_OF_TIME if end is None else int(end),
            limit=int(limit or MOST_EVENTS),
            token=self._get_param("nextToken"),
        )


def _answer(answer: dict[str, Any]) -> Answer:
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer)


def _invalid(message: str) -> RefusedRequestError:
    return RefusedRequestError("InvalidParameterException", message)
