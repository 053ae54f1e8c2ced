"""The sandbox's HTTP server: our answers where we have them, moto's server for the rest.

Here: which code answers a signed request, faults, counting, starting and stopping. Not here: the answers
(`responses_*.py`).
"""

import io
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from http import HTTPStatus
from threading import Lock, Thread
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.core.request import Request, determine_request_protocol
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.iam.models import get_account_id_from
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from usage_pipeline.sandbox.account_data import AccountData
from usage_pipeline.sandbox.faults import FaultSwitches, UnknownFaultError
from usage_pipeline.sandbox.moto_setup import register_access_key, set_up_logging
from usage_pipeline.sandbox.refusals import Answer, AnsweredByMotoError, RefusedRequestError, error_answer
from usage_pipeline.sandbox.responses_account import (
    SandboxAccountResponse,
    SandboxServiceQuotasResponse,
    SandboxTokenResponse,
    account_of_role,
)
from usage_pipeline.sandbox.responses_bedrock import SandboxBedrockResponse
from usage_pipeline.sandbox.responses_cloudwatch import SandboxCloudWatchResponse
from usage_pipeline.sandbox.responses_logs import SandboxLogsResponse
from usage_pipeline.sandbox.responses_runtime import SandboxRuntimeResponse
from usage_pipeline.sandbox.responses_s3 import answer_s3, log_bucket_of, operation_of

CONTROL_PATH = "/_sandbox/"
"""GET and PUT faults (a JSON list of texts), GET and DELETE call-counts. No bucket name starts with `_`."""

_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/[^/]+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_BOTO_NAMES = {"monitoring": "cloudwatch", "servicequotas": "service-quotas"}
"""boto3's name of a service by the name that signs its requests, where they differ."""
_RUNTIME_PATH = "/model/"
"""Where Bedrock Runtime's operations lie; its requests are signed with the name of Bedrock."""

_UNSIGNED = error_answer(RefusedRequestError("AccessDenied", "Access Denied"), "rest-xml")
_JSON_HEADERS = {"Content-Type": "application/json"}


class _ServerRequest(Request):
    from_wsgi_server = True


class SandboxApplication:
    """The WSGI application of one sandbox."""

    def __init__(self, data: AccountData) -> None:
        self.faults = FaultSwitches(data.options.faults)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._logs = data.log_store
        self._counts: Counter[str] = Counter()
        self._lock = Lock()
        self._handlers: dict[str, tuple[tuple[str, ...], Callable[[], BaseResponse]]] = {
            "cloudwatch": (
                SandboxCloudWatchResponse.OPERATIONS,
                lambda: SandboxCloudWatchResponse(data, self.faults),
            ),
            "bedrock": (SandboxBedrockResponse.OPERATIONS, lambda: SandboxBedrockResponse(data)),
            "bedrock-runtime": (SandboxRuntimeResponse.OPERATIONS, lambda: SandboxRuntimeResponse(self.faults)),
            "service-quotas": (SandboxServiceQuotasResponse.OPERATIONS, SandboxServiceQuotasResponse),
            "account": (SandboxAccountResponse.OPERATIONS, SandboxAccountResponse),
            "logs": (SandboxLogsResponse.OPERATIONS, lambda: SandboxLogsResponse(data)),
            "sts": (SandboxTokenResponse.OPERATIONS, SandboxTokenResponse),
        }
        register_access_key()
        set_up_logging()

    @property
    def call_counts(self) -> dict[str, int]:
        """Requests so far by `service.Operation`, such as cloudwatch.GetMetricData."""
        with self._lock:
            return dict(self._counts)

    def forget_calls(self) -> None:
        """Start counting again."""
        with self._lock:
            self._counts.clear()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request: faults first, then our answer, then moto's."""
        path = environ.get("PATH_INFO", "")
        if path.startswith(CONTROL_PATH):
            return _send(self._control(path.removeprefix(CONTROL_PATH), environ), start_response)
        # A presigned address carries the same words in its query.
        signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION") or unquote(environ.get("QUERY_STRING", "")))
        if signed is None:
            is_ours = log_bucket_of(self._logs, environ) is not None
            return _send(_UNSIGNED, start_response) if is_ours else self._moto(environ, start_response)
        service = _BOTO_NAMES.get(signed["service"], signed["service"])
        if service == "bedrock" and path.startswith(_RUNTIME_PATH):
            service = "bedrock-runtime"
        if service in self._handlers:
            # moto keeps each description of a service, but requests that come at once would each read it.
            with self._lock:
                get_service_model(service)
        body = _buffer_body(environ) if service in self._handlers or _is_form(environ) else None
        response = self._handlers[service][1]() if service in self._handlers else None
        bucket = log_bucket_of(self._logs, environ) if service == "s3" else None
        operation = operation_of(environ) if bucket else _operation(response, environ, body)
        with self._lock:
            self._counts[f"{service}.{operation}"] += 1
        try:
            account_id = _account_to_enter(response, operation) or get_account_id_from(signed["key"])
            self._meet_faults(service, operation, account_id, signed["region"])
            if bucket:
                answer = answer_s3(self._logs, bucket, environ, account_id, self.faults.damages)
                return _send(answer, start_response)
            if response is not None and operation in self._handlers[service][0]:
                return _send(_answer(response, operation), start_response)
        except RefusedRequestError as error:
            protocol = determine_request_protocol(get_service_model(service), environ.get("CONTENT_TYPE"))
            status, headers, content = error_answer(error, protocol)
            return _send((status, headers, b"" if environ["REQUEST_METHOD"] == "HEAD" else content), start_response)
        except AnsweredByMotoError:
            pass
        if body is not None:
            environ["wsgi.input"] = io.BytesIO(body)
        return self._moto(environ, start_response)

    def _meet_faults(self, service: str, operation: str, account_id: str, region: str) -> None:
        if delay := self.faults.delay_seconds(service):
            time.sleep(delay)
        if self.faults.denies(service, account_id, region):
            code = "AccessDenied" if service in ("cloudwatch", "sts", "s3", "sns") else "AccessDeniedException"
            arn = f"arn:aws:iam::{account_id}:user/sandbox"
            raise RefusedRequestError(code, f"User: {arn} is not authorized to perform: {service}:{operation}")
        if self.faults.takes_throttle(service):
            raise RefusedRequestError("SlowDown" if service == "s3" else "ThrottlingException", "Rate exceeded")

    def _control(self, name: str, environ: WSGIEnvironment) -> Answer:
        method = environ["REQUEST_METHOD"]
        try:
            if (name, method) == ("faults", "PUT"):
                self.faults.switch_to(json.loads(_buffer_body(environ)))
        except (UnknownFaultError, ValueError) as error:
            return HTTPStatus.BAD_REQUEST, _JSON_HEADERS, json.dumps({"message": str(error)})
        if name == "faults" and method in ("GET", "PUT"):
            return HTTPStatus.OK, _JSON_HEADERS, json.dumps(self.faults.texts)
        if name == "call-counts" and method in ("GET", "DELETE"):
            counts = self.call_counts
            if method == "DELETE":
                self.forget_calls()
            return HTTPStatus.OK, _JSON_HEADERS, json.dumps(counts)
        known = "GET or PUT /_sandbox/faults, GET or DELETE /_sandbox/call-counts"
        return HTTPStatus.NOT_FOUND, _JSON_HEADERS, json.dumps({"message": f"There is {known}."})


def _is_form(environ: WSGIEnvironment) -> bool:
    return environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")


def _buffer_body(environ: WSGIEnvironment) -> bytes:
    """Read the body and leave it to be read again."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


_FORM_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")


def _operation(response: BaseResponse | None, environ: WSGIEnvironment, body: bytes | None) -> str:
    """The operation's name, or the HTTP method where only moto can tell."""
    if response is not None:
        response.setup_class(_ServerRequest(environ))
        return response._get_action() or environ["REQUEST_METHOD"]  # pyright: ignore[reportPrivateUsage]  (moto has no public way)
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    action = _FORM_ACTION.search(body or b"")
    return action[1].decode() if action else environ["REQUEST_METHOD"]


def _account_to_enter(response: BaseResponse | None, operation: str) -> str | None:
    """The account of the role to assume, so that one account can be closed to callers from another."""
    if response is None or operation != "AssumeRole":
        return None
    return account_of_role(str(response.querystring.get("RoleArn", [""])[0]))


def _answer(response: BaseResponse, operation: str) -> Answer:
    method: Callable[[], ActionResult | Answer] = getattr(response, camelcase_to_underscores(operation))
    result = method()
    return response.serialized(result) if isinstance(result, ActionResult) else result


def _send(answer: Answer, start_response: StartResponse) -> Iterable[bytes]:
    status, headers, body = answer
    content = body.encode() if isinstance(body, str) else body
    sent = {"Content-Length": len(content), **headers}  # the answer to HEAD has a length and no content
    start_response(f"{int(status)} {HTTPStatus(status).phrase}", [(name, str(value)) for name, value in sent.items()])
    return [content]


class _QuietHandler(MotoRequestHandler):
    """Serves without a line per request on the terminal."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


class SandboxServer:
    """The HTTP server of one sandbox, one thread per connection."""

    def __init__(self, data: AccountData, listener: socket.socket) -> None:
        """Take over a listening socket; werkzeug would end the process if it had to bind a port that is taken."""
        self.data = data
        self.application = SandboxApplication(data)
        host, port = listener.getsockname()[:2]
        self._server: BaseWSGIServer = make_server(
            host, port, self.application, threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
        )
        listener.close()
        self._thread: Thread | None = None

    @property
    def endpoint_url(self) -> str:
        """Where the server listens."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def serve_forever(self) -> None:
        """Serve until `stop` is called from another thread, or a signal interrupts."""
        with self._server:
            self._server.serve_forever()

    def start_thread(self) -> None:
        """Serve in a thread of this process."""
        self._thread = Thread(target=self.serve_forever, name="sandbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close the port; a second call does nothing."""
        self._server.shutdown()
        if self._thread:
            self._thread.join()
            self._thread = None
