"""Published figures: stated once, found again, and noticed when they differ."""

import copy
import os
from pathlib import Path

import pytest

from fer_demo.checkpoints import bundled_checkpoints, checkpoint_metrics
from fer_demo.runtime.torch_engine import create_trained
from training.__main__ import main
from training.eval.evaluate import evaluate
from training.eval.reproduce import TABLE_FILE, differences, looks, results_table, table_hint
from training.report.card import model_card

DOCS = Path(__file__).parents[3] / "docs"


def bundled():
    return {name: checkpoint_metrics(name) for name in bundled_checkpoints()}


def test_the_docs_show_what_the_checkpoints_state():
    assert TABLE_FILE == DOCS / "accuracy.md"
    assert results_table(bundled()) in TABLE_FILE.read_text(encoding="utf-8")
    assert table_hint(bundled()) is None


def test_another_table_in_the_docs_is_noticed(tmp_path):
    file = tmp_path / "accuracy.md"
    assert table_hint(bundled(), file) is None  # an install has no docs
    file.write_text(results_table(dict(list(bundled().items())[1:])), encoding="utf-8")
    assert str(file) in table_hint(bundled(), file)


@pytest.mark.parametrize("name", bundled_checkpoints())
def test_model_card_shows_what_the_checkpoint_states(name):
    from fer_demo.checkpoints import checkpoint_dir

    metrics = checkpoint_metrics(name)
    training = metrics["training"]
    best = {"epoch": training["chosen_epoch"], "weights": training["weights"]}
    card = model_card(name, metrics, training["recipe"], best)
    assert (checkpoint_dir(name) / "README.md").read_text(encoding="utf-8") == card


def test_the_best_choice_comes_first():
    name, metrics = next(iter(bundled().items()))
    worse = copy.deepcopy(metrics)
    worse["PublicTest"]["accuracy"] -= 0.01
    rows = results_table({"a.fer2013": worse, name: metrics}).splitlines()[2:]
    assert rows[0].startswith(f"| `{name}` |") and rows[-1].startswith("| `a.fer2013` |")


@pytest.mark.parametrize(
    ("path", "change", "differs"),
    [
        (("PrivateTest", "correct"), 1, True),
        (("PrivateTest", "accuracy"), 1e-6, True),
        (("PrivateTest", "macro_f1"), 1e-5, True),
        (("PrivateTest", "loss"), 1e-4, False),  # a sum in another order
        (("PrivateTest", "loss"), 3e-4, True),
        (("temperature",), 1e-2, True),
    ],
)
def test_a_figure_that_differs_is_named(path, change, differs):
    stated = next(iter(bundled().values()))
    found = copy.deepcopy(stated)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] += change
    lines = list(differences(stated, found))
    assert bool(lines) == differs
    if differs:
        assert lines[0].startswith(" ".join(path)) and "stated" in lines[0]


def test_what_is_missing_or_of_another_length_differs():
    assert list(differences({"a": {"b": 1}}, {"a": {}})) == ["a b: stated 1, found None"]
    assert list(differences({"a": [1, 2]}, {"a": [1]})) == ["a: stated [1, 2], found [1]"]


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("FER2013_DIR"), reason="FER2013_DIR is not set")
def test_every_published_figure_comes_out_again(capsys):
    assert main(["reproduce"]) == 0
    assert "every figure is the one published" in capsys.readouterr().out


def test_an_unknown_checkpoint(data, capsys):
    assert main(["reproduce", "fer_nothing.fer2013", "--data", str(data)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "fer_nothing" in error and len(error.splitlines()) == 1


def test_another_data_set_is_not_reproduced(data, capsys):
    name = "fer_sedense.restart_fer2013"
    assert main(["reproduce", name, "--data", str(data)]) == 2
    assert (
        f"{name}: PublicTest n: stated {checkpoint_metrics(name)['PublicTest']['n']}, found 42"
        in capsys.readouterr().err
    )


def test_it_shows_how_far_it_is(data, capsys):
    name = "fer_sedense_nano.wide_fer2013"
    assert main(["reproduce", name, "--data", str(data)]) == 2
    said = capsys.readouterr()
    assert f"{name}:   0%|" in said.err
    assert name not in said.out.partition("| checkpoint")[0], "the bar is on stderr"
    assert main(["reproduce", name, "--data", str(data), "--quiet"]) == 2
    assert "%|" not in capsys.readouterr().err


def test_the_bar_ends_where_the_work_does(faces):
    model, looked = create_trained("fer_sedense_nano"), []
    evaluate(model, faces, tta=("ten_crop",), looked=looked.append, mirror=True)
    stated = {"tta": {"ten_crop": {}}, "training": {"operating_point": {"mirror": True}}}
    assert sum(looked) == looks(stated, faces) == 84 * 13


def test_the_docs_show_the_measured_faithfulness():
    from fer_demo.checkpoints import DEFAULT, checkpoint_file
    from training.eval.faithfulness import table

    text = (DOCS / "explanations.md").read_text(encoding="utf-8")
    assert table(checkpoint_file(DEFAULT, "faithfulness.json")) in text


def test_the_ablation_table_shows_the_records():
    from training.run.runlog import read_runs

    text = (DOCS / "training-diary.md").read_text(encoding="utf-8")
    rows = [run for run in read_runs() if run.name.startswith(("ablation-", "arch-"))]
    assert len(rows) >= 10
    for run in rows:
        figure = f"{run.record['public']['accuracy']:.1%}".replace("%", " %")
        assert figure in text, f"{run.name}: {figure}"


def test_the_diary_lists_every_release():
    from training.run.provenance import releases

    text = (DOCS / "training-diary.md").read_text(encoding="utf-8")
    for release in releases():
        private = "–" if release.private is None else f"{release.private:.2%}"
        assert f"| `{release.name}` | {release.epochs} | {release.public:.2%} | {private} |" in text, release.name
