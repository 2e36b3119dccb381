"""The systems that the paper compares with, and the small network of most demos: one file each."""

from fer_demo.models.baselines import (  # noqa: F401  (importing registers)
    acharya_covpool,
    guo_relativity,
    kim_fusion,
    li_dlp,
    mini_xception,
    pramerdorfer,
    tang_svm,
    vielzeuf_occam,
)
