"""Download buttons for tables and figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from fer_demo.figures import standalone_html
from fer_demo.tradeoffs.table import csv_text


def downloads(stem: str, title: str, rows: Sequence[Mapping[str, Any]], figure=None, note: str = "") -> None:
    """Buttons for a table as CSV and for a figure as one HTML file that opens offline.

    Args:
        stem: The files' name without ending; also tells the buttons from others.
        title: What it is, for the HTML file's heading and for those who cannot see the page.
        rows: The table, a dict a line.
        figure: The figure, or None for a table alone.
        note: A sentence below the figure.
    """
    files = [("CSV", lambda: csv_text(rows), "csv", "text/csv")]
    if figure is not None:
        # Made only when asked for: Plotly is megabytes.
        files.append(("figure", lambda: standalone_html(figure, title, note), "html", "text/html"))
    with st.container(horizontal=True):
        for label, data, ending, mime in files:
            st.download_button(
                f"Download {label}",
                data,
                f"{stem}.{ending}",
                mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"{stem} {ending}",
                help=title,
            )
