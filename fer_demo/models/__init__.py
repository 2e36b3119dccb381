"""Models registered with timm on import."""

from fer_demo.models import sedense  # noqa: F401  (importing registers)
