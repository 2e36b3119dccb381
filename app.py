"""The web application: ``streamlit run app.py`` serves every page and the upload widget on one port.

Streamlit finds `app` in this file and serves it; for each visitor it then runs this same file as the script that draws
the pages.
"""

from pathlib import Path

import streamlit as st

from fer_demo.web.shared import USER_ERRORS
from pages.common import links, look, sign_in
from pages.common.door import door

# A file, since browsers would fetch a named icon from a font server.
ICON = Path(__file__).parent / "pages" / "common" / "icon.svg"

# Group to its pages: file, title, icon. The first page is the one that opens.
PAGES = {
    "Use": [
        ("pages/predict.py", "Predict", ":material/face:"),
        ("pages/folder.py", "Folder", ":material/photo_library:"),
        ("pages/live.py", "Live", ":material/videocam:"),
        ("pages/video.py", "Video", ":material/movie:"),
        ("pages/api.py", "API", ":material/api:"),
    ],
    "Understand": [
        ("pages/explain.py", "Explain", ":material/visibility:"),
        ("pages/robustness.py", "Robustness", ":material/blur_on:"),
        ("pages/tradeoffs.py", "Trade-offs", ":material/balance:"),
        ("pages/training.py", "Training", ":material/show_chart:"),
    ],
    "About": [
        ("pages/about.py", "Model and limits", ":material/info:"),
    ],
}


def main() -> None:
    """Draws the page that the visitor is on."""
    st.set_page_config(page_title="Facial expressions", page_icon=ICON, layout="wide")
    sign_in.ask()
    first = next(iter(PAGES.values()))[0]
    pages = {
        group: [st.Page(page[0], title=page[1], icon=page[2], default=page is first) for page in entries]
        for group, entries in PAGES.items()
    }
    page = st.navigation(pages)
    problem = links.follow()
    if page.title not in ("Predict", "Folder"):  # which have doors of their own, for their widget
        door()
    if problem and page.title not in ("Predict", "Explain", "Robustness"):  # which say it themselves
        look.problem(problem)
    try:
        page.run()
    except USER_ERRORS as error:  # what a page did not expect, such as a checkpoint that was damaged meanwhile
        st.error(look.plain(str(error)), icon=":material/error:")


if __name__ == "__main__":
    main()
else:
    from streamlit.runtime.pages_manager import PagesManager

    from pages.common.server import lifespan_and_routes, middleware

    # Until the first st.navigation, Streamlit takes every file in pages/ for a page of its own making. A visitor whose
    # link to a page is the first request after a start would then get that page bare, without this file around it.
    PagesManager.uses_pages_directory = False

    lifespan, routes = lifespan_and_routes()
    app = st.App(__file__, routes=routes, lifespan=lifespan, middleware=middleware())
