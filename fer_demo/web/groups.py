"""Very many photos, group after group, into a page's folder: what the upload widget asks on the page Folder.

``POST group?sid=TICKET&group=MARK`` takes a multipart form with files, and answers with lines of JSON while it looks at
them: ``{"photo": 3}`` once three are done, ``{"wait": 2}`` while two requests come first, and in the end ``{"added": …,
"read": …, "faces": …, "left_out": …, "room": …}`` or ``{"error": SENTENCE}``.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fer_demo.checkpoints import bundled_checkpoints
from fer_demo.vision.images import ImageError
from fer_demo.vision.sources import one_line
from fer_demo.web.answering import Desk, desk, visitor_of
from fer_demo.web.bundles import Bundle
from fer_demo.web.fair_queue import BusyError
from fer_demo.web.folder import Small, small
from fer_demo.web.gradio_gate import path_of
from fer_demo.web.handover import Handover
from fer_demo.web.shared import USER_ERRORS
from fer_demo.web.uploads import Upload, UploadStore

GONE = "The page that asked is gone, or its photos were forgotten; load the page again and add the photos there."

AT_A_TIME = 3
"""Photos of a group that are under way: one is decoded while another one's faces are read."""


class Groups:
    """ASGI application: answers ``POST group``, and leaves the rest to another one.

    Args:
        app: The other one.
        handover: Where the photos go.
        uploads: What receives the files.
        the_desk: Gives who answers.
    """

    def __init__(
        self, app: ASGIApp, handover: Handover, uploads: UploadStore, the_desk: Callable[[], Desk] = desk
    ) -> None:
        self.app, self.handover, self.uploads, self.desk = app, handover, uploads, the_desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        request = Request(scope, receive) if scope["type"] == "http" else None
        if request is None or path_of(request) != "/group" or request.method != "POST":
            await self.app(scope, receive, send)
            return
        try:
            response = await self._answer(request)
        except HTTPException as error:
            response = JSONResponse({"error": error.detail}, error.status_code, error.headers)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        sid, mark = request.query_params.get("sid", ""), request.query_params.get("group", "")
        if not re.fullmatch(r"[\w-]{1,64}", mark):
            raise HTTPException(422, "The group must have a mark of 1 to 64 letters and digits.")
        if not self.handover.renew(sid):
            raise HTTPException(404, GONE)
        files = await self.uploads.receive(request, "files", folders=True)
        model = request.query_params.get("model")
        lines = self._lines(files, sid, mark, visitor_of(request.client.host if request.client else None), model)
        return StreamingResponse(lines, media_type="application/x-ndjson", headers={"X-Accel-Buffering": "no"})

    async def _lines(
        self, files: list[Upload], sid: str, mark: str, visitor: str, model: str | None
    ) -> AsyncIterator[str]:
        notes: asyncio.Queue[dict[str, int] | None] = asyncio.Queue()
        model = model if model in bundled_checkpoints() else None
        task = asyncio.ensure_future(self._look(files, visitor, model, notes.put_nowait))
        task.add_done_callback(lambda _: notes.put_nowait(None))
        try:
            while (note := await notes.get()) is not None:
                yield _line(note)
            found, left_out = task.result()
        except (*USER_ERRORS, BusyError) as error:
            retry = error.retry_after if isinstance(error, BusyError) else 0
            yield _line({"error": str(error), "retry": retry})
            return
        finally:
            task.cancel()
        sizes = self.uploads.limits
        originals = int(sizes.folder_mb * 2**20)
        room = self.handover.append(sid, found, left_out, most=sizes.folder, originals=originals, group=mark)
        if room is None:
            yield _line({"error": GONE, "gone": True})
            return
        read = [one for one in found if one.thumbnail]
        faces = sum(len(one.data["faces"]) for one in read)
        yield _line({"added": len(found), "read": len(read), "faces": faces, "left_out": left_out, "room": room})

    async def _look(
        self, files: list[Upload], visitor: str, model: str | None, note: Callable[[dict[str, int]], None]
    ) -> tuple[list[Small], int]:
        """Answers all pictures of a group.

        Raises:
            ImageError: If an archive is of no use.
            ModelError: If the model that was asked for cannot be loaded.
            BusyError: If too many are waiting.
        """
        bundle = await asyncio.to_thread(Bundle, files, self.uploads.limits)
        done = 0

        async def on_wait(ahead: int) -> None:
            note({"wait": ahead})

        async def look(picture: Upload | ImageError) -> Small:
            nonlocal done
            if isinstance(picture, ImageError):
                found = small("", None, str(picture))
            else:
                name = one_line(picture.name or "Without a name", None)
                try:
                    answer = await self.desk().answer(picture.data, name, visitor, model=model, on_wait=on_wait)
                    found = await asyncio.to_thread(small, name, answer, None, picture.data)
                except ImageError as error:
                    found = small(name, None, str(error))
            done += 1
            note({"photo": done})
            return found

        pictures, results = iter(bundle), list[asyncio.Task[Small]]()
        running: set[asyncio.Task[Small]] = set()
        try:
            while (picture := await asyncio.to_thread(next, pictures, None)) is not None:
                if len(running) >= AT_A_TIME:
                    _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                results.append(asyncio.ensure_future(look(picture)))
                running.add(results[-1])
            return list(await asyncio.gather(*results)), bundle.left_out
        finally:
            for task in results:
                task.cancel()


def _line(content: Mapping[str, object]) -> str:
    return json.dumps(content) + "\n"
