"""Pictures to try the app with, as thumbnails."""

import streamlit as st
from PIL import Image, ImageOps

from fer_demo.vision.samples import SAMPLES
from pages.common import state


@st.cache_data(show_spinner=False)
def thumbnail(name: str):
    """A sample's picture, small."""
    sample = next(one for one in SAMPLES if one.name == name)
    return ImageOps.fit(Image.fromarray(sample.load()), (240, 240), centering=(0.5, 0.3))


def samples() -> None:
    """Pictures to try it with."""
    with st.container(horizontal=True, gap="small", key="samples"):
        for sample in SAMPLES:
            with st.container(width=132, gap="small"):
                st.image(thumbnail(sample.name), width="stretch", output_format="JPEG", alt=f"Sample: {sample.title}")
                st.button(
                    sample.title,
                    key=f"sample {sample.name}",
                    on_click=state.ask_sample,
                    args=(sample,),
                    width="stretch",
                )
