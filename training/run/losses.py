"""The losses that make some compared systems what they are, each a switch of `training.run.config.TrainConfig`."""

import torch
import torch.nn.functional as F


def l2_svm(margins: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """Squared hinge loss of one-vs-all linear SVMs: Tang 2013 (arXiv:1306.0239), equation 8.

    ``max(1 - t z, 0)^2`` summed over the classes, with t = 1 for the picture's class and -1 for the others. The
    equation's first term, half the squared weights, is the optimiser's weight decay.

    Args:
        margins: float (N, C), the network's outputs z.
        targets: float (N, C), class probabilities; a class of probability p counts to p as positive, the rest as
            negative, so that smoothed, mixed and voted targets have a meaning.
        weight: float (C,), weight of the pictures of each class; all alike by default.

    Returns:
        The mean over the batch.
    """
    hinge = targets * F.relu(1 - margins).square() + (1 - targets) * F.relu(1 + margins).square()
    loss = hinge.sum(1)
    return (loss if weight is None else loss * (targets * weight).sum(1)).mean()


def exponential_triplet(features: torch.Tensor, labels: torch.Tensor, scale: float = 2.0) -> torch.Tensor:
    """Exponential triplet-based loss, after Guo et al. 2016 (doi 10.1109/ICMEW.2016.7574736).

    The mean over all triplets of a batch, anchor, another picture of its class and one of another class, of
    ``exp(scale * (d(anchor, positive) - d(anchor, negative)))``, d being squared Euclidean distances between features
    brought to length 1. A triplet's gradient is proportional to its own loss, so difficult ones weigh exponentially
    more, which is what the paper's abstract asks for; the exact formula was not at hand.

    Args:
        features: float (N, d).
        labels: int64 (N,).
        scale: Steepness.

    Returns:
        A scalar; 0 for a batch without triplets.
    """
    x = F.normalize(features, dim=1)
    distance = 2 - 2 * x @ x.T
    same = labels[:, None] == labels[None]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    # The exponential of a difference is a product: no tensor of all N^3 triplets is needed.
    pull = (torch.exp(scale * distance) * positive).sum(1)
    push = (torch.exp(-scale * distance) * ~same).sum(1)
    triplets = (positive.sum(1) * (~same).sum(1)).sum()
    return (pull * push).sum() / triplets.clamp(min=1)


def locality_preserving(features: torch.Tensor, labels: torch.Tensor, neighbors: int = 20) -> torch.Tensor:
    """Locality-preserving loss: Li, Deng and Du 2017 (doi 10.1109/CVPR.2017.277), equations 3 and 4.

    Half the squared distance from each picture's features to the mean of its nearest neighbours of the same class in
    the batch. As there, the gradient treats that mean as fixed.

    Args:
        features: float (N, d).
        labels: int64 (N,).
        neighbors: How many neighbours; fewer where the batch holds fewer.

    Returns:
        The mean over the batch; pictures without a neighbour count as 0.
    """
    with torch.no_grad():
        distance = torch.cdist(features, features)
        other = labels[:, None] != labels[None]
        other.fill_diagonal_(True)
        nearest = distance.masked_fill(other, torch.inf).topk(min(neighbors, len(labels)), largest=False)
        share = nearest.values.isfinite().to(features.dtype)
        share = share / share.sum(1, keepdim=True).clamp(min=1)
        alone = share.sum(1) == 0
        centre = (features[nearest.indices] * share[..., None]).sum(1)
    return 0.5 * (features - centre).square().sum(1).masked_fill(alone, 0).mean()
