"""Serves the page of ``python -m fer_demo export --web`` beside the app: photos then stay on the visitor's machine.

``python -m fer_demo.web.browser_page`` ends with 0 if the exported page is of the app's model, and else with 1.
"""

import sys
from typing import Any

from starlette.staticfiles import StaticFiles

from fer_demo.cache import web_page_dir
from fer_demo.checkpoints import bundled_checkpoints, weights_digest
from fer_demo.files import read_json
from fer_demo.runtime.model_info import ModelError
from fer_demo.web.models import default_model, named

ADDRESS = "/browser/"
"""Where the app serves the page."""

ABOUT = "model.json"
"""What the page says of its models."""


def has_browser_page() -> bool:
    """Whether the page has been exported to where the app looks for it, and its first model is the app's."""
    return (web_page_dir() / "index.html").is_file() and _fits(first=True)


LIVE = "live.html"
"""The part of it that reads the camera."""


def has_live_page() -> bool:
    """Whether it can read the camera, with the app's model; exports of earlier versions cannot."""
    return (web_page_dir() / LIVE).is_file() and _fits(first=False)


def _fits(first: bool) -> bool:
    """Whether the page's model is the app's, so that nobody takes the answers of another one for its.

    Args:
        first: The page's first model has to be it, and not only one of them.
    """
    try:
        about = read_json(web_page_dir() / ABOUT)
        if not named():  # any of the bundled ones will do
            return "name" not in about or about["name"] in bundled_checkpoints()
        wanted = default_model()
        models: list[dict[str, Any]] = [about] if first else about["models"]
        digest = weights_digest(wanted.source)
        return any(one["name"] == wanted.name and (not wanted.own or one.get("digest") == digest) for one in models)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none, or of an earlier version
        return not named()
    except ModelError:
        return False


class BrowserPage(StaticFiles):
    """The exported page's files, and 404 for all of them as long as there is none; it may be exported meanwhile."""

    def __init__(self) -> None:
        super().__init__(directory=web_page_dir(), html=True, check_dir=False)

    async def check_config(self) -> None:
        """Does not insist that the folder is there."""


if __name__ == "__main__":
    sys.exit(not (has_browser_page() and has_live_page()))
