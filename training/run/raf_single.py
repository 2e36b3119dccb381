"""RAF-DB's single-label set by the paper's protocol: its counts, and the row of the paper's Table 3."""

import json
from pathlib import Path
from typing import Any

from fer_demo.files import read_json
from fer_demo.tradeoffs.published import systems
from training.data import BadRows, DataError, Faces
from training.data.folders import read_rafdb
from training.eval.evaluate import evaluate
from training.run.config import TrainConfig
from training.run.run_folder import trained_model
from training.run.storage import atomic_write_text

RECIPE = "fer_sedense_s2.paper_raf_single"
COUNTS = {"train": 12_271, "test": 3_068}
"""Of the official archive. The paper prints 12,771 training pictures, but its own total of 15,339 needs these."""

LISTING = Path("EmoLabel", "list_patition_label.txt")
PICTURES = Path("Image", "aligned")
RESULT = "table3.json"


def find_root(path: str | Path) -> Path:
    """The folder with RAF-DB's official layout: the path itself, or ``basic/`` in it.

    Raises:
        DataError: If neither is one.
    """
    path = Path(path).expanduser()
    for root in (path, path / "basic"):
        if (root / LISTING).is_file():
            return root
    raise DataError(f"{path} is not RAF-DB's official archive: it has no {LISTING}; unpack it and give its folder.")


def check_counts(root: Path) -> dict[str, int]:
    """How many pictures of each part the list names and the folder of aligned pictures holds.

    Raises:
        DataError: If one is not the official archive's.
    """
    names = (root / LISTING).read_text(encoding="utf-8-sig", errors="replace").split()
    files = [p.name for p in (root / PICTURES).glob("*_aligned.jpg")] if (root / PICTURES).is_dir() else []
    listed = {part: sum(name.startswith(f"{part}_") for name in names) for part in COUNTS}
    there = {part: sum(name.startswith(f"{part}_") for name in files) for part in COUNTS}
    for place, found in ((LISTING, listed), (PICTURES, there)):
        if found != COUNTS:
            raise DataError(
                f"{root / place} has {found['train']:,} training and {found['test']:,} test pictures, the official "
                f"archive {COUNTS['train']:,} and {COUNTS['test']:,}: get it whole, or add --any-counts."
            )
    return listed


def read_raf_single(path: str | Path, *, any_counts: bool = False, bad: BadRows | None = None) -> Faces:
    """Reads the set for the paper's protocol: its test pictures are PrivateTest, a tenth of the others PublicTest.

    Args:
        path: As `find_root` takes it.
        any_counts: Take other counts than the official ones.
        bad: As `training.data.load_faces` takes it.

    Raises:
        DataError: If it is not RAF-DB, or not all of it.
    """
    root = find_root(path)
    if not any_counts:
        check_counts(root)
    return read_rafdb(root, bad)


def table_row(config: TrainConfig, run_dir: Path, faces: Faces) -> dict[str, Any]:
    """Evaluates the chosen weights on the test pictures, once, and keeps the figures beside them.

    Args:
        config: The run's settings.
        run_dir: Its folder, which gets `RESULT`.
        faces: The data.

    Returns:
        ``published`` and ``parameters_published``, of the paper; ``accuracy``, ``interval`` (95 %, Wilson),
        ``correct``, ``n`` and ``parameters``, reached here; ``epochs``.
    """
    file, data = run_dir / RESULT, faces.fingerprint()
    if file.is_file() and (kept := read_json(file)).get("data") == data:
        return kept
    model = trained_model(config, run_dir)
    figures = evaluate(model, faces, progress=True)
    test = figures["PrivateTest"]
    paper = next(r for s in systems() if s.model == "fer_sedense_s2" for r in s.results if r.data == "raf_single")
    printed = next(s.parameters for s in systems() if s.model == "fer_sedense_s2")
    row = {
        "published": paper.accuracy,
        "parameters_published": paper.parameters or printed,
        **{name: test[name] for name in ("accuracy", "interval", "correct", "n")},
        "parameters": figures["parameters"],
        "epochs": config.epochs,
        "data": data,
    }
    atomic_write_text(file, json.dumps(row, indent=1) + "\n")
    return row


def table_text(row: dict[str, Any]) -> str:
    """The row of Table 3, printed and reached here, as Markdown."""
    low, high = row["interval"]
    here = f"{row['accuracy']:.1%} ({row['correct']:,} of {row['n']:,}) | {low:.1%}–{high:.1%}"
    lines = (
        "| Table 3, RAF-single test | parameters | accuracy | 95 % interval |",
        "|---|---|---|---|",
        f"| the paper | {row['parameters_published'] / 1e6:.2f} M | {row['published']:.1%} | not printed |",
        f"| here, {row['epochs']} epochs | {row['parameters'] / 1e6:.2f} M | {here} |",
    )
    return "\n".join(lines)


def check_config(config: TrainConfig) -> TrainConfig:
    """The settings as they are, if they are for pictures as the archive aligned them.

    Raises:
        ValueError: If faces would be looked for.
    """
    if config.faces != "as-is":
        raise ValueError("RAF-DB's aligned pictures are faces already: leave faces=detect out.")
    return config
