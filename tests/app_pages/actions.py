"""What a visitor does, said in a word."""

import io

import numpy as np
from PIL import Image
from streamlit.testing.v1 import AppTest


def open_page(app: AppTest, name: str) -> AppTest:
    app.run()
    return app.switch_page(f"pages/{name}.py").run()


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def upload(app: AppTest, name: str, data: bytes) -> AppTest:
    app.session_state["frame"] = "blocked"  # the widget's frame could not be loaded
    app.run()
    return app.file_uploader[0].set_value((name, data, "image/png")).run()


def button(app: AppTest, label: str):
    return next(b for b in app.button if b.label == label)


def texts(app: AppTest) -> str:
    return "\n".join(e.value for kind in (app.markdown, app.caption, app.title, app.subheader) for e in kind)
