"""The compared systems as docs/models.md has them: what is printed of each, what was built, what was reached here."""

import inspect
from pathlib import Path

import timm

import fer_demo
from fer_demo.checkpoints import bundled_checkpoints, checkpoint_metrics
from fer_demo.files import read_json
from fer_demo.tradeoffs.costs import network_costs
from fer_demo.tradeoffs.measures import NOT_TRAINED, not_trained
from fer_demo.tradeoffs.published import System, data_sets, systems
from training.eval.reproduce import percent
from training.report.reproduced import METRICS, reproduced_runs
from training.report.schedule import schedule
from training.run.runlog import RUNS, read_run
from training.run.storage import read_back


def built(model: str) -> tuple[int, float, str]:
    """Trained parameters, multiply-accumulates of one picture in millions, and the file that builds it.

    Args:
        model: A registered name; counted at the input size of its default tag.
    """
    network = timm.create_model(model, device="meta")
    costs = network_costs(model, network.pretrained_cfg["input_size"][-1])
    file = Path(inspect.getfile(type(network))).relative_to(Path(fer_demo.__file__).parents[1])
    return costs.parameters, costs.macs / 1e6, file.as_posix()


def reached(system: System, data: str, runs: Path = RUNS) -> str:
    """PrivateTest accuracy reached here with a system: by its own recipe, its checkpoint's, by the common schedule.

    Args:
        system: Which one.
        data: ``"fer2013"`` or ``"raf_single"``.
        runs: The folder of records.
    """
    found = []
    for name in bundled_checkpoints():
        own = name.partition(".")[0] == system.model and name.endswith(f"_{data}")
        # Weights with an operating point were made for other labels than those that the systems are compared by.
        if own and (checkpoint := checkpoint_metrics(name)) and "operating_point" not in checkpoint["training"]:
            found.append((checkpoint, checkpoint["training"]))
    record = runs / f"systems-{system.model}"
    if data == "fer2013" and (record / METRICS).is_file():
        with read_back(record / METRICS, "restore it from the repository"):
            metrics = read_json(record / METRICS)
            percent(metrics["PrivateTest"])  # a file without it is damaged
        found.append((metrics, {"recipe": read_run(record).config}))
    texts = [
        f"{one.accuracy:.2%} ({one.interval[0]:.1%}–{one.interval[1]:.1%}), {one.schedule}"
        for one in reproduced_runs(runs)
        if (one.model, one.data) == (system.model, data)
    ]
    texts += [f"{percent(metrics['PrivateTest'])}, {schedule(training)}" for metrics, training in found]
    return "; ".join(texts) or not_trained(system.model, data)


def systems_table(runs: Path = RUNS) -> str:
    """The table, one row for each system and data set.

    Args:
        runs: The folder of records.

    Returns:
        Markdown, with links as they lead from a file in ``docs/``.
    """
    titles = (
        "system",
        "built in",
        "parameters: printed",
        "built",
        "M multiply-accumulates",
        "data",
        "published",
        "here",
    )
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for system in systems():
        parameters, macs, file = built(system.model)
        name = f"[{system.name}]({system.source.url})" if system.source and system.source.url else system.name
        for data in data_sets():
            result = next((r for r in system.results if r.data == data), None)
            here = reached(system, data, runs)
            if result is None and here == NOT_TRAINED:
                continue
            printed = (result and result.parameters) or system.parameters
            table = f" (table {result.table})" if result and result.table else ""
            cells = [
                f"{name}: {system.what}",
                f"[`{system.model}`](../{file})",
                f"{printed / 1e6:.3g} M" if printed else "–",
                f"{parameters:,}",
                f"{macs:.1f}",
                data_sets()[data]["title"],
                f"{result.accuracy:.2%}{table}" if result else "–",
                here,
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
