"""The small language of --where."""

import pytest

from fer_demo.batch import SelectError, condition
from fer_demo.emotions import LABELS

ROW = dict.fromkeys(LABELS, 0.02) | {"happy": 0.88, "label": "happy", "faces": 2, "face": 1, "status": "face"}
ROW |= {"unsure": False, "readable": True, "flags": "blurred turned_away", "candidates": "happy sad", "score": None}


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("happy>0.8", True),
        ("happy > .9", False),
        ("label==happy and faces>=2", True),
        ("label == 'sad' or happy>=0.88", True),
        ("label!=happy", False),
        ("label=sad", False),
        ("not unsure and readable", True),
        ("not (happy>0.5 or sad>0.5)", False),
        ("sad>0.5 and happy>0.5 or faces==2", True),
        ("faces==2 or sad>0.5 and happy<0.5", True),
        ("flags==blurred", True),
        ("flags!=blurred", False),
        ('candidates=="sad"', True),
        ("score>0.5", False),
        ("confidence<0.5", False),
    ],
)
def test_conditions(text, chosen):
    assert condition(text)(ROW) is chosen


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'the end' stands where a name"),
        ("happy", "a sign such as"),
        ("happy>", "compared with a number"),
        ("happy>sad", "compared with a number"),
        ("joy>0.5", "there is no 'joy'"),
        ("label==joy", "there is no label 'joy'"),
        ("label>happy", "by == or != only"),
        ("label==3", "compared with a word"),
        ("happy>0.5 sad>0.5", "where and, or or the end"),
        ("(happy>0.5", "bracket is not closed"),
        ("happy>0.5; import os", "';' has no meaning"),
        ("__import__('os')", "there is no '__import__'"),
        ("(" * 3000 + "happy>1" + ")" * 3000, "nested too deeply"),
        ("not " * 3000 + "unsure", "nested too deeply"),
    ],
)
def test_mistakes_are_one_sentence(text, words):
    with pytest.raises(SelectError, match="cannot be read") as raised:
        condition(text)
    assert words in str(raised.value) and "\n" not in str(raised.value) and len(str(raised.value)) < 400
