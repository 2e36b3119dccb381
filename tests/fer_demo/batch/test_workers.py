"""Reading with several processes: the same answers as one, whatever happens to a process."""

import io
import itertools
import os
import shutil
import signal
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from fer_demo import ModelError, Predictor
from fer_demo.batch import Item, Pool, Settings, Sources, answers
from fer_demo.batch.work import CHUNK
from fer_demo.checkpoints import bundled_checkpoints

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not bundled_checkpoints(), reason="no trained checkpoint is bundled"),
]


@pytest.fixture(scope="module")
def photo(astronaut) -> bytes:
    file = io.BytesIO()
    Image.fromarray(astronaut[:300, 50:400]).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photo) -> Path:
    """One with a face, one without, a bad one, and an archive of each kind with one of each."""
    root = tmp_path_factory.mktemp("photos")
    (root / "a.jpg").write_bytes(photo)
    (root / "bad.jpg").write_text("no picture")
    Image.new("RGB", (64, 48), "gray").save(root / "none.png")
    names = ("a.jpg", "bad.jpg", "none.png")
    with zipfile.ZipFile(root / "x.zip", "w") as file:
        for name in names:
            file.write(root / name, name)
    for ending, mode in (("tar", "w"), ("tar.gz", "w:gz")):
        with tarfile.open(root / f"x.{ending}", mode) as file:
            for name in names:
                file.add(root / name, name)
    return root


def test_the_same_answers_as_one_process_in_the_same_order(folder):
    paths = [folder / "a.jpg", folder / "bad.jpg", folder / "none.png", *map(folder.joinpath, ("x.zip", "x.tar"))]
    items = list(Sources([*paths, folder / "x.tar.gz"]))
    found = list(answers(items, processes=2))
    assert [answer.name for answer in found] == [item.name for item in items] and len(found) == 12
    (face,) = Predictor(threads=1).predict(folder / "a.jpg")
    for one, bad, none in zip(found[::3], found[1::3], found[2::3], strict=True):
        assert [f.to_dict() for f in one.faces] == [face.to_dict()] and one.faces.file == one.name
        assert bad.error.startswith(f"{bad.name} is not a picture")
        assert none.error is None and none.faces == [] and none.faces.width == 64


def test_a_picture_that_kills_its_process_twice_is_a_bad_file(folder, tmp_path, monkeypatch):
    trap = tmp_path / "sitecustomize.py"
    trap.write_text(
        "import fer_demo.batch.items as items, os\n"
        "plain = items.Item.source\n"
        "def source(self):\n"
        "    if 'deadly' in self.name: os.kill(os.getpid(), 9)\n"
        "    if 'sleepy' in self.name:\n"
        "        import time; time.sleep(600)\n"
        "    return plain(self)\n"
        "items.Item.source = source\n"
    )
    monkeypatch.syspath_prepend(tmp_path)  # what a pool hands on to its processes
    paths = [tmp_path / f"{number:02}{word}.jpg" for number, word in enumerate(["", "", "deadly", "", "sleepy"] * 2)]
    for path in paths:
        shutil.copy(folder / "none.png", path)
    with Pool(Settings(seconds=2, whole_image=True), 2) as pool:
        found = list(pool.answers(map(Item.of, paths)))
        assert pool.replaced == 8
    assert [answer.name for answer in found] == list(map(str, paths))
    for answer in found:
        expected = (
            "ends the process" if "deadly" in answer.name else "longer than 2 s" if "sleepy" in answer.name else ""
        )
        assert (expected in answer.error) if expected else answer.error is None


def test_processes_that_are_killed_lose_nothing(folder):
    """Whatever is killed, and whenever."""
    items = [Item(f"{number}.png", str(folder / "none.png")) for number in range(4 * CHUNK)]
    names = []
    with Pool(Settings(whole_image=True), 2) as pool:
        for answer in pool.answers(items):
            assert answer.error is None
            names.append(answer.name)
            if len(names) in (10, 60):
                os.kill(pool.pids()[0], signal.SIGKILL)
    assert names == [item.name for item in items]


def test_a_pool_can_be_used_again(folder):
    with Pool(Settings(whole_image=True), 1) as pool:
        for _ in range(3):
            assert len(list(pool.answers([Item.of(folder / "none.png")] * (CHUNK + 3)))) == CHUNK + 3
        assert len(pool.pids()) == 1 and pool.replaced == 0


def test_few_pictures_are_under_way(folder):
    taken = itertools.count()
    items = (Item(str(next(taken)), str(folder / "none.png")) for _ in range(10**9))
    with Pool(Settings(whole_image=True), 1) as pool:
        for _ in itertools.islice(pool.answers(items), 5):
            pass
    assert next(taken) < 200


def test_few_bytes_are_under_way(folder, monkeypatch):
    monkeypatch.setattr("fer_demo.batch.work.HELD_BYTES", 1000)
    data, taken = (folder / "none.png").read_bytes(), itertools.count()
    items = (Item(str(next(taken)), data=data.ljust(600)) for _ in range(30))
    with Pool(Settings(whole_image=True), 2) as pool:
        assert next(pool.answers(items)).error is None and next(taken) < 8
        assert len(list(pool.answers(Item(str(n), data=data.ljust(600)) for n in range(30)))) == 30


def test_many_that_are_bad_from_the_start_are_not_held(folder):
    taken = itertools.count()
    items = (Item(str(next(taken)), problem="x.zip is damaged; make it anew.") for _ in range(100_000))
    with Pool(Settings(whole_image=True), 2) as pool:
        assert (
            sum(next(taken) < 1000 and bool(answer.error) for answer in itertools.islice(pool.answers(items), 50)) == 50
        )
        assert pool.pids() == []


def test_processes_end_with_the_pool(folder):
    with Pool(Settings(whole_image=True), 1) as pool:
        next(pool.answers([Item.of(folder / "none.png")] * 100))
        (pid,) = pool.pids()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_model_that_is_not_there_is_one_sentence(folder):
    with pytest.raises(ModelError, match="nothing_like_it"):
        list(answers([folder / "a.jpg"], Settings(model="nothing_like_it"), 1))


def test_processes_that_do_not_start_are_one_sentence(folder, monkeypatch):
    monkeypatch.setattr("sys.executable", shutil.which("true"))
    with pytest.raises(ModelError, match="end when they start"):
        list(answers([folder / "a.jpg"], processes=1))


def test_a_number_of_processes_that_makes_no_sense():
    with pytest.raises(ValueError, match="1 or more"):
        Pool(Settings(), 0)
