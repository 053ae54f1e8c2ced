"""How an answer ends early: AWS refuses the request, or moto answers it. Not here: why (`responses_*.py`)."""

import json
from http import HTTPStatus
from xml.sax.saxutils import escape

Answer = tuple[int, dict[str, str], str | bytes]
"""HTTP status, headers and body."""

_STATUS = {
    "AccessDenied": HTTPStatus.FORBIDDEN,
    "AccessDeniedException": HTTPStatus.FORBIDDEN,
    "ResourceNotFoundException": HTTPStatus.NOT_FOUND,
    "NoSuchKey": HTTPStatus.NOT_FOUND,
    "PreconditionFailed": HTTPStatus.PRECONDITION_FAILED,
    "InvalidRange": HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    "SlowDown": HTTPStatus.SERVICE_UNAVAILABLE,
}


class RefusedRequestError(Exception):
    """AWS refuses the request; `code` is its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class AnsweredByMotoError(Exception):
    """The request is about something that moto knows and the sandbox does not."""


def error_answer(error: RefusedRequestError, protocol: str) -> Answer:
    """The error in an AWS protocol: json, rest-json, query, ec2 or rest-xml."""
    status = _STATUS.get(error.code, HTTPStatus.BAD_REQUEST)
    if protocol in ("json", "rest-json"):
        if error.code == "ThrottlingException" and protocol == "rest-json":
            status = HTTPStatus.TOO_MANY_REQUESTS
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amzn-Errortype": error.code}
        return status, headers, json.dumps({"__type": error.code, "message": str(error)})
    detail = f"<Code>{escape(error.code)}</Code><Message>{escape(str(error))}</Message>"
    body = {
        "ec2": f"<Response><Errors><Error>{detail}</Error></Errors></Response>",
        "query": f"<ErrorResponse><Error><Type>Sender</Type>{detail}</Error></ErrorResponse>",
    }.get(protocol, f"<Error>{detail}</Error>")
    return status, {"Content-Type": "text/xml"}, body
