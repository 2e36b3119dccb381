"""The kinds of input that are damaged: what a whole one is, and what reads it."""

import contextlib
import csv
import io
import itertools
import json
import math
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image

from fer_demo import ImageError, ModelError, Predictor, open_image
from fer_demo.checkpoints import CARD_FILE, MANIFEST_FILE, ONNX_FILE, WEIGHTS_FILE, checkpoint_dir, resolve
from fer_demo.emotions import LABELS
from tests.load.mutators import ODD_VALUES, Rng, damaged_bytes, damaged_text, damaged_value
from training.data import SPLITS, DataError, load_faces
from training.data.ferplus import FERPLUS_COLUMNS
from training.run.provenance import sources
from training.run.recipes import RECIPES, load_config
from training.run.run_folder import build_model

CHECKPOINT = "fer_sedense_nano.photos_fer2013"

Case = tuple[str, Callable[[], None]]
"""What was damaged, and what reads it."""


class Kind:
    """One kind of input.

    Args:
        folder: Where files may be written.

    Attributes:
        errors: What the reader may raise.
    """

    errors: tuple[type[Exception], ...]

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def cases(self, rng: Rng) -> Case:
        """Damages something; the function reads it, and checks what comes out."""
        raise NotImplementedError

    def whole(self) -> None:
        """Reads all undamaged inputs, so that what readers load once does not count as growth."""
        raise NotImplementedError


class Pictures(Kind):
    """Encoded pictures; each fifth goes through the face detector and the network."""

    errors = (ImageError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.files = pictures()
        self.predictor = Predictor(CHECKPOINT, threads=1)

    def cases(self, rng: Rng) -> Case:
        name = rng.choice(list(self.files))
        return name, self._reader(damaged_bytes(rng, self.files[name], list(self.files.values())), rng.random() < 0.2)

    def whole(self) -> None:
        for content in self.files.values():
            self._reader(content, True)()

    def _reader(self, content: bytes, predicts: bool) -> Callable[[], None]:
        def read() -> None:
            picture = open_image(content)
            assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3 and picture.size
            if predicts:
                for face in self.predictor.predict(content):
                    _check_finite([*face.box, *face.probabilities.values()])

        return read


def pictures() -> dict[str, bytes]:
    """A small picture in every format that is accepted: name to content."""
    y, x = np.mgrid[:72, :64]
    grey = ((x * 3 + y * 2) % 256).astype(np.uint8)
    rgb = Image.fromarray(np.stack([grey, grey[::-1], grey[:, ::-1]], 2))
    alpha = rgb.copy()
    alpha.putalpha(Image.fromarray(grey))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames: dict[str, Any] = {"save_all": True, "append_images": [rgb.rotate(90)]}
    wanted: list[tuple[str, str, Image.Image, dict[str, Any]]] = [
        ("baseline", "JPEG", rgb, {"exif": exif}),
        ("progressive", "JPEG", rgb, {"progressive": True}),
        ("grey", "JPEG", rgb.convert("L"), {}),
        ("cmyk", "JPEG", rgb.convert("CMYK"), {}),
        ("rgb", "PNG", rgb, {}),
        ("16-bit", "PNG", deep, {}),
        ("palette", "PNG", rgb.quantize(16), {"transparency": 0}),
        ("alpha", "PNG", alpha, {}),
        ("lossy", "WEBP", rgb, {}),
        ("lossless", "WEBP", alpha, {"lossless": True}),
        ("frames", "GIF", rgb, frames),
        ("rgb", "BMP", rgb, {}),
        ("palette", "BMP", rgb.quantize(16), {}),
        ("raw", "TIFF", rgb, {}),
        ("deflate", "TIFF", deep, {"compression": "tiff_deflate"}),
        ("lzw", "TIFF", alpha, {"compression": "tiff_lzw"}),
        ("float", "TIFF", Image.fromarray((grey / 255).astype(np.float32)), {}),
        ("rgb", "PPM", rgb, {}),
        ("16-bit", "PPM", deep, {}),
        ("rgb", "JPEG2000", rgb, {}),
        ("rgb", "AVIF", rgb, {}),
    ]
    made = {}
    for name, form, picture, options in wanted:
        if form in Image.SAVE:  # a build of Pillow may lack some
            file = io.BytesIO()
            picture.save(file, form, **options)
            made[f"{form} {name}"] = file.getvalue()
    return made


class Rows(Kind):
    """Training data in every layout that `training.data.load_faces` takes."""

    errors = (DataError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        random_state = np.random.default_rng(0)
        images = random_state.integers(0, 256, (4, 48, 48), dtype=np.uint8)
        usage = ["Training", "Training", "PublicTest", "PrivateTest"]
        self.table = _csv([["emotion", "pixels", "Usage"], *_rows(images, usage)])
        self.votes = _csv([["Usage", *FERPLUS_COLUMNS], *([split, *range(10)] for split in usage)])
        self.arrays = {"images": images, "label": np.arange(4), "usage": np.array(usage), "votes": np.ones((4, 10))}
        self.pictures = {name: made for name, made in pictures().items() if name.split()[0] in ("JPEG", "PNG", "BMP")}
        self.encoded = [_encoded(image) for image in images]
        self.list = "\n".join(f"{split}_{i:04d}.png {i}" for split in ("train", "test") for i in range(1, 8)) + "\n"
        self.made = (self._csv, self._votes, self._npz, self._arrays)
        self.made += (self._parquet, self._columns, self._class, self._raf)

    def cases(self, rng: Rng) -> Case:
        make = rng.choice(self.made)
        return make.__name__.strip("_"), self._reader(make(rng))

    def whole(self) -> None:
        for make in self.made:
            with contextlib.suppress(Exception):  # each is damaged a little too
                self._reader(make(random.Random(0)))()

    def _reader(self, path: Path) -> Callable[[], None]:
        def read() -> None:
            faces = load_faces(path)
            assert faces.images.dtype.is_floating_point is False and faces.images.ndim == 4 and len(faces)
            assert int(faces.labels.min()) >= 0 and int(faces.labels.max()) < len(LABELS)
            assert set(faces.splits.tolist()) <= set(SPLITS)
            if faces.votes is not None:
                _check_finite(faces.votes.flatten().tolist())
                assert faces.votes.min() >= 0 and len(faces.votes) == len(faces)

        return read

    def _write(self, name: str, content: bytes) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def _csv(self, rng: Rng) -> Path:
        return self._write("csv/fer2013.csv", damaged_text(rng, self.table, [self.table, self.votes]))

    def _votes(self, rng: Rng) -> Path:
        self._write("voted/fer2013new.csv", damaged_text(rng, self.votes, [self.table, self.votes]))
        return self._write("voted/fer2013.csv", self.table.encode())

    def _npz(self, rng: Rng) -> Path:
        return self._write("npz/bytes.npz", damaged_bytes(rng, _npz(self.arrays), [*self.encoded, _npz(self.arrays)]))

    def _arrays(self, rng: Rng) -> Path:
        arrays: dict[str, Any] = dict(self.arrays)
        if rng.random() < 0.4:  # the packed form
            sheet = np.frombuffer(damaged_bytes(rng, rng.choice(list(self.pictures.values())), self.encoded), np.uint8)
            arrays |= {"strip_0": sheet, "tile": np.array([0, 0, 0, rng.choice((0, 1, -1, 2**40))])}
            del arrays["images"]
        for name in rng.sample(list(arrays), rng.choice((1, 1, 2))):
            array = arrays[name]
            changed: list[Callable[[], Any]] = [
                lambda a=array: a[:-1],
                lambda a=array: a[None],
                lambda a=array: a.astype("U8"),
                lambda a=array: a.ravel()[:0],
                lambda: np.array(rng.choice([v for v in ODD_VALUES if isinstance(v, int | float | str | None)])),
                lambda a=array: np.full(a.shape, rng.choice((np.nan, np.inf, -1, 9, 1e30))),
            ]
            arrays[name] = rng.choice(changed)()
        if rng.random() < 0.2:
            del arrays[rng.choice(list(arrays))]
        return self._write("npz/arrays.npz", _npz(arrays))

    def _parquet(self, rng: Rng) -> Path:
        whole = _parquet(self.encoded, list(range(4)), {"names": list(LABELS)})
        return self._write("pq/train-0.parquet", damaged_bytes(rng, whole, [whole, *self.encoded]))

    def _columns(self, rng: Rng) -> Path:
        images: list[Any] = [*self.encoded]
        images[rng.randrange(4)] = damaged_bytes(rng, rng.choice(list(self.pictures.values())), self.encoded)
        plain = [v for v in ODD_VALUES if v is None or (type(v) is int and abs(v) < 2**60)]
        texts: list[Any] = ["happy", "x", "", "a" * 3000]
        labels: list[Any] = [rng.choice(texts) for _ in images] if rng.random() < 0.3 else [0, 1, 2, rng.choice(plain)]
        labels = [float("nan")] * 4 if rng.random() < 0.1 else labels
        names = damaged_value(rng, {"names": list(LABELS)}) if rng.random() < 0.6 else {"names": list(LABELS)}
        return self._write("pq/val/0.parquet", _parquet(images, labels, names))

    def _class(self, rng: Rng) -> Path:
        whole = list(self.pictures.values())
        self._write("folders/train/happy/0.png", damaged_bytes(rng, rng.choice(whole), whole))
        for i, content in enumerate(self.encoded):
            self._write(f"folders/test/sad/{i}.png", content)
        return self.folder / "folders"

    def _raf(self, rng: Rng) -> Path:
        self._write("raf/EmoLabel/list_patition_label.txt", damaged_text(rng, self.list, [self.list]))
        for line in self.list.splitlines():
            self._write(f"raf/Image/aligned/{line.split('.')[0]}_aligned.jpg", self.encoded[0])
        return self.folder / "raf"


class Checkpoints(Kind):
    """A checkpoint's folder with one file damaged, with and without a manifest."""

    errors = (ModelError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        source = checkpoint_dir(CHECKPOINT)
        self.files = {p.name: p.read_bytes() for p in source.iterdir() if p.name != CARD_FILE}
        self.kept = folder / "kept" / CHECKPOINT
        self.own = folder / "own" / CHECKPOINT
        for place in (self.kept, self.own):
            place.mkdir(parents=True)
            for file in source.iterdir():
                if place is self.kept or file.name != MANIFEST_FILE:
                    (place / file.name).write_bytes(file.read_bytes())
        self.crop = np.arange(48 * 48, dtype=np.uint32).reshape(48, 48).astype(np.uint8)

    def cases(self, rng: Rng) -> Case:
        if rng.random() < 0.15:
            name = rng.choice(list(self.files))
            return f"{name} beside its manifest", self._reader(self.kept, name, self._damaged(rng, name), None)
        others = [name for name in self.files if name not in (MANIFEST_FILE, "heads.safetensors")]
        name = rng.choice([*others, ONNX_FILE, WEIGHTS_FILE])
        engine = "onnx" if name == ONNX_FILE else "torch" if name in ("config.json", WEIGHTS_FILE) else None
        return name, self._reader(self.own, name, self._damaged(rng, name), engine)

    def whole(self) -> None:
        for name, engine in itertools.product((ONNX_FILE, WEIGHTS_FILE), ("onnx", "torch")):
            self._reader(self.own, name, self.files[name], engine)()
        self._reader(self.kept, WEIGHTS_FILE, self.files[WEIGHTS_FILE], None)()

    def _reader(self, folder: Path, name: str, content: bytes, engine: str | None) -> Callable[[], None]:
        def read() -> None:
            try:
                (folder / name).write_bytes(content)
                checkpoint = resolve(folder)
                for file in folder.glob("*.json"):
                    _check_finite(_numbers(checkpoint.json(file.name)))
                if engine:
                    _check_finite(Predictor(folder, engine=engine, threads=1).classify([self.crop]).ravel().tolist())
            finally:
                (folder / name).write_bytes(self.files[name])

        return read

    def _damaged(self, rng: Rng, name: str) -> bytes:
        whole = self.files[name]
        if name.endswith(".json"):
            if rng.random() < 0.6:
                return json.dumps(damaged_value(rng, json.loads(whole))).encode()
            texts = [content.decode() for file, content in self.files.items() if file.endswith(".json")]
            return damaged_text(rng, whole.decode(), texts)
        if name.endswith(".safetensors") and rng.random() < 0.5:
            return _damaged_safetensors(rng, whole)
        if name == ONNX_FILE and rng.random() < 0.5:
            return _damaged_onnx(rng, whole)
        return damaged_bytes(rng, whole, [self.files[ONNX_FILE], self.files[WEIGHTS_FILE]])


class Recipes(Kind):
    """Recipes, as ``python -m training train`` reads them."""

    errors = (ValueError,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.networks: set[str] = set()
        self.texts = {file.name: file.read_text(encoding="utf-8") for file in sorted(RECIPES.glob("*.yaml"))}

    def cases(self, rng: Rng) -> Case:
        name = rng.choice(list(self.texts))
        if rng.random() < 0.5:
            value = damaged_value(rng, yaml.safe_load(self.texts[name]))
            content = yaml.safe_dump(value, allow_unicode=rng.random() < 0.5).encode("utf-8", "replace")
        else:
            content = damaged_text(rng, self.texts[name], list(self.texts.values()))
        if rng.random() < 0.02:
            ninefold = (", ".join([f"*x{i - 1}" if i else "0"] * 9) for i in range(40))  # 9 ** 40 zeros
            content = "\n".join(f"x{i}: &x{i} [{inner}]" for i, inner in enumerate(ninefold)).encode()
        return name, self._reader(content)

    def whole(self) -> None:
        for text in self.texts.values():
            self._reader(text.encode())()

    def _reader(self, content: bytes) -> Callable[[], None]:
        def read() -> None:
            file = self.folder / "recipe.yaml"
            file.write_bytes(content)
            config = load_config(file)
            _check_finite(_numbers(config.to_dict()))
            sources(config)
            if (network := repr((config.model, config.model_args, config.heads))) not in self.networks:
                self.networks.add(network)
                build_model(config, device="meta")

        return read


KINDS: dict[str, type[Kind]] = {
    "pictures": Pictures,
    "rows": Rows,
    "checkpoints": Checkpoints,
    "recipes": Recipes,
}


def _check_finite(numbers: Any) -> None:
    for number in numbers:
        assert not isinstance(number, float) or math.isfinite(number), f"the answer holds {number}"


def _numbers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _numbers(inner)
    else:
        yield value


def _csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _rows(images: np.ndarray, usage: list[str]) -> Iterator[list[Any]]:
    for i, (image, split) in enumerate(zip(images, usage, strict=True)):
        yield [i, " ".join(map(str, image.ravel())), split]


def _encoded(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _npz(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _parquet(images: list[Any], labels: list[Any], names: Any) -> bytes:
    features = json.dumps({"info": {"features": {"label": names}}}).encode()
    table = pa.table({"image": [{"bytes": image} for image in images], "label": labels})
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"huggingface": features}), file)
    return file.getvalue()


def _damaged_safetensors(rng: Rng, whole: bytes) -> bytes:
    """Another header of the right length, or weights that are no numbers."""
    length = struct.unpack("<Q", whole[:8])[0]
    header, data = whole[8 : 8 + length], bytearray(whole[8 + length :])
    if rng.random() < 0.4:
        at = 4 * rng.randrange(len(data) // 4)
        data[at : at + 4] = struct.pack("<f", rng.choice((math.nan, math.inf, -math.inf, 3e38)))
    else:
        header = json.dumps(damaged_value(rng, json.loads(header))).encode()
    return struct.pack("<Q", len(header)) + header + bytes(data)


def _damaged_onnx(rng: Rng, whole: bytes) -> bytes:
    """Metadata that say something else, or a graph with a node, an attribute or a dimension changed."""
    model = onnx.load_from_string(whole)
    what = rng.randrange(4)
    if what == 0:
        entry = rng.choice(model.metadata_props)
        entry.value = json.dumps(damaged_value(rng, json.loads(entry.value)))
    elif what == 1:
        node = rng.choice(model.graph.node)
        numbers = [a for a in node.attribute if a.ints] or [a for n in model.graph.node for a in n.attribute if a.ints]
        rng.choice(numbers).ints[0] = rng.choice((0, -1, 7, 10**6, 2**62))
    elif what == 2:
        del model.graph.node[rng.randrange(len(model.graph.node))]
    else:
        shape = rng.choice([*model.graph.input, *model.graph.output]).type.tensor_type.shape
        rng.choice(shape.dim).dim_value = rng.choice((0, 1, 6, 49, 2**40))
    return model.SerializeToString()
