"""Every setting refuses what makes no sense, in one sentence and before data are read; and --help explains it."""

import dataclasses
import math

import pytest
import yaml

from training.__main__ import main
from training.run.config import CHOICES, GROUPS, TrainConfig
from training.run.recipes import load_config
from training.run.run_folder import check_networks
from training.run.settings import describe_settings

FIELDS = {
    f"{prefix}{field.name}": field.type
    for prefix, cls in (("", TrainConfig), *((f"{name}.", cls) for name, cls in GROUPS.items()))
    for field in dataclasses.fields(cls)
    if field.name not in GROUPS
}
NEVER = {
    "null": "nothing",
    "[[[1]]]": "lists",
    "{a: [1]}": "a mapping",
    f"1{'0' * 400}": "a huge number",
    "1e999": "inf",
}
NUMBERS = [*NEVER, ".nan", "nan", ".inf", "-.inf", "-1", "-1e-9", "1e300", "true", "word"]
ZERO_IS_FINE = {
    "label_smoothing",
    *("momentum", "weight_decay", "warmup_epochs", "min_lr", "triplet_weight", "locality_weight"),
    *(
        "vote_share",
        "class_weight_power",
        "mixup",
        "cutmix",
        "mix_prob",
        "distill_weight",
        "teacher_cycle",
        "drop_rate",
    ),
    *("frozen_stages", "head_epochs", "landmark_dropout", "landmark_loss"),
    *("clip_grad", "ema_decay", "bn_pictures", "seed", "threads", "save_minutes"),
}
WRONG = {
    int: [*NUMBERS, "1.5"],
    float: NUMBERS,
    bool: [*NEVER, "0", "1", "1.5", "word", "[]"],
    str: ["null", "[a]", "{a: 1}", "1.5", ".nan", "no_such_thing", "'two\nlines'"],
    dict: ["null", "[]", "1", "word", "{num_classes: 3}", "{no_such_option: 3}", "{1: 2}"],
    "sizes": [*NUMBERS, "[]", "[48]", "[[0, 0]]", "[[0, -1]]", "[[1, 48]]", "[[0, 48], [0, 32]]", "[[0, .nan]]"],
    "size_jitter": [*NUMBERS, "[48]", "[40, 64, 80]", "[64, 40]", "[50, 64]", "[0, 64]", "[40, 1000000]", "[40, .nan]"],
    "teachers": [*NUMBERS, "[1]", "[no_such_network]", "[fer_sedense@/no/such/file]", "['']", "[fer_tang_svm]"],
    "augment.erase_area": [*NUMBERS, "[]", "[0.1]", "[0.2, 0.1]", "[-1, 0.1]", "[0, 2]", "[0, .nan]", "[true, true]"],
}
CASES = [(name, text) for name, kind in FIELDS.items() for text in WRONG.get(name) or WRONG[kind]]
CASES += [(name, "0") for name, kind in FIELDS.items() if kind in (int, float) and "." not in name]
CASES = [case for case in CASES if case[1] != "0" or case[0] not in ZERO_IS_FINE]


@pytest.mark.parametrize(("name", "text"), CASES)
def test_what_makes_no_sense_is_refused(name, text):
    """A value that cannot mean anything here, of every kind for every setting."""
    with pytest.raises(ValueError, match=name.rpartition(".")[2].rstrip("s")) as caught:
        check_networks(load_config(None, [f"{name}={text}"]))
    said = str(caught.value)
    assert said.endswith(".") and "\n" not in said and len(said) < 600


def test_all_numbers_between_are_taken():
    for setting in describe_settings():
        load_config(None, [f"{setting.name}={yaml.safe_dump(setting.default, default_flow_style=True)}"])
    for name in ZERO_IS_FINE - {"min_lr"}:
        assert getattr(load_config(None, [f"{name}=0"]), name) == 0


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("lr=-1", "lr must be from above 0 to 1,000; got -1.0."),
        ("lr=nan", "lr must be a finite number; got nan."),
        ("epochs=0", "epochs must be from 1 to 1,000,000; got 0."),
        ("batch_size=0", "batch_size must be from 2 to 1,000,000; got 0."),
        ("sizes=[[0,0]]", "sizes must be pairs"),
        ("teachers=[nobody]", "The teacher 'nobody' names no network that timm knows"),
        ("model=nobody", "The model 'nobody' cannot be made"),
        ("init_from=nobody", "init_from names neither a bundled checkpoint nor a file: 'nobody'."),
        ("device=cuda:77", "There is no device cuda:77 on this machine: set device to auto or cpu."),
    ],
)
def test_before_data_are_read(setting, said, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("training.cli.train.load", lambda *a, **k: pytest.fail("data were read"))
    assert main(["train", "--data", "x", "--run-dir", str(tmp_path), "--no-record", "--set", setting]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1


def test_help_lists_every_setting_with_its_kind_and_range(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--help"])
    said = capsys.readouterr().out
    assert "--run-dir" in said and "--faces" in said
    for setting in describe_settings():
        assert f"\n{setting.name}=" in said, setting.name
        kind = setting.kind.split(",")[0]
        assert kind == "list" or kind.split()[0] in ("whole", "number", "true", "text", "mapping", "one")
    assert "epochs=60  (whole number, from 1 to 1,000,000)\n    Passes over the Training split.\n" in said
    assert "loss=cross_entropy  (one of cross_entropy, l2_svm)\n" in said and set(CHOICES) <= set(FIELDS)


def test_phrases_are_sentences():
    found = {setting.name: setting for setting in describe_settings()}
    assert found["model"].phrase.startswith("An architecture that timm knows, e.g. ")
    assert found["bf16"].phrase.endswith("computes in it.") and found["bf16"].meaning.endswith("slower with it.")
    assert all(math.isfinite(len(s.phrase)) and s.phrase.endswith(".") for s in found.values())
