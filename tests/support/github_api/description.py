"""Whether a request, or an answer, is what GitHub's description of its API says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from urllib.parse import parse_qsl

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.responses.exceptions import ResponseNotFound
from werkzeug.datastructures import Headers, ImmutableMultiDict

from tests.support.github_api.published import published

_HOST = "http://stand-in"
# GitHub gives these everywhere, and describes them in few places.
_ANYWHERE = (401, 403, 404, 429)


@dataclass
class Request:
    """One request, as openapi-core wants it: the method in small letters, header names too.

    The path is without the prefix that enterprise servers have before each of them.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    host_url: str = _HOST
    parameters: RequestParameters = field(init=False)

    def __post_init__(self) -> None:
        arguments = ImmutableMultiDict(parse_qsl(self.query, keep_blank_values=True))
        self.parameters = RequestParameters(query=arguments, header=Headers(dict(self.headers)))

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def content_type(self) -> str:
        return dict(self.headers).get("content-type", "").partition(";")[0]


@dataclass(frozen=True)
class Answer:
    """One answer, as openapi-core wants it."""

    status_code: int
    document: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    @cached_property
    def data(self) -> bytes:
        """The document as it is now: the repository may change it later."""
        return json.dumps(self.document).encode()


class Description:
    """GitHub's description in one dialect. Each question is answered by sentences about what is wrong."""

    def __init__(self, dialect: str) -> None:
        self._document = published(dialect) | {"servers": [{"url": _HOST}]}
        self._api = OpenAPI.from_dict(self._document, config=Config(spec_validator_cls=None))
        self._lock = threading.Lock()

    def wrong_in_request(self, request: Request) -> list[str]:
        with self._lock:
            return [f"{request}: {wrong}" for wrong in self._request(request)]

    def wrong_in_answer(self, request: Request, answer: Answer) -> list[str]:
        with self._lock:
            return [f"{request} → {answer.status_code}: {wrong}" for wrong in self._answer(request, answer)]

    def _request(self, request: Request) -> Iterator[str]:
        try:
            self._api.validate_request(request)
        except OpenAPIError as error:
            yield from _sentences(error)
            return
        operation = self._operation(request)
        parameters = [self._resolved(parameter) for parameter in operation.get("parameters", [])]
        known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        yield from (f"GitHub has no parameter {name}" for name in request.parameters.query if name not in known)
        if request.body:
            body = self._resolved(operation.get("requestBody", {}))
            fields = body.get("content", {}).get("application/json", {}).get("schema", {}).get("properties", {})
            yield from (f"GitHub has no field {name}" for name in json.loads(request.body) if name not in fields)

    def _answer(self, request: Request, answer: Answer) -> Iterator[str]:
        try:
            self._api.validate_response(request, answer)
        except ResponseNotFound as error:
            if answer.status_code not in _ANYWHERE:
                yield from _sentences(error)
        except OpenAPIError as error:
            yield from _sentences(error)

    def _operation(self, request: Request) -> dict[str, Any]:
        paths: dict[str, Any] = self._document["paths"]
        # GitHub has paths that differ in a parameter only: the one with the fewest is meant.
        fitting = [path for path in paths if _fits(path, request.path)]
        found: dict[str, Any] = paths[min(fitting, key=lambda path: path.count("{"))][request.method]
        return found

    def _resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in part:
            return part
        found = self._document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return self._resolved(found)


def _fits(template: str, path: str) -> bool:
    parts, given = template.split("/"), path.split("/")
    return len(parts) == len(given) and all(p.startswith("{") or p == g for p, g in zip(parts, given, strict=True))


def _sentences(error: BaseException) -> Iterator[str]:
    """The message of openapi-core, from the innermost cause."""
    cause = error.__cause__
    details = getattr(error, "schema_errors", None)
    if details:
        yield from (
            f"{'/'.join(map(str, detail.absolute_path)) or 'the document'}: {detail.message}" for detail in details
        )
    elif cause is not None:
        yield from _sentences(cause)
    else:
        yield str(error) or repr(error)


@cache
def described(dialect: str) -> Description:
    """Reading one takes a second: one for the whole run."""
    return Description(dialect)
