"""A split for data that come without one: seeded, stratified by class, and no person or picture on both sides."""

from collections.abc import Sequence

import numpy as np

from training.data.faces import SPLITS

SHARES = (0.8, 0.1, 0.1)
"""Of each class, in the order of `SPLITS`."""

SEED = 0


def split_by_group(labels: Sequence[int], groups: Sequence[object]) -> list[str]:
    """Gives each group to one split, so that each split has its share of each class as nearly as the groups allow.

    Args:
        labels: Class ids.
        groups: What must stay together, such as the persons' names; one a picture.

    Returns:
        Names from `SPLITS`; the same for the same arguments. A class of a few pictures is in Training first.
    """
    names = list(dict.fromkeys(groups))
    index = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), max(labels) + 1))
    np.add.at(counts, ([index[g] for g in groups], labels), 1)
    goal = np.outer(SHARES, counts.sum(0).clip(min=1))
    have, chosen = np.zeros_like(goal), np.zeros(len(names), int)
    order = np.random.default_rng(SEED).permutation(len(names))
    for i in order[np.argsort(-counts[order].sum(1), kind="stable")]:  # large groups first, while there is room
        filled = ((have / goal) * counts[i]).sum(1)
        chosen[i] = filled.argmin()  # the first of equals, Training
        have[chosen[i]] += counts[i]
    return [SPLITS[chosen[index[g]]] for g in groups]
