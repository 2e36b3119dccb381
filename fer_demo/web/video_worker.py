"""The process behind `fer_demo.web.video_job`: reads one video from standard input, and ends.

The video and everything made of it stay in this process's memory, so that nothing is left of them when it is killed.
"""

import base64
import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import PurePath
from typing import Any, BinaryIO

from fer_demo.predictor import Predictor
from fer_demo.runtime.child import end_with_parent, limit_memory
from fer_demo.runtime.model_info import ModelError
from fer_demo.video import FrameAnswer, Settings, VideoError, analyse
from fer_demo.video.reading import Notes, probe
from fer_demo.video.report import Report
from fer_demo.video.sources import Source
from fer_demo.video.subtitles import Subtitles
from fer_demo.video.summary import Summary, clock, in_words
from fer_demo.video.tables import CsvTable, JsonFile
from fer_demo.video.timeline import MomentFace, Portrait, Timeline
from fer_demo.video.writing import VideoWriter
from fer_demo.vision.detector import FaceDetectorError
from fer_demo.web.video_files import MB, Bounded, File, Packed
from fer_demo.web.video_process import FILE, HEAD, MARKED, PROGRESS, REFUSED, RESULT

SIDE = 640
"""Pixels of the longer side of the frames that the page shows."""

TELL_EVERY = 0.3
"""Seconds from one word about the progress to the next."""


def main() -> None:
    """Reads the video that comes; whatever comes after it, or the end of the input, asks to stop with what is done."""
    there = sys.stdin.buffer
    # Libraries that print something must not print it between the messages.
    back = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    end_with_parent()
    options = json.loads(there.read(HEAD.unpack(there.read(HEAD.size))[1]))
    data = there.read(HEAD.unpack(there.read(HEAD.size))[1])
    os.nice(options["niceness"])
    stop = threading.Event()

    def listen() -> None:
        there.read(1)
        stop.set()

    threading.Thread(target=listen, daemon=True).start()

    def tell(kind: int, content: bytes) -> None:
        back.write(HEAD.pack(kind, len(content)))
        back.write(content)
        back.flush()

    try:
        _Reading(options, data, tell, stop.is_set).run()
    except (VideoError, ModelError, FaceDetectorError) as error:
        tell(REFUSED, str(error).encode("utf-8", "replace"))
    except MemoryError:
        tell(REFUSED, f"{options['name']} takes more memory than a video may; make its frames smaller.".encode())
    back.close()
    os._exit(0)  # a thread still waits for input


class _Reading:
    """One video."""

    def __init__(
        self, options: dict[str, Any], data: bytes, tell: Callable[[int, bytes], None], stopping: Callable[[], bool]
    ) -> None:
        self.options, self.tell, self.stopping = options, tell, stopping
        file = io.BytesIO(data)
        file.name = options["name"]  # for sentences
        self.source = Source(file)
        self.notes = Notes()
        self.title = PurePath(options["name"]).name

    def run(self) -> None:
        """Reads it and tells what was found."""
        options = self.options
        predictor = Predictor(options["model"], threads=1)
        self.labels = predictor.labels
        self.total, self.timeline = Summary(self.labels), Timeline(SIDE, boxes=True, portraits=True, labels=self.labels)
        limit_memory(options["memory_mb"])  # after what is the same for every video
        self.info = probe(self.source)
        most = 60 * options["minutes"]
        if self.info.duration is not None and self.info.duration > most + 1:
            raise VideoError(
                f"{self.source.name} is {clock(self.info.duration)} long, and this page reads up to {clock(most)}; cut "
                "it, or read it with `fer-demo video`."
            )
        settings = Settings(fps=options["fps"], end=most)
        files: list[File] = []
        told, complete = -1.0, True
        for answer in analyse(self.source, predictor, settings, info=self.info, notes=self.notes):
            if self.stopping():
                complete = False
                self.notes.add(f"Stopped at {clock(answer.time)}: what comes after it is not here.")
                break
            files = files or self._files(answer.time, predictor.name)
            self.total.add(answer)
            self.timeline.add(answer)
            for file in files:
                file.add(answer)
            if time.monotonic() - told > TELL_EVERY:
                told = time.monotonic()
                self._tell(PROGRESS, {"progress": answer.progress, "time": answer.time})
        if self.total.frames == 0:
            why = "was stopped before its first frame was read" if not complete else "has no frames"
            raise VideoError(f"{self.source.name} {why}; choose it again.")
        self._finish(files, complete, predictor.name)

    def _files(self, start: float, model: str) -> list[File]:
        most = self.options["out_mb"]
        makers: dict[str, Callable[[BinaryIO], Any]] = {
            "csv": lambda to: CsvTable(to, self.labels),
            "json": JsonFile,
            "vtt": lambda to: Subtitles(to, start),
            "html": lambda to: Report(to, self.title, model, self._beside(), self.timeline),
        }
        files = [File(name, Packed(most * MB), make, self.notes, most) for name, make in makers.items()]
        if self.options["video"]:
            writer: Callable[[BinaryIO], Any] = lambda to: _Marked(to, self.source, start, self.notes)  # noqa: E731
            files.append(File("mp4", Bounded(most * MB), writer, self.notes, most))
        return files

    def _beside(self) -> str | None:
        return MARKED.format(PurePath(self.title).stem) if self.options["video"] else None

    def _finish(self, files: list[File], complete: bool, model: str) -> None:
        summary = self.total.to_dict()
        for file in files:
            if (content := file.finish(summary)) is not None:
                self.tell(FILE, file.ending.encode().ljust(8) + content)
        persons = self.timeline.persons()
        shown = {"info": asdict(self.info), "model": model, "complete": complete}
        shown |= {"summary": summary, "words": in_words(summary), "persons": persons}
        shown["labels"] = list(self.timeline.labels)
        shown["portraits"] = [
            [p["person"], [_as_json(one) for one in self.timeline.portraits(p["person"])]] for p in persons
        ]
        shown["moments"] = [
            {"time": m.time, "faces": [_as_json(face) for face in m.faces], "frame": _text(m.frame)}
            for m in self.timeline.moments
        ]
        self._tell(RESULT, shown | {"notes": self.notes.sentences})

    def _tell(self, kind: int, content: dict[str, Any]) -> None:
        self.tell(kind, json.dumps(content).encode())


class _Marked:
    """`VideoWriter` as the tables are."""

    def __init__(self, to: BinaryIO, source: Source, start: float, notes: Notes) -> None:
        self._writer = VideoWriter(to, ".mp4", source, start, notes)

    def add(self, answer: FrameAnswer) -> None:
        self._writer.add(answer)

    def finish(self, summary: dict[str, Any]) -> None:
        self._writer.finish()


def _as_json(one: Portrait | MomentFace) -> dict[str, Any]:
    return {name: _text(value) if isinstance(value, bytes) else value for name, value in asdict(one).items()}


def _text(jpeg: bytes) -> str:
    return base64.b64encode(jpeg).decode()


if __name__ == "__main__":
    main()
