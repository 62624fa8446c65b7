"""What a call of the API is told where it did not work: problem details (RFC 9457), whatever went wrong."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

MEDIA: Final = "application/problem+json"
API: Final = "/api/"


class Problem(BaseModel):
    """Why a call did not work. ``detail`` is one sentence, ``hint`` the remedy."""

    type: str = "about:blank"
    title: str = Field(description="the name of the status")
    status: int
    detail: str = ""
    hint: str = ""
    code: str = Field("", description="a stable word for why the desk refuses it; empty where it is none of its own")


ANSWERS: Final = {
    str(code): {
        "description": HTTPStatus(code).phrase,
        "content": {MEDIA: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
    }
    for code in (400, 401, 403, 404, 413, 422, 429, 500, 503)
}
"""For the description of each call. A route that had them as models would compile each of them anew."""


def is_call(request: Request) -> bool:
    """Whether a program asks, and not a person."""
    return request.url.path.startswith(API)


def problem(
    status: int, detail: str, hint: str = "", headers: Mapping[str, str] | None = None, *, refused: str = ""
) -> Response:
    """The answer; ``refused`` is the code of the refusal."""
    told = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, hint=hint, code=refused)
    more = {**(headers or {}), **({"www-authenticate": "Bearer"} if status == 401 else {})}
    return JSONResponse(told.model_dump(), status, more, media_type=MEDIA)
