"""Switches off what dependencies report to their makers, before any of them can be imported.

Each reads its variable once, when it is imported, so this has to come first. A program that imported one of them
before `fer_demo` has to set the variable itself.
"""

import os

SWITCHES = {
    # On import it makes an identifier and a database in the user's cache, and soon looks up its maker's collector;
    # `onnxruntime.disable_telemetry_events` comes too late for both.
    "ORT_DISABLE_TELEMETRY": "1",
    # timm and Gradio bring the Hub's client, which Gradio's own reports go through too.
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    # `fer-demo batch --ray`: a cluster that is started from here would report what it is used for every hour.
    "RAY_USAGE_STATS_ENABLED": "0",
    # Switched off, `ray start` still reports that it was; nobody is at this address.
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9/",
}
"""Environment variables and their values; processes that are started from here inherit them."""


def switch_off() -> None:
    """Sets all of `SWITCHES`, whatever they were set to: photos of people are read here."""
    os.environ.update(SWITCHES)
