"""Names of one's own for checkpoints, and cards that claim nothing that was not so."""

import pytest

from training.report.card import data_key
from training.report.card_data import licence, start, trained_on
from training.report.card_text import seeds
from training.report.release_checks import check_new, check_replaceable, checkpoint_name
from training.run.facts import known_set

OWN = {
    "recipe": {"init_from": "fer_sedense_nano.wide_fer2013", "epochs": 2, "sizes": [[0, 48]]},
    "facts": {
        "initial_classifier": "new",
        "data": {
            "set": "",
            "layout": "a folder of pictures",
            "split_words": "",
            "splits": {"Training": {"sad": 4, "smiling": 5}, "PublicTest": {"sad": 1, "smiling": 1}},
            "side": 64,
            "votes": False,
        },
    },
}


def test_names():
    assert checkpoint_name("my_smiles", "fer_sedense_nano.wide_fer2013") == "fer_sedense_nano.my_smiles"
    with pytest.raises(ValueError, match="names the network fer_sedense,"):
        checkpoint_name("fer_sedense.mine", "fer_sedense_nano")
    with pytest.raises(ValueError, match="cannot be a checkpoint's name"):
        checkpoint_name("../x", "fer_sedense_nano")
    with pytest.raises(ValueError, match="a published name never moves"):
        check_new("fer_sedense_nano.wide_fer2013", "my-run")
    check_new("fer_sedense_nano.my_smiles", "my-run")


def test_nothing_but_a_checkpoint_is_replaced(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ValueError, match="something else than a checkpoint"):
        check_replaceable(tmp_path)
    check_replaceable(tmp_path / "new")


def test_data_of_ones_own_are_no_published_set():
    name = "fer_sedense_nano.mine_fer2013"
    assert data_key(name, OWN) == "" and data_key("fer_sedense_nano.wide_fer2013", {}) == "fer2013"
    words = trained_on(OWN, "", released=False)
    assert words.startswith("a folder of pictures: 9 Training pictures in 2 classes (sad 4, smiling 5), beside 2 of")
    assert "FER2013" not in words and "classifier, which began anew" in start(OWN)
    assert licence("", OWN).startswith("this card does not know the terms")


def test_a_set_is_known_by_its_counts():
    fer = {
        "Training": dict(zip("abcdefg", (3995, 436, 4097, 7215, 4830, 3171, 4965), strict=True)),
        "PublicTest": {"a": 3589},
        "PrivateTest": dict(zip("abcdefg", (491, 55, 528, 879, 594, 416, 626), strict=True)),
    }
    assert (
        known_set(fer | {"PublicTest": dict(zip("abcdefg", (467, 56, 496, 895, 653, 415, 607), strict=True))})
        == "fer2013"
    )
    assert known_set({"Training": {"a": 3}}) == ""


def test_seeds_of_data_without_a_test_split():
    figures = {"mean": 0.7, "standard_deviation": 0.01}
    words = seeds({"seeds": {"runs": [{}, {}], "PublicTest": figures}})
    assert words.endswith("their mean on PublicTest is 70.00%, standard deviation 1.00 points.")
    both = seeds({"seeds": {"runs": [{}, {}], "PublicTest": {}, "PrivateTest": figures}})
    assert "their mean on PrivateTest is 70.00%" in both
