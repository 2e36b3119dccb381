"""Models registered with timm on import: one file for each system, named after its first author."""

from fer_demo.models import (  # noqa: F401  (importing registers)
    acharya_covpool,
    guo_relativity,
    kim_fusion,
    li_dlp,
    mini_xception,
    pramerdorfer,
    sedense,
    tang_svm,
    vielzeuf_occam,
)
