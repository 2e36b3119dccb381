"""What `pip install .` puts into an environment, tried outside the checkout."""

import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from PIL import Image

from fer_demo.checkpoints import bundled_checkpoints, checkpoints_dir
from fer_demo.vision.samples import SAMPLES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> Path:
    """A folder into which the wheel was installed; what it depends on comes from this environment."""
    if not bundled_checkpoints():
        pytest.skip("no checkpoint is bundled yet")
    folder = tmp_path_factory.mktemp("install") / "site"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", folder, wheel]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return folder


def installed(site: Path, *command: str) -> str:
    """Runs a program that sees the installed package instead of the checkout; its output."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=site.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_the_whole_package(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    kinds = ("*.py", "*.css", "*.js", "*.mjs", "*.html", "*.json")
    sources = {str(p.relative_to(ROOT)) for kind in kinds for p in (ROOT / "fer_demo").rglob(kind)}
    assert sources <= held
    weights = {f"fer_demo/_checkpoints/{p.parent.name}/{p.name}" for p in checkpoints_dir().glob("*/*")}
    assert weights <= held
    assert not [n for n in held if n.startswith(("training/", "tests/", "pages/"))]


def test_the_wheel_says_that_the_weights_are_not_under_the_licence_of_the_code(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
    assert metadata["License-Expression"] == "MIT AND LicenseRef-weights-for-research-and-education"
    cards = [f"checkpoints/{name}/README.md" for name in bundled_checkpoints()]
    assert sorted(metadata.get_all("License-File")) == sorted(["LICENSE", *cards])
    for card in cards:
        assert "for research and education" in (ROOT / card).read_text(encoding="utf-8")


def test_an_install_elsewhere_brings_its_weights(site):
    code = (
        "import fer_demo, timm, torch, pathlib\n"
        f"assert pathlib.Path(fer_demo.__file__).is_relative_to({str(site)!r}), fer_demo.__file__\n"
        f"for name in {bundled_checkpoints()!r}:\n"
        "    model = timm.create_model(name, pretrained=True).eval()\n"
        "    print(name, model(torch.zeros(1, *model.pretrained_cfg['input_size'])).shape)\n"
        "    print(timm.create_model(name.split('.')[0], pretrained=True).pretrained_cfg['tag'])\n"
    )
    printed = installed(site, sys.executable, "-c", code)
    for name in bundled_checkpoints():
        assert f"{name} torch.Size([1, 7])" in printed


def test_an_install_elsewhere_brings_the_command(site, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(SAMPLES[0].load()).save(photo)
    assert "face at" in installed(site, str(site / "bin" / "fer-demo"), "predict", str(photo))


def test_an_install_elsewhere_offers_no_comparison_that_needs_the_trainer(site):
    text = installed(site, str(site / "bin" / "fer-demo"), "benchmark", "--help")
    assert "--models" in text and "--peers" not in text and "--engines" not in text
