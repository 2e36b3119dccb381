"""Models registered with timm on import: SE-Dense, and the systems that it is compared with."""

from fer_demo.models import baselines, landmark_attention, sedense  # noqa: F401  (importing registers)
