"""Videos with a model of other classes, or merged ones."""

import csv
import json

import pytest

from fer_demo import Predictor
from fer_demo.classes import class_set
from fer_demo.video import Run, Targets, VideoError
from fer_demo.video.figures import UNSURE_COLOR, share_figure, timeline_figure
from fer_demo.video.summary import in_words
from fer_demo.video.tables import columns, frame_dict, frame_from_dict
from fer_demo.video.timeline import Timeline
from tests.fer_demo.own_classes import NAMES, checkpoint


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Predictor:
    return Predictor(checkpoint(tmp_path_factory.mktemp("own") / "mine"), threads=1)


@pytest.fixture(scope="module")
def written(tmp_path_factory, own, short):
    folder = tmp_path_factory.mktemp("all")
    names = {"csv": "t.csv", "json": "t.json", "jsonl": "t.jsonl", "subtitles": "s.vtt", "report": "r.html"}
    paths = {key: folder / name for key, name in names.items()}
    with Run(short, own, Targets(**paths, parquet=folder / "t.parquet")) as run:
        answers = list(run)
    return folder, run, answers


def test_tables(written):
    import pyarrow.parquet

    folder, run, answers = written
    rows = list(csv.DictReader((folder / "t.csv").open(encoding="utf-8")))
    assert tuple(rows[0]) == columns(NAMES) and columns(NAMES)[-1] == "raw_neutral"
    assert sum(float(rows[0][name]) for name in NAMES) == pytest.approx(1, abs=1e-3)
    table = pyarrow.parquet.read_table(folder / "t.parquet")
    assert tuple(table.column_names) == columns(NAMES) and str(table.schema.field("raw_not smiling").type) == "double"
    whole = json.loads((folder / "t.json").read_text("utf-8"))
    assert whole["summary"] == run.summary and tuple(run.summary["persons"][0]["share"]) == (*NAMES, "unsure")
    assert [frame_dict(frame_from_dict(one)) for one in whole["frames"]] == whole["frames"]
    assert len(answers) == len(whole["frames"])


def test_words_and_pictures(written):
    folder, run, answers = written
    labels = {face.label for answer in answers for face in answer.faces if not face.unsure}
    assert all(label in " ".join(in_words(run.summary)) for label in labels)
    assert (folder / "s.vtt").read_text("utf-8").startswith("WEBVTT")
    page = (folder / "r.html").read_text("utf-8")
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert data["labels"] == list(NAMES) and data["colors"] == list(class_set(NAMES).colors.values())
    timeline = Timeline(labels=NAMES)
    for answer in answers:
        timeline.add(answer)
    for person in timeline.persons():
        figure = timeline_figure(person, 0, 1, labels=NAMES)
        assert [trace.name for trace in figure.data] == list(NAMES)
    share = dict.fromkeys(NAMES, 0.2) | {"unsure": 0.2}
    assert set(share_figure(share).data[0].marker.color) == {UNSURE_COLOR, *class_set(NAMES).colors.values()}


@pytest.mark.parametrize("merge", [{"wry": ["contempt", "neutral"]}, {"bad": ["contempt", "not smiling"]}])
def test_a_run_goes_on_with_the_same_classes_alone(tmp_path, own, short, merge):
    def stopped(predictor, resume=False):
        with Run(short, predictor, Targets(csv=tmp_path / "t.csv"), journal=True, resume=resume) as run:
            for answer in run:
                if answer.index >= 3 and not resume:
                    break
        return run

    stopped(own.merged(merge))
    for other in (own, own.merged({"odd": ["contempt", "neutral"]})):
        with pytest.raises(VideoError, match=r"of other classes; give the same as before"):
            stopped(other, resume=True)
    assert stopped(own.merged(merge), resume=True).complete
    assert tuple(next(csv.DictReader((tmp_path / "t.csv").open(encoding="utf-8")))) == columns(own.merged(merge).labels)
