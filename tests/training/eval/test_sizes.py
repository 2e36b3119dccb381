"""Accuracy by the size of the pictures that a network is given."""

import json

import pytest
import timm
import torch

import fer_demo  # noqa: F401  (registers the networks)
from fer_demo.vision.preprocess import prepare
from training.__main__ import main
from training.eval.sizes import by_size, size_table

NAME = "fer_sedense_nano.photos_fer2013"


def test_each_size_is_what_the_network_is_given(faces):
    model = timm.create_model(NAME, pretrained=True)
    public = faces.split("PublicTest")
    result = by_size(model, public, [32, 48])  # as errors, warnings of the sizes would show
    assert result["n"] == 42 and list(result["sizes"]) == ["32", "48"]
    x = prepare(public.images, size=(32, 32))
    with torch.inference_mode():
        answers = model(x) + model(x.flip(-1))  # this checkpoint looks at the mirror image too
    assert result["sizes"]["32"]["correct"] == int((answers.argmax(1) == public.labels).sum())
    assert "| `mine` |" in size_table({"mine": result}) and "| | 32 px | 48 px |" in size_table({"mine": result})
    with pytest.raises(ValueError, match="from 1 to 1024 pixels; got 0"):
        by_size(model, public, [48, 0])


def test_on_the_command_line(data, tmp_path, capsys):
    out = tmp_path / "sizes.json"
    command = ["evaluate", NAME, "--data", str(data), "--threads", "1"]
    main([*command, "--sizes", "48", "64", "--sample", "20", "--out", str(out)])
    assert "Right answers for 20 faces of PublicTest." in capsys.readouterr().out
    assert json.loads(out.read_text())["n"] == 20
    assert main([*command, "--sizes", "48", "--landmarks"]) == 2
    assert "leave --landmarks or --sizes out" in capsys.readouterr().err
    assert main([*command, "--sample", "20"]) != 0 and "--sample goes with --sizes" in capsys.readouterr().err
