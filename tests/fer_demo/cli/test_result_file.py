"""Where a command's result goes is looked at before its work, which may take hours, begins."""

import argparse
import os
import re
from pathlib import Path

import pytest

from fer_demo.__main__ import main as fer_demo
from fer_demo.cli.result_file import result_file
from training.__main__ import main as training

ROOT = Path(__file__).parents[3]


def test_what_can_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.json").write_text("{}")
    for name in ("old.json", "new.json", "a/b/new.json", str(tmp_path / "c" / "new.json")):
        assert result_file(name) == Path(name)
    assert not (tmp_path / "a").exists()


def test_what_cannot(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        argparse.ArgumentTypeError, match=f"^{re.escape(str(tmp_path))} is a folder; name a file in it$"
    ):
        result_file(str(tmp_path))
    with pytest.raises(argparse.ArgumentTypeError, match=r"file is a file, so that .* lie in it; name"):
        result_file(str(tmp_path / "file" / "out.json"))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_place_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(argparse.ArgumentTypeError, match="may not be written; name another place"):
        result_file(str(tmp_path / "out.json"))


def test_commands_that_take_long_look_first(tmp_path, capsys):
    for command in ("faithfulness fer_sedense_nano", "evaluate fer_sedense_nano", "robustness", "photos", "ferplus"):
        with pytest.raises(SystemExit):
            training([*command.split(), "--out", str(tmp_path)])
        assert f"argument --out: {tmp_path} is a folder; name a file in it" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        fer_demo(["export", "fer_sedense_nano", "--out", str(tmp_path)])
    assert f"argument --out: {tmp_path} is a folder; name a file in it" in capsys.readouterr().err


def test_no_command_takes_just_any_path():
    """A result that is one file has `result_file` for a type; folders and the like say what they are."""
    option = re.compile(r"\"--(?:out|csv)\", type=Path[^\n]*help=\"(?:write|the f)[^\n]*")
    files = [file for folder in ("fer_demo/cli", "training/cli") for file in (ROOT / folder).glob("*.py")]
    assert not [f"{file.name}: {found}" for file in files for found in option.findall(file.read_text())]
