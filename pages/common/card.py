"""Reads a checkpoint's model card and figures for the pages."""

import re
from typing import Any

from fer_demo.checkpoints import CARD_FILE, UnknownModelError, checkpoint_metrics, resolve
from fer_demo.provenance import answering_figures
from fer_demo.tradeoffs.published import human
from fer_demo.web.models import AppModel

FER2013 = "FER2013"


def card_text(name: str) -> str:
    """The model card without front matter and title; empty when the checkpoint has none.

    Headings are one level deeper than in the file, since the page has its own title.

    Args:
        name: ``<architecture>.<tag>``.

    Raises:
        ModelError: If the checkpoint is damaged.
    """
    try:
        path = resolve(name).path(CARD_FILE)
    except UnknownModelError:
        path = None
    if path is None:
        return ""
    text = path.read_text(encoding="utf-8", errors="replace")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"\A\s*# .*\n", "", text)
    return re.sub(r"^(#+ )", r"#\1", text, flags=re.MULTILINE).strip()


def headline_figures(model: AppModel) -> list[tuple[str, str, str]]:
    """The figures that stand at the top of the page.

    Args:
        model: The model.

    Returns:
        Label, value, and what it means; figures that the checkpoint's ``metrics.json`` lacks are left out.

    Raises:
        ModelError: If the checkpoint is damaged.
    """
    metrics = checkpoint_metrics(model.source)
    if not model.own:
        return _figures(metrics, FER2013)
    try:  # whatever somebody has put there
        return _figures(metrics, FER2013 if model.of_fer2013 else None)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        return []


def _figures(metrics: dict[str, Any], data: str | None) -> list[tuple[str, str, str]]:
    """`headline_figures`; `data` is the set that the test pictures are of, None where that is not known."""
    test = answering_figures(metrics)
    figures = []
    if photos := metrics.get("photos"):
        low, high = (f"{100 * v:.1f}" for v in photos["interval"])
        note = f"of {photos['n']:,} photographs, detector included; 95 % interval {low} to {high} %"
        figures.append(("Right on photographs", f"{photos['accuracy']:.1%}", note))
    if "accuracy" in test:
        low, high = (f"{100 * v:.1f}" for v in test["interval"])
        note = f"of {test['n']:,} {f'{data} ' if data else ''}test pictures; 95 % interval {low} to {high} %"
        figures.append((f"Right on {data or 'its test pictures'}", f"{test['accuracy']:.1%}", note))
        if data == FER2013:
            figures.append(
                ("People on FER2013", str(human()), "on pictures of the same set (Goodfellow et al. 2013); see below")
            )
    if (ece := test.get("ece_of_draws", test.get("ece_calibrated"))) is not None:
        note = "mean gap between stated confidence and share of right answers"
        figures.append(("Calibration error", f"{100 * ece:.1f} points", note))
    if "parameters" in metrics:
        figures.append(("Parameters", f"{metrics['parameters'] / 1e6:.2f} M", f"exactly {metrics['parameters']:,}"))
    return figures


def operating_point(name: str) -> str:
    """What a checkpoint's operating point is and what it does, in Markdown; empty for checkpoints without.

    Args:
        name: ``<architecture>.<tag>``.

    Raises:
        ModelError: If the checkpoint is damaged.
    """
    metrics = checkpoint_metrics(name)
    point = metrics.get("training", {}).get("operating_point")
    if not point:
        return ""
    paper = checkpoint_metrics(name.partition(".")[0])
    corrected = " and ".join(f"{label} ({nats:+g})" for label, nats in point.get("prior_correction", {}).items())
    words = f"""
FER2013's labels call many faces angry or sad that ten annotators (FER+) call **neutral**: the two agree on 62 % of the
pictures. This network learned both, and its answer weighs the annotators with **{point["votes_share"]:.0%}**. More
would find more neutral faces and fewer sad and fearful ones; less would agree more with FER2013.
"""
    if corrected:
        words += f"The annotators hardly ever choose some classes, so these get a little more: {corrected}. "
    if point.get("mirror"):
        words += "Each face is read together with its mirror image. "
    rows = [(name, metrics), (resolve(name.partition(".")[0]).name, paper)]
    if all("PrivateTest" in m for _, m in rows):
        words += "\n\n| | FER2013's labels | FER+'s majority | recall of neutral |\n|---|---|---|---|\n"
        for title, m in rows:
            test = answering_figures(m)
            votes = f"{test['votes']['accuracy']:.1%}" if "votes" in test else "–"
            words += f"| `{title}` | {test['accuracy']:.1%} | {votes} | {test['recall']['neutral']:.0%} |\n"
    return words.strip()
