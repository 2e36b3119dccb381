"""What a network costs and what it brings: measured on this machine, trained here, and as published.

Every number carries its kind: *published* by its authors, *reproduced here* with weights that are bundled, or *not
trained* (a network that is built here, without weights). A network's costs are those of its build here.
"""

from fer_demo.tradeoffs.costs import Costs, network_costs
from fer_demo.tradeoffs.published import PublishedFigure, data_sets, people, published_figures, tables
from fer_demo.tradeoffs.table import KINDS, MEASURES, Row, best_within, pareto_front, rows_csv, tradeoff_rows
from fer_demo.tradeoffs.timing import Benchmark, Spread, Timing, load_benchmark, measure, save_benchmark

__all__ = [
    "KINDS",
    "MEASURES",
    "Benchmark",
    "Costs",
    "PublishedFigure",
    "Row",
    "Spread",
    "Timing",
    "best_within",
    "data_sets",
    "load_benchmark",
    "measure",
    "network_costs",
    "pareto_front",
    "people",
    "published_figures",
    "rows_csv",
    "save_benchmark",
    "tables",
    "tradeoff_rows",
]
