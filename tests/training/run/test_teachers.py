"""The networks that a run learns from."""

import pytest
import timm
import torch
from safetensors.torch import save_file

import fer_demo  # noqa: F401  (registers the models)
from fer_demo.runtime.model_info import ModelError
from training.run import teachers
from training.run.augment import AugmentConfig, draw
from training.run.teachers import Teacher

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("teacher") / "weights.safetensors"
    save_file(timm.create_model("fer_mini_xception").state_dict(), file)
    return f"fer_mini_xception.paper_fer2013@{file}"


@pytest.fixture
def asked():
    """Eleven pictures, more than ONNX Runtime gets at a time, and how to augment them."""
    images = torch.randint(256, (11, 1, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return images, draw(11, AugmentConfig(), torch.Generator().manual_seed(2))


def test_onnx_runtime_answers_as_pytorch_does(spec, asked):
    teacher = Teacher(spec, CPU)
    assert teacher.engine is not None
    answers = teacher.logits(*asked)
    assert answers.shape == (11, 7) and answers.dtype == torch.float32
    assert not torch.allclose(answers[0], answers[1])  # other pictures, other answers
    teacher.engine = None
    torch.testing.assert_close(answers, teacher.logits(*asked), atol=1e-4, rtol=1e-4)


def test_a_bundled_network_is_not_exported_again(asked, monkeypatch):
    monkeypatch.setattr(teachers, "write_onnx", _no_such_operation)
    teacher = Teacher("fer_sedense_nano.wide_fer2013", CPU)
    assert teacher.engine is not None
    answers = teacher.logits(*asked)
    teacher.engine = None
    torch.testing.assert_close(answers, teacher.logits(*asked), atol=1e-4, rtol=1e-4)


def test_bfloat16_is_pytorch_s(spec):
    assert Teacher(spec, CPU, bf16=True).engine is None


@pytest.mark.parametrize("missing", ["package", "operation"])
def test_pytorch_answers_where_onnx_cannot(spec, asked, monkeypatch, missing):
    expected = Teacher(spec, CPU).logits(*asked)
    if missing == "package":
        monkeypatch.setattr(teachers, "installed", lambda *packages: False)
    else:
        monkeypatch.setattr(teachers, "write_onnx", _no_such_operation)
    teacher = Teacher(spec, CPU)
    assert teacher.engine is None
    torch.testing.assert_close(teacher.logits(*asked), expected, atol=1e-4, rtol=1e-4)


def _no_such_operation(*args):
    raise ModelError("ONNX does not have it.")
