"""The page Folder's summary, its table, and the same as files."""

import io
import json
from collections import Counter
from collections.abc import Callable

import pandas
import streamlit as st

from fer_demo.batch.tables import ENDINGS, columns, rows
from fer_demo.figures import count_bars, counted_classes
from fer_demo.web.folder import NO_FACE, UNREAD, UNTOLD, Folder
from fer_demo.web.limits import limits
from fer_demo.web.models import find
from fer_demo.wording import counted
from pages.common import look

SHOWN = ("file", "face", "label", "confidence", "unsure", "flags", "status", "error")
"""Columns of the table on the page; the files have all."""


def summary(folder: Folder) -> None:
    """How many photos there are, and what they count as."""
    pictures = folder.pictures
    counts = Counter(one.label for one in pictures)
    faces = sum(len(one.data.get("faces", ())) for one in pictures)
    st.header(counted(len(pictures), "photo"), anchor=False)
    told = [f"{faces:,} faces", *(f"{label} {counts[label]:,}" for label in (UNTOLD, NO_FACE, UNREAD) if counts[label])]
    if folder.left_out:
        told.append(f"{counted(folder.left_out, 'other file')} left out")
    names = ", ".join(
        look.plain(find(model).name) for model in dict.fromkeys(one.model for one in pictures if one.thumbnail)
    )
    st.caption(
        f"{'  ·  '.join(told)}{f'  ·  answered by {names}' if names else ''}. A photo counts by its largest face that "
        "can be read and told; faces that cannot be read are not counted as any expression."
    )
    if folder.over:
        st.warning(
            f"{folder.over:,} photos are over the limit of {limits().folder:,} and were left out; `fer-demo batch` "
            "reads any number.",
            icon=":material/production_quantity_limits:",
        )
    found = {label: counts[label] for label in folder.labels}
    if any(found.values()):
        words = ", ".join(f"{label} {count}" for label, count in found.items())
        look.chart(count_bars(found), f"Photos by what their face looks like: {words}", key="folder counts")
        if len(shown := counted_classes(found)) < len(found):
            st.caption(f"{len(shown)} of {len(found)} classes: those that photos count as, the most frequent first.")


def written(folder: Folder, ending: str) -> bytes:
    """The table as ``fer-demo batch`` writes it.

    Args:
        folder: The photos.
        ending: A key of `ENDINGS`.
    """
    file = io.BytesIO()
    labels = folder.labels
    found = (row for one in folder.pictures for row in rows(one.entry, labels))
    ENDINGS[ending](file, found, columns(labels))
    return file.getvalue()


def tables(folder: Folder, latest: Callable[[], Folder]) -> None:
    """The table of all answers, and buttons for it as files, which are made when they are asked for.

    Args:
        folder: The photos that the page shows.
        latest: Gives all that have come until a file is asked for.
    """
    labels = folder.labels
    found = pandas.DataFrame(
        [row for one in folder.pictures for row in rows(one.entry, labels)], columns=list(columns(labels))
    )
    with st.expander("Table of all answers", icon=":material/table_rows:"):
        st.dataframe(found[list(SHOWN)], hide_index=True)

    def all_of_them() -> Folder:
        found = latest()
        return found if found.pictures else folder  # a page that slept has lost its ticket, and still shows them

    def as_json() -> str:
        return json.dumps([one.entry for one in all_of_them().pictures], indent=2, ensure_ascii=False) + "\n"

    files: list[tuple[str, Callable[[], str | bytes], str, str]] = [
        ("CSV", lambda: written(all_of_them(), ".csv"), "csv", "text/csv"),
        ("JSON", as_json, "json", "application/json"),
        ("Parquet", lambda: written(all_of_them(), ".parquet"), "parquet", "application/vnd.apache.parquet"),
    ]
    with st.container(horizontal=True):
        for label, data, ending, mime in files:
            st.download_button(
                f"Download {label}",
                data,
                f"photos.{ending}",
                mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"folder {ending}",
                help="The columns that `fer-demo batch` writes." if ending != "json" else None,
            )
