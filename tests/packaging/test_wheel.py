"""What `pip install .` puts into an environment, tried outside the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fer_demo.checkpoints import bundled_checkpoints, checkpoints_dir

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("setuptools", reason="setuptools is needed to build a wheel")
    out = tmp_path_factory.mktemp("wheel")
    # Without isolation nothing is downloaded; a copy keeps build folders out of the checkout.
    copy = out / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "fer_demo", "checkpoints"):
        (copy / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", out, copy]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, cwd=out)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_whole_package(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    kinds = ("*.py", "*.css", "*.js", "*.mjs", "*.html", "*.json")
    sources = {str(p.relative_to(ROOT)) for kind in kinds for p in (ROOT / "fer_demo").rglob(kind)}
    assert sources <= held
    weights = {f"fer_demo/_checkpoints/{p.parent.name}/{p.name}" for p in checkpoints_dir().glob("*/*")}
    assert weights <= held
    assert not [n for n in held if n.startswith(("training/", "tests/", "pages/"))]


def test_an_install_elsewhere_brings_its_weights(wheel, tmp_path):
    if not bundled_checkpoints():
        pytest.skip("no checkpoint is bundled yet")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", tmp_path / "site", wheel]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    code = (
        "import fer_demo, timm, torch, pathlib\n"
        f"assert pathlib.Path(fer_demo.__file__).is_relative_to({str(tmp_path)!r}), fer_demo.__file__\n"
        f"for name in {bundled_checkpoints()!r}:\n"
        "    model = timm.create_model(name, pretrained=True).eval()\n"
        "    print(name, model(torch.zeros(1, *model.pretrained_cfg['input_size'])).shape)\n"
        "    print(timm.create_model(name.split('.')[0], pretrained=True).pretrained_cfg['tag'])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in bundled_checkpoints():
        assert f"{name} torch.Size([1, 7])" in done.stdout
