"""The HTTP API: ``POST predict`` with a picture, the answer as JSON, and its own description as OpenAPI.

It has nothing to do with Gradio, whose API for ``gradio_client`` is beside it in `fer_demo.web.upload`.
"""

from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from fer_demo.emotions import DISCLAIMER
from fer_demo.merging import merge_classes, parse_merges
from fer_demo.runtime.model_info import ModelError
from fer_demo.vision.detector import FaceDetectorError
from fer_demo.vision.images import ImageError
from fer_demo.web.answering import desk, visitor_of
from fer_demo.web.fair_queue import BusyError
from fer_demo.web.models import find, model_names
from fer_demo.web.schema import FacesFound, Problem
from fer_demo.web.uploads import UPLOADS, UploadStore

FIELD = "file"
"""Name of the form's field that holds the picture."""

_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {FIELD: {"type": "string", "format": "binary", "description": "One picture."}},
            }
        }
    },
}

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The picture cannot be read, or the form is damaged."},
    408: {"model": Problem, "description": "The upload took too long."},
    413: {"model": Problem, "description": "The picture is too large."},
    415: {"model": Problem, "description": "The request is no multipart form."},
    422: {"model": Problem, "description": "There is no picture in the request, or an argument makes no sense."},
    503: {"model": Problem, "description": "Too many requests are waiting; Retry-After says when to try again."},
}


def build_api(uploads: UploadStore = UPLOADS) -> FastAPI:
    """Builds the API.

    Args:
        uploads: Counts what is arriving.

    Returns:
        An application to be mounted, which needs no lifespan.
    """
    api = FastAPI(
        title="Facial expressions",
        description=f"Finds the faces on a picture and says what their expressions look like. {DISCLAIMER}",
        version="1",
        docs_url=None,  # its pages load their scripts from another host
        redoc_url=None,
        responses=_PROBLEMS,
    )

    @api.post("/predict", summary="Read a picture", openapi_extra={"requestBody": _BODY})
    async def predict(
        request: Request,
        whole_image: Annotated[bool, Query(description="Take the picture itself as one face.")] = False,
        model: Annotated[
            str | None, Query(description="One of the server's models; left out, its default answers.")
        ] = None,
        merge: Annotated[
            list[str] | None, Query(description="Classes to take for one, as negative=angry,sad; may be repeated.")
        ] = None,
    ) -> FacesFound:
        """Finds the faces on a picture, which is not kept, and says what their expressions look like."""
        if model is not None and model not in (names := model_names()):
            known = ", ".join(names)
            raise HTTPException(422, f"There is no model {model[:80]!r}; choose one of {known}.")
        try:
            merged = parse_merges(merge or ())
            if merged:
                merge_classes(find(model).labels, merged)
        except ModelError as error:
            raise HTTPException(422, str(error)) from None
        received = await uploads.receive(request, FIELD)
        if len(received) > 1:
            raise HTTPException(422, f"{len(received)} pictures were sent; send one a request.")
        visitor = visitor_of(request.client.host if request.client else None)
        (upload,) = received
        how: dict[str, Any] = {"whole_image": whole_image, "model": model, "merge": merged}
        answer = await desk().answer(upload.data, upload.name or None, visitor, **how)
        return FacesFound.model_validate(answer.faces.to_dict())

    @api.get("/health", summary="Is the server there?", responses={})
    async def health() -> dict[str, str]:
        """Answers as long as the server does."""
        return {"status": "ok"}

    _say_what_is_wrong(api)
    return api


def _say_what_is_wrong(api: FastAPI) -> None:
    """Makes every error ``{"error": sentence}``."""

    def problem(status: int, sentence: str, headers: Any = None) -> JSONResponse:
        return JSONResponse({"error": sentence}, status, headers)

    @api.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        sentence = "There is nothing under this address." if error.detail == "Not Found" else str(error.detail)
        return problem(error.status_code, sentence, error.headers)

    @api.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return problem(422, f"{first['loc'][-1]}: {first['msg']}.")

    @api.exception_handler(ImageError)
    async def no_picture(_: Request, error: ImageError) -> JSONResponse:
        return problem(400, str(error))

    @api.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> JSONResponse:
        return problem(503, str(error), {"Retry-After": str(error.retry_after)})

    async def broken(_: Request, error: Exception) -> JSONResponse:
        return problem(500, str(error))

    api.add_exception_handler(ModelError, broken)
    api.add_exception_handler(FaceDetectorError, broken)
