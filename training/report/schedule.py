"""How long and at which sizes weights were trained, in words."""

import itertools
from typing import Any

from fer_demo.provenance import recipe_chain


def schedule(training: dict[str, Any]) -> str:
    """How long and at which sizes weights were trained, with the weights that they started from.

    Args:
        training: As in a checkpoint's ``metrics.json``.

    Returns:
        Such as ``"60 epochs at 32 and 48 px, then 9 + 5 epochs at 48 px"``.
    """
    texts = []
    for sides, recipes in itertools.groupby(recipe_chain(training), lambda recipe: [s for _, s in recipe["sizes"]]):
        sizes = f"{', '.join(map(str, sides[:-1]))} and {sides[-1]}" if len(sides) > 1 else sides[0]
        texts.append(f"{' + '.join(str(recipe['epochs']) for recipe in recipes)} epochs at {sizes} px")
    return ", then ".join(texts)
