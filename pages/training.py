"""Training: every run that was made, its curve, and what the answers of the chosen weights are worth."""

import streamlit as st

from fer_demo.checkpoints import bundled_checkpoints, checkpoint_metrics
from fer_demo.web.shared import USER_ERRORS
from pages.common import look
from training.report import figures, timeline
from training.report.compare import differing_settings, overview
from training.run.provenance import Release, releases
from training.run.runlog import RUNS, Run, read_runs

SHOWN_AT_ONCE = 8
TEST, VALIDATION = "PrivateTest", "PublicTest"


@st.cache_data(max_entries=4)
def records(stamp: float) -> list[Run]:
    """All records; `stamp` changes when a file among them does."""
    return read_runs()


def newest_change() -> float:
    """When a record was last written; 0 if there is none."""
    return max((p.stat().st_mtime for p in RUNS.glob("*/*")), default=0.0)


def answers_to_show(runs: list[Run]) -> dict[str, dict]:
    """Title to figures: the bundled checkpoints on both test splits, then finished runs on PublicTest."""
    found = {}
    for name in bundled_checkpoints():
        metrics = checkpoint_metrics(name)
        found |= {f"{name} on {split}": metrics[split] for split in (TEST, VALIDATION) if split in metrics}
    return found | {f"run {r.name} on {VALIDATION}": r.record["public"] for r in runs if "public" in r.record}


def short_name(run: str) -> str:
    """``"pramerdorfer_vgg.teacher, seed 1"`` for ``"fer_pramerdorfer_vgg.teacher_fer2013-seed1"``."""
    name, _, seed = run.removeprefix("fer_").partition("_fer2013-seed")
    return f"{name}, seed {seed}" if seed not in ("", "0") else name


def choose_runs(runs: list[Run]) -> list[Run]:
    """The table of all runs; the rows ticked in it, or the best four."""
    # What a phone shows of a row comes first, without what nearly all names share; the folder's name stands further on.
    rows = [{"PublicTest": row["PublicTest"], "name": short_name(row["run"])} | row for row in overview(runs)]
    order = sorted(range(len(rows)), key=lambda i: -(rows[i]["PublicTest"] or 0))
    st.markdown("Every run, best first. Tick rows to lay them side by side below.")
    event = st.dataframe(
        [rows[i] for i in order],
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key="runs",
        alt="All runs, the best first: accuracy on PublicTest, name, status, model, epochs, pixels and minutes",
        column_config={
            "PublicTest": st.column_config.NumberColumn(
                format="percent", help="Best accuracy; it chose the weights.", width=92, pinned=True
            ),
            "name": st.column_config.TextColumn(width=205, pinned=True, help="In short; the folder's name is its run."),
            "in epoch": st.column_config.NumberColumn(help="The epoch whose weights were kept."),
            "pixels": st.column_config.TextColumn(help="Side of the pictures, by epoch."),
            "minutes": st.column_config.NumberColumn(format="%.0f", help="Training alone, without evaluation."),
        },
    )
    ticked = event["selection"]["rows"]
    if len(ticked) > SHOWN_AT_ONCE:
        st.info(f"{SHOWN_AT_ONCE} runs fit into one chart; the first {SHOWN_AT_ONCE} ticked ones are shown.")
    return [runs[order[i]] for i in (ticked or range(min(4, len(order))))][:SHOWN_AT_ONCE]


def side_by_side(chosen: list[Run]) -> None:
    """Curves of the chosen runs, and the settings in which they differ."""
    measure = st.segmented_control("Curve", list(figures.MEASURES), default="PublicTest accuracy", key="measure")
    measure = measure or "PublicTest accuracy"
    look.chart(figures.curves(chosen, measure), f"{measure} by epoch: {', '.join(run.name for run in chosen)}")
    st.caption(
        "A circle marks the epoch whose weights were kept. PublicTest has 3,589 pictures, so that its accuracies are "
        "known to about 1.5 points either way; while pictures are still small, accuracies are those at the small size."
    )
    if len(chosen) > 1:
        st.subheader("Where they differ", anchor=False)
        rows = differing_settings(chosen)
        if rows:
            # Names are longer than a phone is wide: columns have numbers.
            st.markdown("  \n".join(f"**{number}** `{run.name}`" for number, run in enumerate(chosen, 1)))
            lines = [f"| `{name}` | {' | '.join(map(look.plain, values))} |" for name, values in rows.items()]
            head = ["| setting |" + "|".join(f" {n} " for n in range(1, len(chosen) + 1)) + "|"]
            st.markdown("\n".join([*head, "|---" * (len(chosen) + 1) + "|", *lines]))
        else:
            st.markdown("They have the same settings.")
    for run in chosen:
        if reason := run.record.get("reason"):
            st.warning(f"{run.name}: {reason}", icon=":material/error:")
        if note := run.record.get("note"):
            st.caption(f"{run.name}: {note}")


def worth(answers: dict[str, dict]) -> None:
    """Confusion, calibration and recall of one set of answers, with a second one beside it if asked for."""
    titles = list(answers)
    left, right = st.columns(2)
    first = left.selectbox("Answers of", titles, key="first")
    second = right.selectbox(
        "beside those of",
        [None, *(t for t in titles if t != first)],
        key="second",
        format_func=lambda t: t or "no others",
    )
    shown = [first, second] if second else [first]
    columns = st.columns(2)
    for column, title in zip(columns, shown, strict=False):
        part = answers[title]
        low, high = part["interval"]
        with column:
            st.markdown(
                f"**{title}**: {part['accuracy']:.2%} of {part['n']:,} right "
                f"(95 % interval {100 * low:.1f} to {100 * high:.1f} %), macro-F1 {part['macro_f1']:.3f}"
            )
            look.chart(figures.confusion(part["confusion"], classes=list(part["recall"])), f"Confusion matrix: {title}")
    both = " and ".join(shown)
    bins = {title: answers[title]["reliability_calibrated"] for title in shown}
    recall = {title: answers[title]["recall"] for title in shown}
    calibration_place, recall_place = st.columns(2) if second else (columns[1], st.container())
    with calibration_place:
        st.markdown("**Confidence**: how often the answer was right, by how sure the network said it was")
        look.chart(figures.calibration(bins), f"Reliability diagram: {both}")
    with recall_place:
        st.markdown("**Recall**: how many pictures of each expression were recognised as such")
        look.chart(figures.recall_bars(recall, 420 if second else 300), f"Recall by expression: {both}")
    st.caption(
        "Below the dashed line a network is wrong more often than it says, above it less often; larger dots stand for "
        "more answers. Checkpoints have their temperature applied, as on the Predict page; runs are shown as trained."
    )


def tell(released: list[Release]) -> None:
    """The timeline of released weights, and the same in words."""
    st.markdown(timeline.story(released))
    words = timeline.in_words(released)
    look.chart(timeline.timeline(released), f"Released weights, the oldest first. {'. '.join(words)}", key="timeline")
    st.caption(
        "Each row is a set of weights that was published, or from which a published one grew. The *photos* weights "
        "learned ten annotators' votes beside FER2013's labels, so that these labels are no measure of them."
    )
    with st.expander("The same in words", icon=":material/list:"):
        st.markdown("\n".join(f"1. {line}" for line in words))


st.title("How it was trained", anchor=False)
st.markdown(
    ":gray[Epochs and settings are chosen on FER2013's PublicTest pictures. PrivateTest is looked at once, for the "
    "chosen weights. Nothing is left out: runs that failed stand here too.]"
)
try:
    runs = records(newest_change())
except ValueError as error:
    st.error(str(error), icon=":material/error:")
    runs = []
try:
    released = releases()
except ValueError as error:
    st.error(str(error), icon=":material/error:")
    released = []
if released:
    st.header("The story so far", anchor=False)
    tell(released)
st.header("Runs", anchor=False)
if runs:
    side_by_side(choose_runs(runs))
else:
    st.info("No runs are recorded yet. `python -m training train RECIPE` writes one to training/runs/.")
try:
    answers = answers_to_show(runs)
except USER_ERRORS as error:
    st.error(look.plain(str(error)), icon=":material/error:")
    st.stop()
if answers:
    st.header("What the answers are worth", anchor=False)
    worth(answers)
