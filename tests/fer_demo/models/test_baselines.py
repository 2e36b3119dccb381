"""The systems the paper compares with: what is printed of each holds for what was built."""

import pytest
import timm
import torch
import torch.nn as nn

import fer_demo  # noqa: F401
from fer_demo.models.baselines.acharya_covpool import BiMap, covariance, rectify, symmetric_log
from fer_demo.models.baselines.pramerdorfer import InceptionModule
from fer_demo.models.sedense import SEDense
from fer_demo.tradeoffs.published import systems

PRINTED = {s.model: s.parameters for s in systems() if s.parameters and s.model != "fer_mini_xception"}


def build(name, **kwargs):
    torch.manual_seed(0)
    return timm.create_model(name, **kwargs).eval()


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("name", "printed"), PRINTED.items())
def test_within_five_percent_of_the_printed_size(name, printed):
    with torch.device("meta"):
        assert parameters(timm.create_model(name)) == pytest.approx(printed, rel=0.05)


def test_mini_xception_is_the_published_file():
    model = build("fer_mini_xception")
    statistics = sum(b.numel() for n, b in model.named_buffers() if n.endswith(("mean", "var")))
    assert (parameters(model), parameters(model) + statistics) == (56_951, 58_423)
    assert build("fer_mini_xception")(torch.rand(1, 1, 64, 64)).shape == (1, 7)


def depth(model):
    """Weighted layers from picture to answer, two for each Inception module."""
    longest = 0
    for module in model.modules():
        if isinstance(module, InceptionModule):
            longest += 2
        elif isinstance(module, nn.Conv2d | nn.Linear) and not any(
            module in set(m.modules()) for m in model.modules() if isinstance(m, InceptionModule) and m is not module
        ):
            longest += 1
    return longest


@pytest.mark.parametrize(("name", "printed"), [("fer_pramerdorfer_vgg", 10), ("fer_pramerdorfer_inception", 16)])
def test_pramerdorfer_depths(name, printed):
    # The stem and the first block's second convolution make up the VGG's first pair.
    assert depth(build(name)) == printed


def test_nano_is_small():
    assert parameters(build("fer_sedense_nano")) == 314_167


@pytest.mark.parametrize("name", ["fer_tang_svm", "fer_pramerdorfer_vgg", "fer_acharya_covpool"])
def test_another_pooling_replaces_the_hidden_layer(name):
    model = build(name)
    model.reset_classifier(7, "avg")
    assert model.head_hidden_size == model.num_features and model(torch.rand(1, 1, 48, 48)).shape == (1, 7)
    with pytest.raises((AssertionError, ValueError)):
        model.reset_classifier(7, "nonsense")


@pytest.mark.parametrize("name", ["fer_sedense", "fer_tang_svm", "fer_mini_xception"])
def test_nothing_is_classified_without_pooling(name):
    model = build(name)
    model.reset_classifier(0, "")
    with pytest.raises(ValueError, match="Without pooling there is nothing to classify"):
        model.reset_classifier(7, "")


class TestKim:
    def test_two_twins_are_the_mean_of_two_answers(self):
        model, x = build("fer_kim_fusion"), torch.rand(3, 2, 48, 48)
        apart = (model(x[:, :1]) + model(x[:, 1:])) / 2
        torch.testing.assert_close(model(x), apart)

    def test_a_picture_in_both_places_answers_for_itself(self):
        model, x = build("fer_kim_fusion"), torch.rand(3, 1, 48, 48)
        torch.testing.assert_close(model(x.repeat(1, 2, 1, 1)), model(x))


class TestCovariancePooling:
    def test_covariance(self):
        x = torch.rand(2, 5, 6, 7)
        expected = torch.stack([torch.cov(p.flatten(1).double(), correction=0) for p in x])
        expected += torch.diag_embed(1e-4 * expected.diagonal(dim1=1, dim2=2).sum(1)[:, None].expand(-1, 5))
        torch.testing.assert_close(covariance(x), expected)

    def test_a_flat_picture_has_an_answer(self):
        model = build("fer_acharya_covpool")
        assert model(torch.zeros(1, 1, 48, 48)).isfinite().all()

    def test_rectify_raises_small_eigenvalues(self):
        q = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0]
        a = (q * torch.tensor([-1.0, 1e-6, 0.5, 2], dtype=torch.float64)) @ q.T
        raised = torch.linalg.eigvalsh(rectify(a[None]))[0]
        torch.testing.assert_close(raised, torch.tensor([1e-4, 1e-4, 0.5, 2], dtype=torch.float64))

    def test_logarithm_is_the_inverse_of_the_exponential(self):
        a = torch.randn(3, 6, 6, dtype=torch.float64)
        a = a + a.transpose(1, 2)
        torch.testing.assert_close(symmetric_log(torch.linalg.matrix_exp(a)), a, rtol=1e-6, atol=1e-7)

    @pytest.mark.parametrize("function", [rectify, symmetric_log])
    @pytest.mark.parametrize("eigenvalues", [(0.3, 0.7, 1.1, 2.0), (0.5, 0.5, 0.5, 2.0)])
    def test_derivative_even_where_eigenvalues_are_equal(self, function, eigenvalues):
        """Autograd's own derivative divides by the difference of equal eigenvalues."""
        torch.manual_seed(1)
        q = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0]
        a = ((q * torch.tensor(eigenvalues, dtype=torch.float64)) @ q.T)[None].requires_grad_()
        weight = torch.randn(4, 4, dtype=torch.float64)
        ours = torch.autograd.grad((function(a) * weight).sum(), a)[0]
        step, numeric = 1e-6, torch.zeros(4, 4, dtype=torch.float64)
        with torch.no_grad():
            for i in range(4):
                for j in range(4):
                    d = torch.zeros(4, 4, dtype=torch.float64)
                    d[i, j] += step / 2
                    d[j, i] += step / 2
                    numeric[i, j] = ((function(a + d) - function(a - d)) * weight).sum() / (2 * step)
        torch.testing.assert_close(ours[0], numeric, rtol=1e-5, atol=1e-6)

    def test_bimap_is_continuous(self):
        """LAPACK's QR flips a column where a leading element of the weight passes through 0."""
        bimap, a = BiMap(6, 3), covariance(torch.rand(1, 6, 5, 5))
        outputs = []
        for value in (-1e-7, 1e-7):
            with torch.no_grad():
                bimap.weight[0, 0] = value
                outputs.append(bimap(a))
        torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-4, atol=1e-6)

    def test_bimap_stays_on_the_manifold(self):
        bimap = BiMap(6, 3)
        with torch.no_grad():
            bimap.weight.mul_(3).add_(0.2)  # as an optimiser that knows no manifold leaves it
        a = covariance(torch.rand(1, 6, 5, 5))
        values = torch.linalg.eigvalsh(bimap(a))
        assert (values > 0).all() and values.max() <= torch.linalg.eigvalsh(a).max() + 1e-12


class TestAblations:
    """What an ingredient of the block costs."""

    @pytest.mark.parametrize(
        ("options", "size", "channels"),
        [
            ({}, 480_763, 364),
            ({"se": "none"}, 255_679, 184),
            ({"se": "replace"}, 257_623, 184),
            ({"skip": False}, 157_567, 64),
            ({"separable": False}, 860_155, 364),
            ({"bottleneck": 0}, 225_751, 364),
        ],
    )
    def test_size(self, options, size, channels):
        model = SEDense(**options)
        assert parameters(model) == size and model.num_features == channels
        assert model.eval()(torch.rand(2, 1, 48, 48)).shape == (2, 7)

    def test_replace_is_squeeze_and_excitation_without_the_plain_features(self):
        block = SEDense(se="replace").eval().stages[0].blocks[0]
        x = torch.randn(2, 32, 6, 6)
        f = block.conv2(block.conv1(x))
        torch.testing.assert_close(block(x), torch.cat([x, block.se(f)], 1))

    def test_without_skip_the_input_is_forgotten(self):
        block = SEDense(skip=False).eval().stages[0].blocks[0]
        x = torch.randn(2, 32, 6, 6)
        f = block.conv2(block.conv1(x))
        torch.testing.assert_close(block(x), torch.cat([f, block.se(f)], 1))

    def test_an_unknown_choice_is_named(self):
        with pytest.raises(ValueError, match=r"concat, replace, none; got 'add'"):
            SEDense(se="add")

    def test_each_stage_may_have_its_own_width(self):
        model = SEDense(stem_width=16, growth_rate=[8, 16, 32, 48], bottleneck=(24, 48, 96, 0))
        assert [info["num_chs"] for info in model.feature_info] == [64, 128, 256, 416]
        assert model.stages[2].blocks[0].conv1.conv.out_channels == 96
        assert isinstance(model.stages[3].blocks[0].conv1, torch.nn.Identity)
        assert model.eval()(torch.rand(1, 1, 48, 48)).shape == (1, 7)
        with pytest.raises(ValueError, match="growth_rate gives 2 widths for 4 stages"):
            SEDense(growth_rate=(8, 16))

    def test_options_reach_timm(self):
        assert parameters(timm.create_model("fer_sedense_s2", se="none")) == 255_935
