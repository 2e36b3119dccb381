"""Plotly figures of runs and evaluations, as pure functions from records."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from fer_demo.emotions import LABELS
from fer_demo.figures import blank_figure
from training.run.runlog import Run

PALETTE = ("#4B4FB8", "#C2185B", "#00838F", "#8D6E00", "#6D4C41", "#2E7D32", "#7B1FA2", "#546E7A")
"""Line colours of runs: apart from each other on white and on black, and from the seven emotion colours."""

DASHES = ("solid", "dash", "dot", "dashdot")
"""So that lines can be told apart without colour."""

MEASURES = {
    "PublicTest accuracy": ("public_accuracy", ".0%"),
    "PublicTest loss": ("public_loss", ".2f"),
    "training loss": ("train_loss", ".2f"),
    "learning rate": ("lr", "~g"),
}
"""What a curve can show: title to column of ``log.csv`` and the axis's number format."""


def curves(runs: Sequence[Run], measure: str = "PublicTest accuracy", height: int = 360) -> go.Figure:
    """One line a run, a point an epoch; the chosen epoch is marked where the measure is PublicTest's.

    Args:
        runs: At most as many as a reader can tell apart.
        measure: A key of `MEASURES`.
        height: Pixels.
    """
    column, tick = MEASURES[measure]
    legend = {"orientation": "h", "y": -0.25, "x": 0}
    fig = blank_figure(height, legend=legend, hovermode="closest", showlegend=True)
    for i, run in enumerate(runs):
        rows = [row for row in run.history if column in row]
        x = [int(row["epoch"]) for row in rows]
        y = [row[column] for row in rows]
        line = {"color": PALETTE[i % len(PALETTE)], "dash": DASHES[i // len(PALETTE) % len(DASHES)], "width": 2}
        shown = ".1%" if tick.endswith("%") else ".4~g"
        fig.add_scatter(
            x=x,
            y=y,
            name=run.name,
            mode="lines+markers",
            line=line,
            marker={"size": 4},
            customdata=[[int(row["size"])] for row in rows],
            hovertemplate=f"{run.name}, epoch %{{x}} at %{{customdata[0]}} px: %{{y:{shown}}}<extra></extra>",
        )
        chosen = run.record.get("best", {}).get("epoch", -1)
        if column.startswith("public") and chosen in x:
            fig.add_scatter(
                x=[chosen],
                y=[y[x.index(chosen)]],
                mode="markers",
                showlegend=False,
                hoverinfo="skip",
                marker={"size": 12, "symbol": "circle-open", "color": line["color"], "line": {"width": 2}},
            )
    fig.update_xaxes(title="epoch")
    fig.update_yaxes(title=measure, tickformat=tick)
    return fig


def confusion(matrix: Sequence[Sequence[int]], height: int = 420, classes: Sequence[str] = LABELS) -> go.Figure:
    """Rows are true classes, columns the answers; colours are shares of a row, numbers on hover are pictures.

    Args:
        matrix: Counts, (C, C), in the order of `classes`.
        height: Pixels.
        classes: The names of the classes.
    """
    counts = np.asarray(matrix)
    totals = np.maximum(counts.sum(1, keepdims=True), 1)
    shares = counts / totals
    fig = blank_figure(height)
    fig.add_heatmap(
        z=shares,
        x=list(classes),
        y=list(classes),
        customdata=counts,
        zmin=0,
        zmax=1,
        colorscale="Blues",
        showscale=False,
        xgap=2,
        ygap=2,
        text=[[f"{100 * v:.0f}" for v in row] for row in shares],
        texttemplate="%{text}",
        hovertemplate="%{y} taken for %{x}: %{customdata} pictures, %{z:.1%}<extra></extra>",
    )
    fig.update_yaxes(autorange="reversed", title="true expression")
    fig.update_xaxes(title="answer, % of the true expression's pictures", side="top", tickangle=-40)
    return fig


def calibration(bins: Mapping[str, Sequence[Sequence[float]]], height: int = 420) -> go.Figure:
    """How often the answer was right against how sure it was; on the diagonal, confidence can be taken at its word.

    Args:
        bins: Title to rows ``[count, mean confidence, accuracy]``, as `training.eval.metrics.reliability` gives them.
        height: Pixels.
    """
    fig = blank_figure(height, legend={"orientation": "h", "y": -0.25, "x": 0})
    fig.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": "rgba(127,127,127,0.8)", "dash": "dash"},
        name="perfectly calibrated",
        hoverinfo="skip",
    )
    for i, (title, rows) in enumerate(bins.items()):
        n, confidence, right = np.asarray(rows, dtype=float).T
        size = 6 + 16 * np.sqrt(n / n.max())
        fig.add_scatter(
            x=confidence,
            y=right,
            mode="lines+markers",
            name=title,
            customdata=n,
            marker={"size": size, "color": PALETTE[i], "opacity": 0.75},
            line={"color": PALETTE[i], "width": 2},
            hovertemplate="%{customdata:.0f} answers that were %{x:.0%} sure: %{y:.0%} right<extra></extra>",
        )
    fig.update_xaxes(title="stated confidence", tickformat=".0%", range=[0, 1.02])
    fig.update_yaxes(title="share that was right", tickformat=".0%", range=[0, 1.05])
    return fig


def recall_bars(parts: Mapping[str, Mapping[str, float]], height: int = 300) -> go.Figure:
    """Recall by class, a bar a set of answers.

    Args:
        parts: Title to class name to recall in [0, 1].
        height: Pixels.
    """
    legend = {"orientation": "h", "y": -0.2, "x": 0}
    fig = blank_figure(height, barmode="group", bargap=0.25, legend=legend, showlegend=len(parts) > 1)
    for i, (title, recall) in enumerate(parts.items()):
        fig.add_bar(
            x=list(recall),
            y=list(recall.values()),
            name=title,
            marker={"color": PALETTE[i % len(PALETTE)], "cornerradius": 3},
            hovertemplate=f"{title}, %{{x}}: %{{y:.1%}} recognised<extra></extra>",
        )
    fig.update_yaxes(tickformat=".0%", range=[0, 1], title="recognised")
    return fig
