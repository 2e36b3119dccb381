"""Why the network answered as it did: pictures of what it looked at, its channel weights, and how far to believe both.

Pure functions on a model and a batch; Captum does the work (Kokhlikyan et al. 2020, arXiv:2009.07896). The model must
be in evaluation mode, and every function leaves it as it was.
"""

from fer_demo.explain.attribution import METHODS, UNSIGNED, Attribution, attribute, default_layer, layers
from fer_demo.explain.channels import channel_importance, channel_map, channel_weights, gates, with_channel
from fer_demo.explain.faithfulness import Curves, centre_map, curves, infidelity, random_map, sensitivity

__all__ = [
    "METHODS",
    "UNSIGNED",
    "Attribution",
    "Curves",
    "attribute",
    "centre_map",
    "channel_importance",
    "channel_map",
    "channel_weights",
    "curves",
    "default_layer",
    "gates",
    "infidelity",
    "layers",
    "random_map",
    "sensitivity",
    "with_channel",
]
