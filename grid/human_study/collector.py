"""The collector: a small web application that serves a bundle's pages and stores the answers.

Annotations are not postponed here: FastAPI reads those of the functions in ``collector`` and could not resolve their names.
"""

from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.exceptions import HTTPException as StarletteHTTPException

from configs.component import file_digest
from grid.human_study.answers import Answers, Participant, Refused
from grid.human_study.design import PUBLIC, Design, read_design
from grid.human_study.limits import BodyLimit, RateLimiter
from grid.human_study.texts import read_texts
from grid.spec.grid_file import BadInput

CSP = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        *(f"{kind} 'none'" for kind in ("base-uri", "form-action", "frame-ancestors")),
    )
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".jpg": "image/jpeg", ".svg": "image/svg+xml"}
DAY = 86_400_000  # milliseconds


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Join(_Body):
    consent: bool

    @field_validator("consent")
    @classmethod
    def _given(cls, value: bool) -> bool:
        if not value:
            raise ValueError("consent was not given")
        return value


class GivenAnswer(_Body):
    number: Annotated[int, Field(ge=1, le=2, alias="pass")]
    pair: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    choice: Annotated[int, Field(ge=1, le=5)]
    milliseconds: Annotated[int, Field(ge=0, le=DAY)]


def check_files(bundle: Path, design: Design) -> None:
    """Checks every file that may be served against its digest.

    Raises:
        BadInput: a file is missing or changed.
    """
    for name, digest in design.files.items():
        file = bundle / PUBLIC / name
        if not file.is_file() or file_digest(file) != digest:
            raise BadInput(f"{file}: missing or changed since the bundle was made; make it again, or restore the file")


def collector(bundle: Path) -> FastAPI:
    """The application. Answers are on disk before they are acknowledged.

    Raises:
        BadInput: the bundle is damaged, or its texts do not fit.
    """
    design = read_design(bundle)
    check_files(bundle, design)
    texts = read_texts(bundle, design.letters)
    public_texts = {**texts.model_dump(mode="json", exclude={"maps"}), "study": design.digest()[:16]}
    answers = Answers(bundle, design)
    joins, unauthenticated, writes = RateLimiter(60, 0.5), RateLimiter(30, 0.5), RateLimiter(60, 10.0)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(BodyLimit)

    @app.middleware("http")
    async def _headers(request: Request, handle: Any) -> Response:
        response: Response = await handle(request)
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": "the request does not have the expected form"}, 422)  # what was sent is not repeated

    @app.exception_handler(StarletteHTTPException)
    async def _error(request: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)

    def known(request: Request, authorization: Annotated[str, Header(max_length=200)] = "") -> Participant:
        scheme, _, token = authorization.partition(" ")
        participant = answers.participant(token) if scheme == "Bearer" else None
        if participant is None:
            if not unauthenticated.allows(_address(request)):
                raise _too_many(2)
            raise HTTPException(401, "no such participant")
        return participant

    Known = Annotated[Participant, Depends(known)]

    @app.get("/api/texts")
    def _texts() -> dict[str, Any]:
        return public_texts

    @app.post("/api/join")
    def _join(request: Request, body: Join) -> dict[str, Any]:
        if not joins.allows(_address(request)):
            raise _too_many(2)
        return {"token": answers.join()}

    @app.get("/api/session")
    def _session(participant: Known) -> dict[str, Any]:
        return {
            "group": participant.letter,
            "maps": texts.maps[participant.letter],
            "orders": participant.orders,
            "done": participant.done,
        }

    @app.post("/api/answer")
    def _answer(participant: Known, body: GivenAnswer) -> dict[str, Any]:
        if not writes.allows(participant.id):
            raise _too_many(1)
        try:
            answers.store(participant, body.number, body.pair, body.choice, body.milliseconds)
        except Refused as error:
            raise HTTPException(409, str(error)) from error
        return {"stored": True}

    @app.get("/{name:path}")
    def _file(name: str) -> FileResponse:
        name = name or "index.html"
        if name not in design.files:
            raise HTTPException(404, "no such page")
        kept = {"Cache-Control": "private, max-age=86400"} if name.endswith(".jpg") else {}
        kind = TYPES.get(Path(name).suffix, "text/plain")
        return FileResponse(bundle / PUBLIC / name, media_type=kind, headers=kept)

    return app


def _address(request: Request) -> str:
    """For rate limits only: it is neither stored nor logged."""
    return request.client.host if request.client else ""


def _too_many(seconds: int) -> HTTPException:
    return HTTPException(429, "too many requests", {"Retry-After": str(seconds)})
