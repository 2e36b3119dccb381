"""What a network costs and what it brings: measured on this machine, trained here, and as published.

Every number carries its kind: *published* by its authors, *reproduced here* with weights that were trained here, or
*not trained* (a network that is built here, without weights). A network's costs are those of its build here.
"""

from fer_demo.tradeoffs.costs import Costs, network_costs
from fer_demo.tradeoffs.measures import KINDS, MEASURES
from fer_demo.tradeoffs.table import Printed, Row, best_within, networks_of, pareto_front, rows_csv, tradeoff_rows
from fer_demo.tradeoffs.timing import Benchmark, Spread, Timing, load_benchmark, measure, save_benchmark
from fer_demo.tradeoffs.turns import BUSY

__all__ = [
    "BUSY",
    "KINDS",
    "MEASURES",
    "Benchmark",
    "Costs",
    "Printed",
    "Row",
    "Spread",
    "Timing",
    "best_within",
    "load_benchmark",
    "measure",
    "network_costs",
    "networks_of",
    "pareto_front",
    "rows_csv",
    "save_benchmark",
    "tradeoff_rows",
]
