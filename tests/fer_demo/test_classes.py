"""Words, colours and signs of any model's classes, and names that cannot be one."""

import pytest

from fer_demo.classes import MAX_CLASSES, class_set, column_order, looks, separator
from fer_demo.emotions import EMOTIONS, LABELS


def test_the_seven_are_as_everywhere():
    assert class_set(LABELS).emotions == EMOTIONS
    assert class_set(reversed(LABELS)).names == LABELS[::-1]


def test_own_classes_get_words_and_colours():
    found = class_set(["smiling", "neutral", "contempt", "été"])
    assert found["smiling"].looks == "looks “smiling”" and found["smiling"].symbol == "Ⓢ"
    assert found["neutral"] in EMOTIONS and found["contempt"].looks == "looks contemptuous"
    assert found["été"].symbol == "●" and len(set(found.colors.values())) == 4


@pytest.mark.parametrize("count", [2, 8, 20, 100])
def test_no_two_colours_are_equal(count):
    names = [*LABELS, *(f"class {i}" for i in range(count))]
    colors = class_set(names).colors
    assert len(set(colors.values())) == len(names)
    assert all(len(c) == 7 and int(c[1:], 16) >= 0 for c in colors.values())
    assert colors["happy"] == class_set(LABELS).colors["happy"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["one"], "2 to 1000 classes, but here are 1"),
        ([f"c{i}" for i in range(MAX_CLASSES + 1)], "here are 1001"),
        (["happy", "Happy"], "two classes called 'Happy'"),
        (["happy", "Label"], "'Label'"),
        (["happy", ""], "'' cannot be a class name"),
        (["happy", " sad"], "' sad' cannot"),
        (["happy", "a/b"], "'a/b' cannot"),
        (["happy", "=1+1"], "cannot be a class name"),
        (["happy", "a\nb"], "cannot be a class name"),
        (["happy", "x" * 41], "up to 40"),
        (["happy", 3], "'3' cannot"),
        (["happy", "Raw_happy"], "'Raw_happy', which has a meaning"),
        (["happy", "unreadable"], "'unreadable', which has a meaning"),
    ],
)
def test_names_that_cannot_be(names, said):
    with pytest.raises(ValueError, match=said):
        class_set(names)


def test_the_order_and_the_separator_of_tables():
    assert column_order(reversed(LABELS)) == LABELS and column_order(["b", "a"]) == ("b", "a")
    assert column_order([*LABELS, "contempt"])[-1] == "contempt"
    assert separator(LABELS) == " " and separator(["a", "b c"]) == "; "
    assert looks("surprise") == "looks surprised" and looks("smiling") == "looks “smiling”"
