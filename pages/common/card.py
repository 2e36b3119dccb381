"""Reads a checkpoint's model card and figures for the pages."""

import re

from fer_demo.checkpoints import CARD_FILE, UnknownModelError, checkpoint_metrics, resolve
from fer_demo.tradeoffs.published import human


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
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"\A\s*# .*\n", "", text)
    return re.sub(r"^(#+ )", r"#\1", text, flags=re.MULTILINE).strip()


def headline_figures(name: str) -> list[tuple[str, str, str]]:
    """The figures that stand at the top of the page.

    Args:
        name: ``<architecture>.<tag>``.

    Returns:
        Label, value, and what it means; figures that the checkpoint's ``metrics.json`` lacks are left out.

    Raises:
        ModelError: If the checkpoint is damaged.
    """
    metrics = checkpoint_metrics(name)
    test = metrics.get("PrivateTest", {})
    figures = []
    if "accuracy" in test:
        low, high = (f"{100 * v:.1f}" for v in test["interval"])
        note = f"of {test['n']:,} FER2013 test pictures; 95 % interval {low} to {high} %"
        figures.append(("Right answers", f"{test['accuracy']:.1%}", note))
        figures.append(("People", str(human()), "on pictures of the same set (Goodfellow et al. 2013)"))
    if "ece_calibrated" in test:
        note = "mean gap between stated confidence and share of right answers"
        figures.append(("Calibration error", f"{100 * test['ece_calibrated']:.1f} points", note))
    if "parameters" in metrics:
        figures.append(("Parameters", f"{metrics['parameters'] / 1e6:.2f} M", f"exactly {metrics['parameters']:,}"))
    return figures
