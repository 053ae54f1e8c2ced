"""Clients whose answers are written in the test: real boto3 clients, paginators and validation, without a network."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def error(operation: str, code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def connect_answers(client: Any, answers: Mapping[str, Answer | dict[str, Any] | Exception]) -> list[tuple[str, dict]]:
    """Let the client give these answers by operation name; gives the list to which every call is added."""
    calls: list[tuple[str, dict]] = []

    def keep_parameters(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        context["asked"] = dict(params)

    def answer(model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        calls.append((model.name, context["asked"]))
        found = answers[model.name]
        if isinstance(found, Exception):
            raise found
        return SimpleNamespace(status_code=200), found(context["asked"]) if callable(found) else found

    client.meta.events.register("before-parameter-build", keep_parameters)
    client.meta.events.register("before-call", answer)
    return calls


def canned_client(service: str, answers: Mapping[str, Answer | dict[str, Any] | Exception]) -> tuple[Any, list]:
    client = boto3.client(  # type: ignore[call-overload]
        service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    return client, connect_answers(client, answers)


def connect_bodies(client: Any, bodies: Mapping[str, dict[str, Any]], status: int = 200) -> None:
    """Let the client receive these JSON bodies, so that its own parser reads them."""

    def respond(request: Any, event_name: str, **_: Any) -> AWSResponse:
        body = json.dumps(bodies[event_name.rsplit(".", 1)[-1]]).encode()
        response = AWSResponse(request.url, status, {"content-type": "application/x-amz-json-1.0"}, None)
        response._content = body
        return response

    client.meta.events.register("before-send", respond)


def pages(key: str, entries: list[dict[str, Any]], size: int, token: str = "nextToken") -> Answer:
    """Answer a list operation in pages of `size`."""

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        begin = int(asked.get(token, 0))
        more = {token: str(begin + size)} if begin + size < len(entries) else {}
        return {key: entries[begin : begin + size], **more}

    return answer


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


PointValue = Callable[[str | None, str, str, int], float | None]
"""ModelId (None: total), metric, statistic, start of the period in epoch seconds -> value, None when there is none."""


class CannedMetrics:
    """GetMetricData with pages of 100,800 points, from a function that says which points exist.

    `partial` queries (by metric name) stay PartialData, without their points, for so many calls.
    """

    def __init__(self, value: PointValue, page_points: int = 100_800) -> None:
        self.value = value
        self.page_points = page_points
        self.partial: dict[str, int] = {}
        self.forbidden: set[str] = set()
        self.queries_sent: list[int] = []
        self._open: dict[str, list[dict[str, Any]]] = {}

    def __call__(self, asked: dict[str, Any]) -> dict[str, Any]:
        token = asked.get("NextToken")
        if token is None:
            self.queries_sent.append(len(asked["MetricDataQueries"]))
            assert len(asked["MetricDataQueries"]) <= 500
            waiting = [self._result(query, asked) for query in asked["MetricDataQueries"]]
        else:
            waiting = self._open.pop(token)
        page, room = [], self.page_points
        while waiting and room:
            result = waiting[0]
            part = {**result, "Timestamps": result["Timestamps"][:room], "Values": result["Values"][:room]}
            room -= len(part["Timestamps"])
            if len(part["Timestamps"]) < len(result["Timestamps"]):
                taken = len(part["Timestamps"])
                part["StatusCode"] = "PartialData"
                waiting[0] = {
                    **result,
                    "Timestamps": result["Timestamps"][taken:],
                    "Values": result["Values"][taken:],
                }
            else:
                waiting.pop(0)
            page.append(part)
        if not waiting:
            return {"MetricDataResults": page, "Messages": []}
        token = f"token-{len(self.queries_sent)}-{len(waiting)}-{len(waiting[0]['Timestamps'])}"
        self._open[token] = waiting
        return {"MetricDataResults": page, "Messages": [], "NextToken": token}

    def _result(self, query: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        stat = query["MetricStat"]
        metric, period = stat["Metric"], stat["Period"]
        name = metric["MetricName"]
        model_id = next((item["Value"] for item in metric["Dimensions"]), None)
        result = {"Id": query["Id"], "Label": name, "StatusCode": "Complete", "Timestamps": [], "Values": []}
        if name in self.forbidden:
            return {**result, "StatusCode": "Forbidden"}
        if self.partial.get(name, 0):
            self.partial[name] -= 1
            return {**result, "StatusCode": "PartialData"}
        start, end = (int(asked[side].timestamp()) for side in ("StartTime", "EndTime"))
        for ts in range(start, end, period):
            if (value := self.value(model_id, name, stat["Stat"], ts)) is not None:
                result["Timestamps"].append(float(ts))
                result["Values"].append(value)
        return result
