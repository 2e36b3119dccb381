"""The comparison of the engines: what is measured, its table and its command."""

import json
import time

import pytest

from training.__main__ import main
from training.bench import engines
from training.bench.engines import EngineSpeed, engine_table, measure_engines
from training.bench.peers.results import PeerError

NAME = "fer_sedense_s2.tune_fer2013"
FOUND = {
    "start": 0.41,
    "memory": 152_000_000,
    "one": 0.0016,
    "many": 0.0015,
    "operations": 80e9,
    "detection": 0.0279,
    "frame": 0.0301,
    "photo": 0.0184,
    "photo_products": 0.71,
    "size": 48,
}


@pytest.mark.parametrize(("source", "engine"), [(NAME, "onnx"), (NAME, "torch"), ("fer_sedense_nano", "torch")])
def test_what_is_measured(source, engine, monkeypatch):
    monkeypatch.setattr(engines, "REPEATS", 2)
    found = engines._measure(source, engine, time.time() - 100)
    assert found.keys() == FOUND.keys() and found["size"] == 48
    assert 100 < found["start"] < 160
    assert 50e6 < found["memory"] < 20e9
    assert 1e-5 < found["many"] < 1 and 1e-5 < found["one"] < 1
    assert 1e9 < found["operations"] < 1e13
    assert 0.001 < found["detection"] < 10 and 0.001 < found["frame"] < 10
    assert 0.001 < found["photo"] < 10 and 0.02 < found["photo_products"] < 200


def test_each_network_runs_in_each_engine(monkeypatch, tmp_path):
    commands = []

    def run(name, command, environment):
        commands.append(command[3:5])
        return dict(FOUND)

    monkeypatch.setattr(engines, "run_runner", run)
    said = []
    results = list(measure_engines([NAME, "fer_sedense_nano"], said.append))
    assert [(r.model, r.engine) for r in results] == [
        (NAME, "onnx"),
        (NAME, "torch"),
        ("fer_sedense_nano", "onnx"),
        ("fer_sedense_nano", "torch"),
    ]
    assert commands[0] == [NAME, "onnx"] and commands[3] == ["fer_sedense_nano", "torch"]
    assert commands[2][0].endswith("fer_sedense_nano.onnx")  # no checkpoint: exported for the occasion
    assert len(said) == 4
    # 52.8 million multiply-accumulates in 1.5 ms are 70 of 80 billion operations a second.
    assert results[0].matrix_share == pytest.approx(2 * 52.8e6 / 0.0015 / 80e9, rel=1e-3)


def test_table():
    row = EngineSpeed(NAME, "onnx", 0.41, 152_000_000, 0.0016, 0.0015, 0.88, 0.0279, 0.0301, 0.0184, 0.71)
    lines = engine_table([row]).splitlines()
    assert len(lines) == 3 and len({line.count("|") for line in lines}) == 1
    assert lines[2] == (
        f"| `{NAME}` | onnx | 0.4 s | 152 MB | 1.6 ms | 1.5 ms | 88 % | 28 ms | 30 ms | 33 | 18.4 ms | 0.71 |"
    )
    assert "307×312 photo to answer" in lines[0]


class TestCommand:
    @pytest.fixture
    def measured(self, monkeypatch):
        def measure(models, progress):
            yield EngineSpeed(
                (models or [NAME])[0],
                "onnx",
                **{k: 1 for k in EngineSpeed.__dataclass_fields__ if k not in ("model", "engine")},
            )
            if models == ["fer_sedense_gc"]:
                raise PeerError("It failed.")

        monkeypatch.setattr(engines, "measure_engines", measure)

    def test_table(self, measured, capsys):
        assert main(["benchmark", "engines"]) == 0
        said = capsys.readouterr().out
        assert f"`{NAME}` | onnx" in said and "one core" in said

    def test_json(self, measured, capsys):
        assert main(["benchmark", "engines", "--json", "--models", "fer_sedense"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["machine"]["processor"] and found["results"][0]["model"] == "fer_sedense"

    def test_a_failure_keeps_what_was_measured(self, measured, capsys):
        assert main(["benchmark", "engines", "--models", "fer_sedense_gc"]) == 1
        said = capsys.readouterr()
        assert "fer_sedense_gc" in said.out and said.err == "error: It failed.\n"

    def test_an_unknown_network(self, capsys):
        assert main(["benchmark", "engines", "--models", "resnet18"]) == 2
        assert capsys.readouterr().err.startswith("error: There is no network resnet18; choose from ")


@pytest.mark.slow
def test_for_real(capsys):
    assert main(["benchmark", "engines", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    onnx, torch = (next(r for r in results if r["engine"] == engine) for engine in ("onnx", "torch"))
    assert onnx["start"] < torch["start"] and onnx["memory"] < torch["memory"] / 2
    assert 0.2 < onnx["matrix_share"] < 1.2
