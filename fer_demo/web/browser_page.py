"""Serves the page of ``python -m fer_demo export --web`` beside the app: photos then stay on the visitor's machine."""

from starlette.staticfiles import StaticFiles

from fer_demo.cache import web_page_dir

ADDRESS = "/browser/"
"""Where the app serves the page."""


def has_browser_page() -> bool:
    """Whether the page has been exported to where the app looks for it."""
    return (web_page_dir() / "index.html").is_file()


LIVE = "live.html"
"""The part of it that reads the camera."""


def has_live_page() -> bool:
    """Whether it can read the camera; exports of earlier versions cannot."""
    return (web_page_dir() / LIVE).is_file()


class BrowserPage(StaticFiles):
    """The exported page's files, and 404 for all of them as long as there is none; it may be exported meanwhile."""

    def __init__(self) -> None:
        super().__init__(directory=web_page_dir(), html=True, check_dir=False)

    async def check_config(self) -> None:
        """Does not insist that the folder is there."""
