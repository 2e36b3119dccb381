"""Where ``predict --draw`` writes which photo."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from fer_demo.annotate import PICTURE_ENDINGS

# Other formats are lossless, too rare to be written by every build of Pillow, or hold no photo.
_KEPT_ENDINGS = (".jpg", ".jpeg")


def drawings(arguments: Sequence[str], photos: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Plans the files for photos with boxes.

    One photo that was named goes to the file `out`, unless that is a folder. Several, or the pictures of a folder, go
    into the folder `out`, with the sub-folders that they lie in; JPEG files keep their names and all others end in
    ``.png``. A number is added to a name that is taken already.

    Args:
        arguments: Files and folders as they were named.
        photos: The pictures that `fer_demo.vision.images.find_images` found there. Those that were drawn into `out`
            before, if it lies inside one of the folders, are left out.
        out: The file or folder to write.

    Returns:
        Photo to file, in the order of `photos`.

    Raises:
        ValueError: If `out` is a file but should be a folder, is no name of a picture, or a photo would be written
            over; one clause without a full stop, as argparse prints it.
    """
    folders = [Path(a) for a in arguments if Path(a).is_dir()]
    inside = out.resolve()
    again = any(folder.resolve() in inside.parents for folder in folders)
    drawn = {p for p in photos if again and p.resolve().is_relative_to(inside)} - set(map(Path, arguments))
    found = [photo for photo in photos if photo not in drawn]
    if folders or len(arguments) > 1 or out.is_dir():
        if out.exists() and not out.is_dir():
            raise ValueError(f"--draw must name a folder for several photos, but {out} is a file")
        plan = _in_folder(found, folders, out)
    else:
        if out.suffix.lower() not in PICTURE_ENDINGS:
            endings = ", ".join(PICTURE_ENDINGS)
            raise ValueError(f"--draw must name a folder, or a file that ends in one of {endings}, but names {out}")
        plan = dict.fromkeys(found, out)
    sources = {photo.resolve() for photo in plan}
    if lost := [file for file in plan.values() if file.resolve() in sources]:
        raise ValueError(f"--draw would write over the photo {lost[0]}; name another folder or file")
    return plan


def _in_folder(photos: Iterable[Path], folders: Sequence[Path], out: Path) -> dict[Path, Path]:
    plan: dict[Path, Path] = {}
    taken: set[str] = set()
    for photo in photos:
        below = [photo.relative_to(folder) for folder in folders if photo.is_relative_to(folder)]
        name = below[0] if below and ".." not in below[0].parts else Path(photo.name)
        ending = name.suffix if name.suffix.lower() in _KEPT_ENDINGS else ".png"
        wanted, number = out / name.with_suffix(ending), 1
        while str(wanted).lower() in taken:  # some file systems take upper and lower case for the same
            number += 1
            wanted = out / name.with_name(f"{name.stem}-{number}{ending}")
        taken.add(str(wanted).lower())
        plan[photo] = wanted
    return plan
