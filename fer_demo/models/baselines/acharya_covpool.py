"""Covariance pooling: the last map is summarised by how its channels vary together.

Paper: Acharya, Huang, Paudel, Van Gool, "Covariance Pooling for Facial Expression Recognition", CVPR Workshops 2018,
arXiv:1805.04855; the manifold layers are those of SPDNet (Huang, Van Gool 2017, arXiv:1608.04233).

Printed there and in the authors' public code: the six convolutions of DLP-CNN (64, 96, 128, 128, 256, 256) with batch
normalisation; the covariance of the 256 channels plus 1e-4 of its trace; BiMap layers that halve it, eigenvalue
rectification (ReEig) at 1e-4, the matrix logarithm (LogEig), a fully connected layer of 2,000 units; 87.0 % on RAF-DB,
6.7 M parameters.

Inferred, to meet that size: two BiMap layers (256 to 128 to 64; the public code has one), the upper triangle of the
symmetric logarithm instead of all of it, and a second fully connected layer of 512: 6.43 M. BiMap's weights are
orthonormalised by a QR decomposition in each pass, so that they stay on the Stiefel manifold under any optimiser.
Computed in double precision: single precision loses the small eigenvalues. There is no eigendecomposition in ONNX:
this network cannot be exported to it.
"""

from typing import Any, Unpack, cast

import torch
import torch.nn as nn
from timm.models import generate_default_cfgs, register_model

from fer_demo.models.base import StagedNet
from fer_demo.models.baselines.li_dlp import dlp_stages
from fer_demo.models.layers import ConvNormAct, TensorOptions
from fer_demo.models.pretrained import cfg, create

__all__ = ["AcharyaCovPool", "BiMap", "covariance", "rectify", "symmetric_log"]

EPSILON = 1e-4
"""Smallest eigenvalue after rectification, and the share of the trace added to a covariance."""


def covariance(x: torch.Tensor, share: float = EPSILON) -> torch.Tensor:
    """Covariance of the channels over all places of a map, made positive definite.

    Args:
        x: float (N, C, h, w).
        share: How much of the trace is added to the diagonal.

    Returns:
        float64 (N, C, C), symmetric and positive definite.
    """
    x = x.flatten(2).double()
    x = x - x.mean(2, keepdim=True)
    # Over the number of places and not one less, so that the covariance of a single place is 0 instead of undefined.
    cov = x @ x.transpose(1, 2) / x.shape[2]
    trace = cov.diagonal(dim1=1, dim2=2).sum(1)
    eye = torch.eye(cov.shape[1], dtype=cov.dtype, device=cov.device)
    # A picture without any contrast has trace 0: without the last term its matrix would be singular.
    return cov + (share * trace + 1e-12)[:, None, None] * eye


def _spectral(
    a: torch.Tensor, value: torch.Tensor, slope: torch.Tensor, e: torch.Tensor, v: torch.Tensor
) -> torch.Tensor:
    """A function of a symmetric matrix through its eigenvalues, with its exact derivative.

    Autograd's derivative of an eigendecomposition divides by differences of eigenvalues, which a covariance of fewer
    places than channels makes zero. The derivative of a spectral function needs no such division (Daleckii and Krein):
    with L_ij = (f(e_i) - f(e_j)) / (e_i - e_j), and f'(e_i) where both are equal, it is V (L * (V' dA V)) V'.

    Args:
        a: float64 (N, d, d), symmetric; carries the gradient.
        value: f of the eigenvalues, (N, d).
        slope: f' of them.
        e: The eigenvalues, detached.
        v: The eigenvectors in columns, (N, d, d), detached.
    """
    rise = value[:, :, None] - value[:, None, :]
    run = e[:, :, None] - e[:, None, :]
    close = run.abs() <= 1e-8 * (e[:, :, None].abs() + e[:, None, :].abs())
    middle = (slope[:, :, None] + slope[:, None, :]) / 2
    loewner = torch.where(close, middle, rise / torch.where(close, torch.ones_like(run), run))
    vt = v.transpose(1, 2)
    result = v @ (value[:, :, None] * vt)
    # Zero in value, and all of the gradient.
    change = a - a.detach()
    change = (change + change.transpose(1, 2)) / 2
    return result + v @ (loewner * (vt @ change @ v)) @ vt


def rectify(a: torch.Tensor, smallest: float = EPSILON) -> torch.Tensor:
    """ReEig: raises eigenvalues that are too small.

    Args:
        a: float64 (N, d, d), symmetric.
        smallest: What they are raised to.

    Returns:
        float64 (N, d, d), symmetric and positive definite.
    """
    e, v = torch.linalg.eigh(a.detach())
    return _spectral(a, e.clamp(min=smallest), (e > smallest).to(e.dtype), e, v)


def symmetric_log(a: torch.Tensor) -> torch.Tensor:
    """LogEig: the matrix logarithm, which makes a flat space of the manifold.

    Args:
        a: float64 (N, d, d), symmetric and positive definite.

    Returns:
        float64 (N, d, d), symmetric.
    """
    e, v = torch.linalg.eigh(a.detach())
    e = e.clamp(min=1e-30)  # rounding may leave an eigenvalue just below zero
    return _spectral(a, e.log(), 1 / e, e, v)


class BiMap(nn.Module):
    """``W A W'`` with orthonormal rows in W: a smaller symmetric positive definite matrix.

    Input: float64 (N, in_features, in_features). Output: float64 (N, out_features, out_features).
    """

    def __init__(self, in_features: int, out_features: int, **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features, **dd))
        nn.init.orthogonal_(self.weight)

    def forward(self, a: torch.Tensor) -> torch.Tensor:
        w, r = torch.linalg.qr(self.weight.double())
        # Unique only with a positive diagonal in R: otherwise a column could change its sign from step to step.
        w = w * torch.where(r.diagonal() < 0, -1.0, 1.0)
        return w.transpose(0, 1) @ a @ w


class CovariancePool(nn.Module):
    """Covariance, BiMap and ReEig layers, LogEig, fully connected layers.

    Input: float (N, C, h, w). Output: float (N, hidden[-1]).
    """

    upper: torch.Tensor

    def __init__(self, in_chs: int, spd: tuple[int, ...], hidden: tuple[int, ...], **dd: Unpack[TensorOptions]) -> None:
        super().__init__()
        self.maps = nn.ModuleList()
        size = in_chs
        for smaller in spd:
            self.maps.append(BiMap(size, smaller, **dd))
            size = smaller
        features = size * (size + 1) // 2
        upper = torch.empty(features, dtype=torch.long, device=dd.get("device"))
        self.register_buffer("upper", upper, persistent=False)
        self.init_non_persistent_buffers()
        self.fc = nn.Sequential()
        for units in hidden:
            self.fc.append(nn.Linear(features, units, **dd))
            self.fc.append(nn.ReLU())
            features = units

    def init_non_persistent_buffers(self) -> None:
        """Sets what no checkpoint holds; timm calls it for a network that was made on the meta device."""
        size = cast(BiMap, self.maps[-1]).weight.shape[1]
        rows, columns = torch.triu_indices(size, size, device=self.upper.device)
        self.upper.copy_(rows * size + columns)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = covariance(x)
        for bimap in self.maps:
            a = rectify(bimap(a))
        return self.fc(symmetric_log(a).flatten(1)[:, self.upper].to(x.dtype))


class AcharyaCovPool(StagedNet):
    """DLP-CNN's convolutions under covariance pooling.

    Arguments as in `StagedNet`; ``spd`` are the sizes after each BiMap layer, ``hidden`` the fully connected layers.
    """

    own_pooling = "cov"
    paper = "Covariance Pooling for Facial Expression Recognition"

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        global_pool: str = "cov",
        spd: tuple[int, ...] = (128, 64),
        hidden: tuple[int, ...] = (2000, 512),
        drop_rate: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_classes, in_chans, global_pool, drop_rate)
        dd: TensorOptions = {"device": device, "dtype": dtype}
        self.spd, self.hidden = spd, hidden
        self.assemble(
            ConvNormAct(in_chans, 64, 3, **dd),
            dlp_stages(ConvNormAct, **dd),
            channels=[64, 96, 128, 256],
            reductions=[2, 4, 8, 8],
            **dd,
        )

    def pooling(self, **dd: Unpack[TensorOptions]) -> tuple[nn.Module, int]:
        """Covariance pooling."""
        return CovariancePool(self.num_features, self.spd, self.hidden, **dd), self.hidden[-1]


default_cfgs = generate_default_cfgs(
    {
        "fer_acharya_covpool.paper_raf_single": cfg(
            "fer_acharya_covpool.paper_raf_single", AcharyaCovPool, 12, input_size=(1, 100, 100)
        ),
        "fer_acharya_covpool.paper_fer2013": cfg("fer_acharya_covpool.paper_fer2013", AcharyaCovPool, 6),
    }
)


@register_model
def fer_acharya_covpool(pretrained: bool = False, **kwargs: Any) -> AcharyaCovPool:
    """Acharya et al. 2018: 6.43 M parameters (6.7 M printed), 1x100x100 input."""
    return create(AcharyaCovPool, "fer_acharya_covpool", pretrained, 4, **kwargs)
