"""Several photos that were added together: thumbnails sorted by what they look like, and a table of all answers."""

import json
from collections.abc import Iterator

import pandas
import streamlit as st

from fer_demo.annotate import draw_faces
from fer_demo.results import csv_columns, csv_text, plain_cell, result_rows
from fer_demo.web.folder import THUMBNAIL, all_labels, counts_as, order
from fer_demo.web.handover import Delivery, Picture
from fer_demo.web.models import find
from fer_demo.wording import count_faces, counted
from pages.common import look, state

AT_FIRST = 24
"""Thumbnails that are drawn at once; the rest comes at a click."""


def main_label(picture: Picture) -> str:
    """What a photo counts as in the summary: its largest readable face's label, or why there is none."""
    return counts_as(picture.answer.faces if picture.answer else None)


def show(delivery: Delivery) -> None:
    """The whole album."""
    st.header(counted(len(delivery.pictures), "photo"), anchor=False)
    labels = [main_label(picture) for picture in delivery.pictures]
    shown = order(_classes(delivery))
    present = [label for label in shown if label in labels]
    counts = "  ·  ".join(f"{label} {labels.count(label)}" for label in present)
    asked = {picture.answer.model for picture in delivery.pictures if picture.answer}
    names = ", ".join(look.plain(find(model).name) for model in asked)
    left_out = f"  ·  {counted(delivery.left_out, 'other file')} left out" if delivery.left_out else ""
    st.caption(f"By the largest face that can be read: {counts}{left_out}  ·  answered by {names}")
    chosen = st.segmented_control("Show", present, selection_mode="multi", key="album filter")
    numbers = [n for n in range(len(labels)) if not chosen or labels[n] in chosen]
    numbers.sort(key=lambda n: (shown.index(labels[n]), n))
    every = st.session_state.get("album all")
    _gallery(delivery, labels, numbers if every else numbers[:AT_FIRST])
    if len(numbers) > AT_FIRST:
        st.toggle(f"Show all {len(numbers)} photos", key="album all")
    _table(delivery)


def _gallery(delivery: Delivery, labels: list[str], numbers: list[int]) -> None:
    with st.container(horizontal=True, gap="small", key="gallery"):
        for number in numbers:
            picture = delivery.pictures[number]
            with st.container(border=True, width=190, gap="small"):
                name = look.plain(picture.name or f"Photo {number + 1}")
                if picture.answer:
                    pixels = draw_faces(
                        picture.answer.picture.pixels, state.in_pixels(picture.answer), max_side=THUMBNAIL
                    )
                    st.image(pixels, output_format="JPEG", alt=f"{picture.name or 'Photo'}: {labels[number]}")
                    st.markdown(f"**{labels[number]}**  \n:small[{name} · {count_faces(len(picture.answer.faces))}]")
                    st.button(
                        "Look at it",
                        key=f"album{number}",
                        type="tertiary",
                        on_click=state.show_from,
                        args=(delivery, number),
                    )
                else:
                    st.markdown(f"**{labels[number]}**  \n:small[{look.plain(picture.problem or '')}]")


def _classes(delivery: Delivery) -> tuple[str, ...]:
    return all_labels(picture.answer.faces.labels for picture in delivery.pictures if picture.answer)


def _rows(delivery: Delivery) -> Iterator[dict]:
    empty = dict.fromkeys(csv_columns(_classes(delivery)), "")
    for picture in delivery.pictures:
        if picture.answer:
            yield from (empty | row for row in result_rows(picture.name, picture.answer.faces))
        else:
            said = {"file": plain_cell(picture.name or ""), "face": 0, "status": plain_cell(picture.problem or "")}
            yield empty | said


def _table(delivery: Delivery) -> None:
    answers = [
        picture.answer.faces.to_dict() if picture.answer else {"file": picture.name, "error": picture.problem}
        for picture in delivery.pictures
    ]
    frames = [picture.answer.faces.to_dataframe() for picture in delivery.pictures if picture.answer]
    if frames:
        with st.expander("Table of all answers", icon=":material/table_rows:"):
            shown = ["file", "face", "label", "confidence", "unsure", "flags", "status"]
            st.dataframe(pandas.concat(frames)[shown], hide_index=True)
    with st.container(horizontal=True):
        for label, data, ending, mime in (
            ("CSV of all", csv_text(_rows(delivery), _classes(delivery)), "csv", "text/csv"),
            ("JSON of all", json.dumps(answers, indent=2, ensure_ascii=False) + "\n", "json", "application/json"),
        ):
            st.download_button(
                f"Download {label}", data, f"photos.{ending}", mime, icon=":material/download:", on_click="ignore"
            )
