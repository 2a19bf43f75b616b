"""Classifies a failed MLflow call (does it stop the whole pass?) and describes it in words."""

from __future__ import annotations

import re
from http import HTTPStatus

from grid.ledger.ledger import Damaged
from grid.secrets import masked_text

LENGTH = 300  # maximum length of a message, in characters
TOO_MANY = 429
CODE = re.compile(r"too many (\d{3}) error responses|failed with error code (\d{3})|^(\d{3}) (?:Client|Server) Error")
ADVICE = {
    401: "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    403: "ask for the right to write there",
    404: "is it the address of an MLflow server?",
    413: "a proxy before it limits the size of requests",
    TOO_MANY: "it limits the rate of requests; try again later",
}
TLS = {  # what Python's ssl module says of the connection -> what to do
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted; set MLFLOW_TRACKING_SERVER_CERT_PATH to its authority's",
    "WRONG_VERSION_NUMBER": "it does not speak TLS; is its address http://...?",
    "RECORD_LAYER_FAILURE": "it does not speak TLS; is its address http://...?",
}


def is_outage(error: BaseException) -> bool:
    """Whether the server is unavailable, so that the whole pass stops. Other errors concern one run."""
    import requests
    import sqlalchemy.exc
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        status = _status(error) or error.get_http_status_code()
        return status >= 500 or status in (401, 403, TOO_MANY)
    return isinstance(
        error, (requests.exceptions.RequestException, sqlalchemy.exc.SQLAlchemyError, ConnectionError, TimeoutError)
    )


def is_unknown_endpoint(error: BaseException) -> bool:
    """Whether the server is too old for the request."""
    return _status(error) == HTTPStatus.NOT_FOUND


def words(error: BaseException, tracking: str) -> str:
    """An error on one line, without the secrets in the tracking URI."""
    from mlflow.exceptions import RestException

    whole = masked_text(" ".join(str(error).split()), tracking)
    text = whole[:LENGTH]
    if status := _status(error):
        said = f"it answers {status} {_phrase(status)}"
        return f"{said}; {ADVICE[status]}" if status in ADVICE else said
    if advice := next((advice for sign, advice in TLS.items() if sign in whole), None):
        return advice
    if "ConnectionPool" in text:  # from requests; the rest of the message is internal detail
        return "it timed out" if "timed out" in text else "no server answers"
    if isinstance(error, RestException):
        return f"it answers {text}"
    return text if isinstance(error, (Damaged, TimeoutError)) else f"{type(error).__name__}: {text}"


def _status(error: BaseException) -> int | None:
    """The HTTP status mentioned in an error."""
    found = CODE.search(" ".join(str(error).split()))
    return int(next(group for group in found.groups() if group)) if found else None


def _phrase(status: int) -> str:
    try:
        return f"({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
