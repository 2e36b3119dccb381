"""Very many photos with a model of other classes, or merged ones."""

import csv
import json

import pytest
from PIL import Image

from fer_demo.__main__ import main
from fer_demo.batch import SelectError, Settings, StateError, condition, run
from fer_demo.batch.copying import Copier
from fer_demo.batch.select import SHOWN
from fer_demo.batch.tables import columns, rows, write_table
from fer_demo.checkpoints import ONNX_FILE
from tests.fer_demo.own_classes import NAMES, checkpoint

FACE = {
    "box": {"x": 1, "y": 2, "width": 3, "height": 4},
    "score": 0.9,
    "label": "not smiling",
    "confidence": 0.7,
    "unsure": True,
    "candidates": ["not smiling", "neutral"],
    "readable": True,
    "flags": ["blurred", "noisy"],
    "probabilities": {"smiling": 0.05, "not smiling": 0.7, "contempt": 0.05, "neutral": 0.2},
}
ENTRIES = [{"file": "a.jpg", "notes": [], "faces": [FACE]}, {"file": "b.jpg", "notes": [], "faces": []}]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(checkpoint(tmp_path_factory.mktemp("own") / "mine", onnx=True))


@pytest.fixture(scope="module")
def photos(tmp_path_factory, astronaut):
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(astronaut).save(folder / "a.jpg")
    Image.fromarray(astronaut[:, ::-1]).save(folder / "b.jpg")
    return str(folder)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("neutral>0.1", True),
        ('"not smiling">0.8', False),
        ("'not smiling' >= 0.7 and contempt<0.1", True),
        ('label=="not smiling"', True),
        ('candidates=="not smiling"', True),
        ("candidates==smiling", False),
        ("flags==noisy", True),
        ("not smiling > 0.5", True),  # "not" as everywhere, and the class "smiling"
    ],
)
def test_conditions(text, chosen):
    (row,) = rows(ENTRIES[0], NAMES)
    assert condition(text, NAMES)(row) is chosen


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("happy>0.5", "there is no 'happy', but for instance smiling, \"not smiling\", contempt"),
        ("label==happy", "there is no label 'happy', but smiling, \"not smiling\""),
        ('"nothing">0.5', "'nothing' stands where a name should be"),
        ('"not smiling"', "after not smiling a sign such as > or == is missing"),
    ],
)
def test_conditions_that_make_no_sense(text, words):
    with pytest.raises(SelectError, match=words):
        condition(text, NAMES)
    with pytest.raises(SelectError) as error:
        condition(text, [f"class {i}" for i in range(1000)])
    assert len(str(error.value)) < 80 * SHOWN


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_tables(tmp_path, ending):
    out = tmp_path / f"out{ending}"
    if ending == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    assert write_table(out, ENTRIES, labels=NAMES) == 2
    if ending == ".parquet":
        table = parquet.read_table(out)
        assert tuple(table.column_names) == columns(NAMES) and str(table.schema.field("not smiling").type) == "double"
        found = table.to_pylist()
    elif ending == ".csv":
        found = list(csv.DictReader(out.open(encoding="utf-8")))
    else:
        found = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert tuple(found[0]) == columns(NAMES) and float(found[0]["not smiling"]) == 0.7
    assert found[0]["candidates"] == "not smiling; neutral" and found[0]["flags"] == "blurred noisy"


def test_folders_for_copies(tmp_path):
    names = {folder.rpartition("/")[2] for folder in Copier(f"{tmp_path}/{{label}}", NAMES).folders}
    assert names == {*NAMES, "no_face"}


def test_what_a_run_depends_on(model):
    plain, merged = Settings(model), Settings(model, merge={"wry": ("contempt", "neutral")})
    assert plain.key()["classes"] == list(NAMES) and merged.labels() == ("smiling", "not smiling", "wry")
    assert merged.key()["merge"] == {"wry": ["contempt", "neutral"]}
    assert not {"classes", "merge"} & {key for key, value in Settings().key().items() if value}
    assert Settings(f"{model}/{ONNX_FILE}").labels() == NAMES


@pytest.mark.processes
def test_a_run(tmp_path, model, photos, capsys):
    out, copies = tmp_path / "out.csv", tmp_path / "copies"
    command = ["batch", photos, "--out", str(out), "--model", model, "--processes", "1", "--keep-state"]
    where = ["--where", '"not smiling">=0 and smiling<=1', "--copy-to", f"{copies}/{{label}}"]
    assert main([*command, *where]) == 0
    found = list(csv.DictReader(out.open(encoding="utf-8")))
    assert tuple(found[0]) == columns(NAMES) and {row["label"] for row in found} <= set(NAMES)
    assert len(list(copies.glob("*/*.jpg"))) == len(found) == 2
    assert {folder.name for folder in copies.iterdir()} == {row["label"] for row in found}
    with pytest.raises(SystemExit):
        main([*command, *where, "--merge", "wry=contempt,neutral"])
    assert "had another setting, " in capsys.readouterr().err
    with pytest.raises(StateError, match=r"another setting, .*; give the same to go on"):
        run([photos], out, settings=Settings())


@pytest.mark.processes
def test_a_run_with_merged_classes(tmp_path, photos, capsys):
    out = tmp_path / "out.csv"
    command = ["batch", photos, "--out", str(out), "--model", "fer_sedense_nano", "--processes", "1", "--keep-state"]
    merge = ["--merge", "negative=angry,sad,fear,disgust"]
    assert main([*command, *merge, "--where", "negative<0.9"]) == 0
    assert tuple(next(csv.DictReader(out.open(encoding="utf-8"))))[13:17] == (
        *("negative", "happy", "surprise", "neutral"),
    )
    with pytest.raises(SystemExit):
        main(command)
    assert "another setting, " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--merge", "negative=angry,furious"])
    assert "no class 'furious' to merge" in capsys.readouterr().err
