"""Where things that took long to get are kept between runs; never a photo."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """``FER_DEMO_CACHE``, or ``fer_demo`` in the user's cache folder; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("FER_DEMO_CACHE") or Path(base) / "fer_demo")


def web_page_dir() -> Path:
    """Where ``python -m fer_demo export --web`` writes to by default, and the app looks for its page."""
    return cache_dir() / "page"
