"""The table of the compared systems: every row of the paper's tables, and where each is built."""

import json
import re
from pathlib import Path

import timm

from fer_demo.tradeoffs.published import human, systems
from training.report.systems import NOT_TRAINED, built, reached, systems_table

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"


def test_the_docs_show_the_table():
    assert systems_table() in (DOCS / "models.md").read_text(encoding="utf-8")


def test_the_links_lead_from_the_docs_to_files():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", systems_table()) if not link.startswith("https://")]
    assert len(links) >= 14
    assert [link for link in links if not (DOCS / link).is_file()] == []


def test_both_tables_of_the_paper_are_complete():
    rows = {(r.table, round(r.accuracy * 100, 2)) for s in systems() for r in s.results if r.table}
    assert rows == {
        *((2, a) for a in (71.2, 71.33, 71.86, 72.7, 70.69)),
        *((3, a) for a in (87.0, 80.0, 84.7, 85.4)),
    }


def test_every_registered_model_is_a_system():
    assert sorted(s.model for s in systems()) == timm.list_models("fer_*")


def test_every_source_can_be_found():
    assert [s.source.title for s in systems() if s.source and not s.source.url and s.source.year != 2019] == []
    assert human().source.url == "https://arxiv.org/abs/1307.0414"


def test_the_file_that_builds_it():
    parameters, macs, file = built("fer_sedense")
    assert (parameters, round(macs, 1), file) == (480_763, 210.6, "fer_demo/models/sedense.py")
    assert (ROOT / file).is_file()


def test_what_was_reached(tmp_path):
    system = next(s for s in systems() if s.model == "fer_li_dlp")
    assert reached(system, "fer2013", tmp_path) == NOT_TRAINED
    record = tmp_path / "systems-fer_li_dlp"
    record.mkdir()
    (record / "config.json").write_text(json.dumps({"epochs": 6, "sizes": [[0, 24], [3, 48]]}))
    (record / "metrics.json").write_text(json.dumps({"PrivateTest": {"accuracy": 0.5, "interval": [0.48, 0.52]}}))
    assert reached(system, "fer2013", tmp_path) == "50.00% (48.0%–52.0%), 6 epochs at 24 and 48 px"
    assert reached(system, "raf_single", tmp_path) == NOT_TRAINED
