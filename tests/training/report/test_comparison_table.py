"""The table of a comparison."""

import json

import pytest

from training.__main__ import main
from training.report.comparison_table import comparison_table
from training.run.plans import METRICS, compared, load_plan


def keep(out, run, public, private, given=None):
    """The figures of a run that was evaluated."""
    (out / run).mkdir()
    figures = {"PublicTest": {"accuracy": public}, "PrivateTest": {"accuracy": private}}
    landmarks = {"landmarks": {"PublicTest": {"accuracy": given}}} if given else {}
    (out / run / METRICS).write_text(json.dumps(figures | landmarks))


def test_gains_stand_with_their_interval_over_seeds(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("settings: {epochs: 1}\nvariants: {plain: {}, other: {lr: 0.2}, third: {lr: 0.3}, last: {lr: 1.0}}")
    for seed, (plain, other) in enumerate([(0.60, 0.61), (0.62, 0.62), (0.61, 0.63)]):
        keep(tmp_path, f"p-plain-seed{seed}", plain, plain + 0.01)
        keep(tmp_path, f"p-other-seed{seed}", other, other + 0.01, other - 0.01)
    keep(tmp_path, "p-third-seed1", 0.60, 0.65)
    # Differences 1, 0 and 2 points: mean 1, standard deviation 1, t 4.303 for two degrees of freedom.
    assert comparison_table(compared(load_plan(file), tmp_path, 3)).splitlines() == [
        "|  | seeds | PublicTest | gain | PrivateTest | gain |",
        "|---|---|---|---|---|---|",
        "| plain | 3 | 61.00 ± 1.00 |  | 62.00 ± 1.00 |  |",
        "| other | 3 | 62.00 ± 1.00 | +1.00 (-1.48 to +3.48) | 63.00 ± 1.00 | +1.00 (-1.48 to +3.48) |",
        "| other, with landmarks | 3 | 61.00 ± 1.00 | +0.00 (-2.48 to +2.48) |  |  |",
        "| third | 1 | 60.00 | -2.00 | 65.00 | +2.00 |",
    ]


def test_the_command_prints_it_without_training(tmp_path, capsys):
    file = tmp_path / "p.yaml"
    file.write_text("settings: {epochs: 1}\nvariants: {plain: {}}")
    assert main(["compare", str(file), "--table", "--out", str(tmp_path)]) == 2
    assert "holds no run of p that was evaluated: name another --out." in capsys.readouterr().err
    keep(tmp_path, "p-plain-seed0", 0.5, 0.51)
    assert main(["compare", str(file), "--table", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "| plain | 1 | 50.00 |  | 51.00 |  |"


@pytest.mark.parametrize(
    ("options", "said"), [([], "--out is missing"), (["--processes", "0"], "--processes must be 1")]
)
def test_what_is_missing_is_said(options, said, capsys):
    assert main(["compare", "attention", *options]) == 2
    assert said in capsys.readouterr().err
