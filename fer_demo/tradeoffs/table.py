"""Every system as a row: what it costs and what it brings, with each number's kind."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import timm

from fer_demo.checkpoints import WEIGHTS_FILE, bundled_checkpoints, checkpoint_dir, checkpoint_metrics
from fer_demo.provenance import answering_figures
from fer_demo.stats import wilson
from fer_demo.tradeoffs.costs import network_costs
from fer_demo.tradeoffs.measures import MEASURES, NOT_TRAINED, PUBLISHED, REPRODUCED
from fer_demo.tradeoffs.published import PublishedResult, System, data_sets, systems
from fer_demo.tradeoffs.reproduced import Reproduced, reproductions
from fer_demo.tradeoffs.timing import Benchmark, Network, Timing


@dataclass(frozen=True)
class Printed:
    """What is printed of a row's system.

    Attributes:
        system: The system.
        result: Its accuracy on the row's data set.
    """

    system: System
    result: PublishedResult

    @property
    def this_paper(self) -> bool:
        """Whether it is the paper that this project rebuilds, the first one in the file."""
        return self.system.source == systems()[0].source

    @property
    def parameters(self) -> int | None:
        """As printed beside the accuracy."""
        return self.result.parameters or self.system.parameters


@dataclass(frozen=True)
class Row:
    """One system on one data set.

    Attributes:
        key: Tells it from all others.
        title: Its name, for people.
        kind: A key of `KINDS`: what its accuracy is worth.
        data: A key of `data_sets`.
        size: Side of its input in pixels.
        values: Key of `MEASURES` to number; what is not known is left out.
        intervals: Key of `MEASURES` to low and high: 95 % Wilson intervals of accuracies, quartiles of times.
        model: The name registered with timm; None for a system that is not built here.
        checkpoint: Name of the bundled weights, or None.
        published: What was printed about it, or None.
        reproduced: How it was trained here, for weights that are not bundled; None for all others.
        timing: What its times were measured with and beside, or None.
    """

    key: str
    title: str
    kind: str
    data: str
    size: int
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    model: str | None = None
    checkpoint: str | None = None
    published: Printed | None = None
    reproduced: Reproduced | None = None
    timing: Timing | None = None

    @property
    def usable(self) -> bool:
        """Whether its accuracy is that of weights that are bundled."""
        return self.kind == REPRODUCED and self.checkpoint is not None

    @property
    def network(self) -> Network | None:
        """What a benchmark measures for it."""
        return (self.model, self.size) if self.model else None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers in the stored units, for JSON and CSV."""
        flat: dict[str, Any] = {"system": self.title, "kind": self.kind, "data": self.data, "input": self.size}
        flat |= {"model": self.model, "checkpoint": self.checkpoint}
        for name in MEASURES:
            value, interval = self.values.get(name), self.intervals.get(name)
            flat[name] = _rounded(value)
            if name in ("latency", "throughput", "accuracy", "ferplus"):
                flat[f"{name}_low"], flat[f"{name}_high"] = map(_rounded, interval or (None, None))
        flat["engine"] = self.timing.engine if self.timing else None
        flat["busy"] = _rounded(self.timing.busy) if self.timing else None
        # Numbers in one of the paper's tables are those that it prints, of other systems too.
        source = self.published and (systems()[0] if self.published.result.table else self.published.system).source
        flat["source"] = str(source) if source else None
        return flat


def tradeoff_rows(benchmark: Benchmark | None = None) -> list[Row]:
    """All rows: published figures, then bundled checkpoints, then what else was trained here, then all other networks.

    Args:
        benchmark: Where latency and throughput come from; None leaves them out.
    """
    rows = [_published_row(Printed(system, result)) for system in systems() for result in system.results]
    rows += [row for name in bundled_checkpoints() if (row := _checkpoint_row(name))]
    rows += [_reproduced_row(one) for one in reproductions()]
    known = {row.model for row in rows}
    rows += [_untrained_row(model) for model in timm.list_models("fer_*") if model not in known]
    return [_with_costs(row, benchmark) for row in rows]


def networks_of(rows: Iterable[Row]) -> list[Network]:
    """What a benchmark measures for these rows, each network once: the lightest first, so that results come soon."""
    found = {row.network: row.values["macs"] for row in rows if row.network}
    return sorted(found, key=found.__getitem__)


def _published_row(printed: Printed) -> Row:
    system, result = printed.system, printed.result
    data = data_sets()[result.data]
    # Another count for this data set belongs to another build, which is not here; nor is a name without a network.
    built = result.parameters in (None, system.parameters) and timm.is_model(system.model)
    return Row(
        key=f"published-{system.model}-{result.data}",
        title=f"{system.name} (this paper)" if printed.this_paper else system.name,
        kind=PUBLISHED,
        data=result.data,
        size=data["size"],
        values=_known(accuracy=result.accuracy, parameters=printed.parameters),
        intervals={"accuracy": wilson(result.accuracy, data["test_pictures"])},
        model=system.model if built else None,
        published=printed,
    )


def _checkpoint_row(name: str) -> Row | None:
    metrics = checkpoint_metrics(name)
    model, _, tag = name.partition(".")
    data = next((key for key in data_sets() if tag.endswith(key)), None)
    test = answering_figures(metrics)
    votes = test.get("votes", {})
    if data is None or not timm.is_model(model):
        return None
    return Row(
        key=name,
        title=name,
        kind=REPRODUCED if "accuracy" in test else NOT_TRAINED,
        data=data,
        size=metrics.get("size", [data_sets()[data]["size"]])[0],
        values=_known(
            file_bytes=(checkpoint_dir(name) / WEIGHTS_FILE).stat().st_size,
            accuracy=test.get("accuracy"),
            ferplus=votes.get("accuracy"),
        ),
        intervals={
            measure: tuple(figures["interval"])
            for measure, figures in (("accuracy", test), ("ferplus", votes))
            if "interval" in figures
        },
        model=model,
        checkpoint=name,
    )


def _reproduced_row(found: Reproduced) -> Row:
    return Row(
        key=f"reproduced-{found.name}",
        title=found.name,
        kind=REPRODUCED,
        data=found.data,
        size=found.size,
        values={"accuracy": found.accuracy},
        intervals={"accuracy": found.interval},
        model=found.model,
        reproduced=found,
    )


def _untrained_row(model: str) -> Row:
    cfg = timm.get_pretrained_cfg(model)
    data = next((key for key in data_sets() if cfg and str(cfg.tag).endswith(key)), next(iter(data_sets())))
    return Row(f"untrained-{model}", model, NOT_TRAINED, data, data_sets()[data]["size"], {}, model=model)


def _with_costs(row: Row, benchmark: Benchmark | None) -> Row:
    """The row with what its build here costs, where it has no number of its own."""
    values: dict[str, float] = {}
    intervals = dict(row.intervals)
    timing = benchmark.timings.get(row.network) if benchmark and row.network else None
    if row.network:
        costs = network_costs(*row.network)
        values |= {name: getattr(costs, name) for name in ("parameters", "macs", "activation_bytes", "file_bytes")}
    if timing:
        for name in ("latency", "throughput"):
            spread = getattr(timing, name)
            values[name], intervals[name] = spread.median, (spread.low, spread.high)
        values["products"] = timing.products
    return replace(row, values=values | dict(row.values), intervals=intervals, timing=timing)


def pareto_front(rows: Iterable[Row], x: str, y: str) -> list[Row]:
    """The rows that no other row beats: none is as good in both measures and better in one.

    Args:
        rows: Rows of one data set; those that lack one of the two numbers are passed over.
        x: A key of `MEASURES`.
        y: Another one.

    Returns:
        The front, by `x` from low to high.
    """

    def good(row: Row) -> tuple[float, float]:
        a, b = (row.values[m] if MEASURES[m].high_is_good else -row.values[m] for m in (x, y))
        return a, b

    full = [row for row in rows if x in row.values and y in row.values]
    front = [
        row
        for row in full
        if not any(a >= c and b >= d and (a, b) != (c, d) for a, b in map(good, full) for c, d in (good(row),))
    ]
    return sorted(front, key=lambda row: (row.values[x], row.values[y]))


def best_within(rows: Iterable[Row], data: str, limits: Mapping[str, float | None]) -> tuple[list[Row], list[Row]]:
    """What is most accurate under some limits.

    Args:
        rows: From `tradeoff_rows`.
        data: The data set on which accuracies are compared.
        limits: Key of `MEASURES` to the largest number allowed, or None for no limit, in the stored units.

    Returns:
        The rows that keep all limits, the most accurate first; and those of which nobody knows, since a number is
        missing and the others keep their limits.
    """
    fitting: list[Row] = []
    unknown: list[Row] = []
    asked = {name: limit for name, limit in limits.items() if limit is not None}
    for row in rows:
        if row.data != data or "accuracy" not in row.values:
            continue
        if any(row.values.get(name, limit) > limit for name, limit in asked.items()):
            continue
        (fitting if asked.keys() <= row.values.keys() else unknown).append(row)
    return sorted(fitting, key=lambda r: -r.values["accuracy"]), unknown


def _known(**values: float | None) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _rounded(value: float | None) -> float | None:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of the same columns as CSV; empty for none."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def rows_csv(rows: Iterable[Row]) -> str:
    """`Row.to_dict` of each row as CSV; bytes, seconds and fractions as they are stored."""
    return csv_text([row.to_dict() for row in rows])
