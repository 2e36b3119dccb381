"""The commands, options, names and links in README, docs and model cards exist."""

import argparse
import dataclasses
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm

from fer_demo.checkpoints import bundled_checkpoints

ROOT = Path(__file__).parents[1]
FILES = [
    *(file for name in ("README.md", "CONTRIBUTING.md") if (file := ROOT / name).is_file()),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "training" / "README.md",
    *(ROOT / "checkpoints" / name / "README.md" for name in bundled_checkpoints()),
]

every_file = pytest.mark.parametrize(
    "text", [pytest.param(f.read_text("utf-8"), id=str(f.relative_to(ROOT))) for f in FILES]
)


def spans(text: str) -> list[str]:
    """The code within sentences and tables."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def commands(text: str) -> Iterator[tuple[list[str], bool]]:
    """The words of each command, and whether it has to be complete: in a block it has to, in a sentence not."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for command in line.split("&&"):
                if words := shlex.split(command, comments=True):
                    yield words, True
    for span in spans(text):
        if re.match(r"(\.venv/bin/|[A-Z_]+=\S+ )*(fer-demo|python|streamlit|torchrun|make|pip) \S", span):
            yield shlex.split(span), False


class WrongUseError(Exception):
    """What argparse would print before it leaves."""


@pytest.fixture
def parsers(monkeypatch) -> dict[str, argparse.ArgumentParser]:
    """The real parsers, which raise instead of leaving."""
    from fer_demo.__main__ import build_parser
    from tests.load.__main__ import build_parser as build_load_parser
    from training.__main__ import build_parser as build_training_parser

    def error(self, message):
        raise WrongUseError(message)

    monkeypatch.setattr(argparse.ArgumentParser, "error", error)
    return {"fer_demo": build_parser(), "training": build_training_parser(), "tests.load": build_load_parser()}


def streamlit_options() -> set[str]:
    config = pytest.importorskip("streamlit.config", reason="the app extra is not installed")
    return {f"--{name}" for name in config.get_config_options()}


def check_command(words: list[str], complete: bool, parsers: dict[str, argparse.ArgumentParser]) -> None:
    """Raises an error if there is no such command, or one of its options."""
    words = [word.removeprefix(".venv/bin/") for word in words]
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    match words:
        case ["fer-demo", *rest]:
            check_arguments(parsers["fer_demo"], rest, complete)
        case ["python", "-m", ("fer_demo" | "training" | "tests.load") as package, *rest]:
            check_arguments(parsers[package], rest, complete)
        case ["torchrun", *rest]:
            from torch.distributed.run import get_args_parser

            args = get_args_parser().parse_args(rest)
            assert (args.module, args.training_script) == (True, "training")
            check_arguments(parsers["training"], args.training_script_args, complete)
        case ["streamlit", "run", script, *rest]:
            assert (ROOT / script).is_file()
            assert {word for word in rest if word.startswith("--")} <= streamlit_options()
        case ["make", *rest]:
            check_make(rest)
        case ["python", "-m", "http.server" | "pytest", *_] | ["pip" | "pipx" | "curl" | ".", *_]:
            pass  # other people's
        case ["sudo" | "docker" | "sed" | "systemd-analyze", *rest]:  # likewise, with files of ours
            assert all((ROOT / word).is_file() for word in rest if word.startswith("deploy/"))
        case _:
            raise AssertionError("nobody here knows this program")


def check_arguments(parser: argparse.ArgumentParser, words: list[str], complete: bool) -> None:
    from training.run.config import TrainConfig

    if not words:  # only the name of the program
        return
    try:
        args = parser.parse_args(words)
    except WrongUseError as error:
        if complete or " required" not in str(error):
            raise
        return
    if recipe := getattr(args, "recipe", None):
        assert (ROOT / "training" / "recipes" / f"{recipe}.yaml").is_file(), f"there is no recipe {recipe}"
    settings = {field.name for field in dataclasses.fields(TrainConfig)}
    assert {re.split(r"[.=]", setting)[0] for setting in getattr(args, "set", [])} <= settings


def check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for variable in (word.partition("=")[0] for word in words if "=" in word):
        assert re.search(rf"^{variable} \?=", makefile, re.MULTILINE), f"the Makefile has no {variable}"
    if shutil.which("make"):
        done = subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@every_file
def test_commands(text, parsers):
    problems = []
    for words, complete in commands(text):
        try:
            check_command(words, complete, parsers)
        except (WrongUseError, AssertionError) as error:
            problems.append(f"{shlex.join(words)}: {error}")
    assert problems == []


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The options of a parser and of its subcommands."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for part in action.choices.values():
                yield from options(part)


@every_file
def test_options_in_sentences(text, parsers):
    known = streamlit_options().union(*map(options, parsers.values()))
    assert {re.split(r"[ =]", span)[0] for span in spans(text) if span.startswith("--")} - known == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_links(file):
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", file.read_text("utf-8")) if not link.startswith("https://")]
    assert [link for link in links if not (file.parent / link).exists()] == []


@every_file
def test_models_and_tags(text):
    from training.run.provenance import releases

    known = {*timm.list_models("fer_*"), *bundled_checkpoints(), *(release.name for release in releases())}
    known |= {path.stem for path in (ROOT / "training" / "recipes").glob("fer_*.yaml")}
    known |= {path.name.removesuffix("-seed0") for path in (ROOT / "training" / "runs").iterdir()}
    named = set(re.findall(r"(?<![\w.-])fer_[a-z0-9_]+(?:\.[a-z0-9_]+)?", text))
    not_meant = {name for name in named if name.partition(".")[0] == "fer_demo" or ".mine_" in name or ".my_" in name}
    assert named - not_meant - known == set()


def test_a_wrong_command_is_noticed(parsers):
    for wrong in ("fer-demo predit x.jpg", "fer-demo predict x.jpg --jsn", "fer-demo predict", "make ap", "feh x.jpg"):
        with pytest.raises((WrongUseError, AssertionError)):
            check_command(wrong.split(), True, parsers)
    with pytest.raises(AssertionError, match=r"fer_sedense\.fer2013"):
        check_command(shlex.split("python -m training train fer_sedense.fer2013 --run-dir x"), True, parsers)
