"""A whole run: a video in, files out. Each is written beside its place and moved there at the end."""

import contextlib
import os
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from fer_demo.emotions import LABELS
from fer_demo.files import writing
from fer_demo.video.analysis import Reader, analyse, timed
from fer_demo.video.answers import FrameAnswer
from fer_demo.video.extra import VideoError
from fer_demo.video.journal import ENDING, Journal
from fer_demo.video.reading import Notes, probe
from fer_demo.video.report import Report
from fer_demo.video.settings import Settings
from fer_demo.video.sources import Source, VideoSource
from fer_demo.video.subtitles import Subtitles
from fer_demo.video.summary import Summary
from fer_demo.video.tables import CsvTable, JsonFile, JsonLines, ParquetTable, Table
from fer_demo.video.writing import ENDINGS, VideoWriter
from fer_demo.vision.sources import one_line

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Targets:
    """The files that a run writes; None leaves one out.

    Attributes:
        video: Annotated video; the name ends in one of `fer_demo.video.writing.ENDINGS`.
        csv: One row a face, as all tables.
        parquet: The same with types.
        json: One JSON object with the frames and the summary.
        jsonl: One JSON object a frame and line.
        subtitles: WebVTT.
        report: HTML.
    """

    video: PathLike | None = None
    csv: PathLike | None = None
    parquet: PathLike | None = None
    json: PathLike | None = None
    jsonl: PathLike | None = None
    subtitles: PathLike | None = None
    report: PathLike | None = None

    def paths(self) -> dict[str, Path]:
        """What is written, by attribute.

        Raises:
            VideoError: If two are one file, or the video's name has another ending.
        """
        given = {f.name: Path(value) for f in fields(self) if (value := getattr(self, f.name)) is not None}
        if "video" in given and given["video"].suffix.lower() not in ENDINGS:
            name = one_line(given["video"].name)
            raise VideoError(f"A video's name must end in {', '.join(ENDINGS)}, but this one is {name}.")
        places = [path.resolve() for path in given.values()]
        if doubled := [path for path, place in zip(given.values(), places, strict=True) if places.count(place) > 1]:
            raise VideoError(f"Two outputs have the name {one_line(str(doubled[0]))}; give each another one.")
        return given


class Run:
    """Reads a video and writes files; iterate over it for the answers as they come.

    ::

        with Run(source, predictor, Targets(csv="faces.csv")) as run:
            for answer in run:
                print(answer.time, answer.progress)
        print(run.summary)

    Leaving the loop early, or an exception inside it, ends the files properly with what is done; leaving ``with``
    closes everything. With `journal`, what is done is kept, and the same run with `resume` goes on.

    Args:
        source: A path, bytes, or a seekable binary file.
        predictor: A `fer_demo.Predictor`.
        targets: What to write; None writes nothing.
        settings: How to read; None is `Settings` with its defaults.
        journal: Keep a file with the ending ``.progress`` beside the first output until the run is complete.
        resume: Go on with that file, if it is there.

    Attributes:
        info: What the video says of itself.
        notes: What people should know about how it was read or written.
        times: Processor seconds of this thread, by what took them.
        complete: Whether the whole video was read.
        summary: After the run, `fer_demo.video.summary.Summary.to_dict`.

    Raises:
        VideoError: If the video cannot be read, an output cannot be written, or there is another run's ``.progress``.
    """

    def __init__(
        self,
        source: VideoSource,
        predictor: Reader,
        targets: Targets | None = None,
        settings: Settings | None = None,
        *,
        journal: bool = False,
        resume: bool = False,
    ) -> None:
        self._source = Source(source)
        self._predictor, self._settings = predictor, settings or Settings()
        self._paths = (targets or Targets()).paths()
        if self._source.path is not None:
            for path in self._paths.values():
                if path.exists() and path.samefile(self._source.path):
                    raise VideoError(f"{one_line(str(path))} is the video itself; write to another file.")
        self.info = probe(self._source)
        self.notes, self.times = Notes(), dict[str, float]()
        self.complete, self.summary = False, dict[str, Any]()
        self._name = getattr(predictor, "name", "")
        self._journal: Journal | None = None
        self._answers: Generator[FrameAnswer, None, None] | None = None
        if (journal or resume) and self._paths:
            first = next(iter(self._paths.values()))
            self._journal = Journal(first.with_name(first.name + ENDING), self._about(), resume)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._answers is not None:
            self._answers.close()
        if self._journal is not None:
            self._journal.close(self.complete)

    def _about(self) -> dict[str, Any]:
        about = {"version": 1, "video": self._source.digest(), "model": self._name, "settings": asdict(self._settings)}
        if set(labels := self._predictor.labels) != set(LABELS):
            about["classes"] = list(labels)
        if merge := getattr(self._predictor, "merge", None):
            about["merge"] = {name: list(members) for name, members in merge.items()}
        return about

    def __iter__(self) -> Iterator[FrameAnswer]:
        if self._answers is None:
            self._answers = self._run()
        return self._answers

    def _run(self) -> Generator[FrameAnswer, None, None]:
        total, outputs = Summary(self._predictor.labels), _Outputs(self)
        known = self._journal.known() if self._journal is not None else None
        about: dict[str, Any] = {"info": self.info, "notes": self.notes, "known": known, "times": self.times}
        answers = analyse(self._source, self._predictor, self._settings, **about)
        done = False
        try:
            for answer in answers:
                if total.frames == 0:
                    outputs.open(answer.time)
                total.add(answer)
                outputs.add(answer)
                if self._journal is not None:
                    self._journal.add(answer)
                yield answer
            done = True
        except OSError as error:
            outputs.drop()
            raise _unwritten(error) from None
        finally:
            self.summary = total.to_dict()
            outputs.finish(self.summary)
            self.complete = done
        if total.frames == 0:
            raise VideoError(f"{self._source.name} has no frames between the start and the end; give other times.")

    def _table(self, name: str, file: Any, start: float) -> Table:
        if name == "subtitles":
            return Subtitles(file, start)
        if name == "report":
            video = self._paths.get("video") or (Path(self._source.path) if self._source.path else None)
            beside = None if video is None else os.path.relpath(video.resolve(), self._paths["report"].resolve().parent)
            labels = self._predictor.labels
            return Report(file, Path(self._source.name).name, self._name, beside, labels=labels)
        if name in ("json", "jsonl"):
            return JsonFile(file) if name == "json" else JsonLines(file)
        return (CsvTable if name == "csv" else ParquetTable)(file, self._predictor.labels)


class _Outputs:
    """The files of one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._files = contextlib.ExitStack()
        self._tables: list[Table] = []
        self._video: VideoWriter | None = None

    def open(self, start: float) -> None:
        """Opens them beside their places; `start` is the first frame's time in seconds."""
        run = self._run
        for name, path in run._paths.items():
            path.resolve().parent.mkdir(parents=True, exist_ok=True)
            file = self._files.enter_context(writing(path))
            if name == "video":
                self._video = VideoWriter(file, path.suffix.lower(), run._source, start, run.notes)
                self._files.callback(self._video.close)
            else:
                self._tables.append(run._table(name, file, start))

    def add(self, answer: FrameAnswer) -> None:
        """Writes the answer for one frame."""
        with timed(self._run.times, "writing the video"):
            if self._video is not None:
                self._video.add(answer)
        with timed(self._run.times, "writing the answers"):
            for table in self._tables:
                table.add(answer)

    def finish(self, summary: dict[str, Any]) -> None:
        """Ends the files and moves them to their places."""
        try:
            with self._files:
                for table in self._tables:
                    table.finish(summary)
                if self._video is not None:
                    self._video.finish()
        except OSError as error:
            raise _unwritten(error) from None

    def drop(self) -> None:
        """Removes what was written, after an error in writing."""
        self._tables, self._video = [], None
        with contextlib.suppress(OSError), self._files:
            raise OSError  # so that each of them removes its file


def _unwritten(error: OSError) -> VideoError:
    place = one_line(str(error.filename)) if error.filename else "The output"
    return VideoError(f"{place} cannot be written ({error.strerror or error}); choose another place.")
