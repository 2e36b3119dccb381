"""Model and limits: the model card, what the answers are worth, privacy and law."""

import streamlit as st

from fer_demo.checkpoints import METRICS_FILE
from fer_demo.emotions import DISCLAIMER
from fer_demo.tradeoffs.published import HUMAN_CAVEAT
from fer_demo.web.browser_page import ADDRESS, has_browser_page
from fer_demo.web.models import VARIABLE, named
from fer_demo.web.shared import USER_ERRORS
from pages.common import look, state
from pages.common.card import card_text, headline_figures, operating_point

NOTES = {
    ":material/psychology_alt: A guess, not a feeling": f"""
{DISCLAIMER}

An answer that may mean more than one expression says so: *maybe*, *unsure*, or *can't tell* where more than two are
close, or where the face is too small, blurred or dark to be read. Treat it so.
""",
    ":material/gavel: The law": """
In the European Union, inferring emotions from faces **at work and in education is forbidden**, but for medical or
safety reasons (AI Act, Regulation 2024/1689, Article 5(1)(f)). Also in the European Union, outside work and education,
such systems count as high-risk (Annex III, 1(c)), and people have to be told that one looks at them (Article 50(3)).
Other countries have laws of their own. Do not use this for decisions about people, wherever you are.
""",
    ":material/lock: Your photos": """
Photos are read in this server's memory and go when you leave the page. A photo from the upload box touches a temporary
file while it arrives; that is deleted before the answer appears. No account, no cookies for tracking, no telemetry,
nothing fetched from other servers.
""",
}

st.title("Model and limits", anchor=False)
st.markdown(":gray[Which model answers on the other pages, how good it is, and what it must not be used for.]")

for column, (title, text) in zip(st.columns(len(NOTES)), NOTES.items(), strict=True):
    with column.container(border=True, height="stretch"):
        st.subheader(title, anchor=False)
        st.markdown(text)
with st.container(border=True, horizontal=True, vertical_alignment="center"):
    if has_browser_page():
        st.markdown(
            ":material/devices: **On your own machine alone.** Detector and model also run inside your browser: photos "
            "and camera pictures are not even sent to this server."
        )
        st.link_button("Open that page", ADDRESS, icon=":material/open_in_new:")
    else:
        export = f'python -m fer_demo export "${VARIABLE}" --web' if named() else "python -m fer_demo export --web"
        st.markdown(
            ":material/devices: **On your own machine alone.** Detector and model can also run inside the browser, "
            "so that photos are not even sent to this server. Whoever runs it writes that page with "
            f"`{export}`; it is then linked here."
        )

try:
    model, labels = state.model(), state.predictor().labels
    figures, card = headline_figures(model), card_text(model.source)
    point = "" if model.own else operating_point(model.source)
except USER_ERRORS as error:
    st.error(look.plain(str(error)), icon=":material/error:")
else:
    st.header(f"The model: {look.plain(model.name)}", anchor=False)
    if model.own:
        st.markdown(f"It answers with one of {len(labels)} classes: {', '.join(labels)}.")
    for column, (label, value, note) in zip(st.columns(max(1, len(figures))), figures, strict=False):
        column.metric(label, value)
        column.caption(note)
    if not figures:
        st.caption(f"How good it is, nobody has written down: no figures of its own are in a {METRICS_FILE} beside it.")
    if any(label.startswith("People") for label, _, _ in figures):
        st.markdown(f"**People and networks.** {HUMAN_CAVEAT}")
    if point:
        with st.container(border=True):
            st.subheader(":material/tune: How much neutral is worth", anchor=False)
            st.markdown(point)
    st.markdown(card or "This checkpoint comes without a model card.")
