"""What the commands of ``python -m training`` do; each takes the parsed arguments."""

import argparse
import json
import sys
from pathlib import Path


def _data_path(args: argparse.Namespace) -> str:
    if not args.data:
        raise ValueError("No data: give --data PATH or set FER2013_DIR to the path of fer2013.csv or its folder.")
    return args.data


def _prepare_cpu(threads: int = 0) -> None:
    import torch

    from training.run.devices import keep_freed_memory

    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)


def _load(args: argparse.Namespace):
    from training.data import BadRows, load_faces

    bad = BadRows(skip=args.skip_bad)
    faces = load_faces(_data_path(args), bad=bad)
    if bad.messages:
        print(f"left out {len(bad.messages)} bad rows, the first: {bad.messages[0]}", file=sys.stderr)
    return faces


def _views(name: str) -> tuple[str, ...]:
    from training.eval.evaluate import VIEWS

    return VIEWS if name == "all" else (name,)


def train(args: argparse.Namespace) -> None:
    """Starts or resumes a run."""
    from training.report.compare import PLACES
    from training.run.config import load_config
    from training.run.distributed import leave
    from training.run.run_folder import LAST, resume_config
    from training.run.runlog import CONFIG, RUNS
    from training.run.train import Trainer

    if args.resume:
        import dataclasses

        config = resume_config(args.run_dir)
        # Where it runs may change between sittings; what it computes may not.
        places = {k: v for k, _, v in (o.partition("=") for o in args.set) if k in PLACES and v}
        if len(places) < len(args.set):
            raise ValueError(f"Only {', '.join(PLACES)} can be changed on --resume, as in --set threads=2.")
        config = dataclasses.replace(config, **{k: type(getattr(config, k))(v) for k, v in places.items()})
    else:
        if (args.run_dir / LAST).exists():
            raise ValueError(f"{args.run_dir} holds a run already: add --resume, or choose another --run-dir.")
        config = load_config(args.recipe, args.set)
    record = None if args.no_record else RUNS / args.run_dir.resolve().name
    if record is not None and (record / CONFIG).is_file():
        _check_record(record, config, args.resume)
    trainer = Trainer(config, _load(args), args.run_dir, record_dir=record, quiet=args.quiet)
    if args.resume:
        trainer.load(args.run_dir / LAST)
    best = trainer.fit()
    if trainer.world.main:
        weights = args.run_dir / "best.safetensors"
        print(f"best on PublicTest: {best['accuracy']:.2%} in epoch {best['epoch']}; weights: {weights}")
    leave()


def _check_record(record: Path, config, resumed: bool) -> None:
    """Keeps a run from writing over the record of another one."""
    from training.report.compare import differing_settings
    from training.run.runlog import Run, read_run

    old = read_run(record)
    otherwise = "name --run-dir differently, or add --no-record"
    if different := differing_settings([old, Run("new", config.to_dict())]):
        raise ValueError(f"{record} is the record of a run with other settings ({', '.join(different)}): {otherwise}.")
    if not resumed and old.record.get("status") == "finished":
        raise ValueError(f"{record} is the record of a run that is finished: {otherwise}.")


def full(args: argparse.Namespace) -> None:
    """Teachers, students, and the best of them exported."""
    from training.run.full import RESULTS
    from training.run.full import full as run

    _prepare_cpu()
    views = tuple(v for v in _views(args.views) if v != "single")
    results = run(
        _data_path(args),
        args.out,
        recipe=args.recipe,
        seeds=args.seeds,
        minutes=args.minutes,
        overrides=args.set,
        record=not args.no_record,
        views=views,
        fit=args.fit,
    )
    if results is None:
        print(f"time is up; the same command goes on with {args.out}")
        return
    for generation in ("teachers", "students"):
        part = results[generation]["PrivateTest"]
        spread = f" ± {part['standard_deviation']:.2%}" if part["standard_deviation"] is not None else ""
        print(f"{generation}: PrivateTest {part['mean']:.2%}{spread} over {args.seeds} seeds")
    print(f"exported {results['exported']}, best on PublicTest; all figures: {args.out / RESULTS}")


def profile(args: argparse.Namespace) -> None:
    """Prints where the time of training steps goes."""
    from training.run.config import load_config
    from training.run.profile import profile_steps

    config = load_config(args.recipe, args.set)
    result = profile_steps(config, _load(args), args.steps, args.epoch - 1)
    print(result.pop("operators"))
    print(json.dumps(result, indent=2))


def rehearse(args: argparse.Namespace) -> None:
    """Prints as JSON what an epoch of a recipe costs at each of its sizes."""
    from training.run.config import load_config
    from training.run.plan import rehearse as run

    epoch, timed = run(load_config(args.recipe, args.set), _load(args), args.steps)
    print(json.dumps({"epoch": epoch, "timed": timed}))


def evaluate(args: argparse.Namespace) -> None:
    """Prints a checkpoint's figures and optionally writes them."""
    import timm

    import fer_demo  # noqa: F401
    from training.eval.evaluate import evaluate as run
    from training.run.run_folder import run_options

    _prepare_cpu(args.threads)
    faces = _load(args)
    if args.aligned:
        from training.data.aligned import with_aligned

        faces = with_aligned(faces, quiet=False)
    if args.weights:
        model = timm.create_model(args.model, checkpoint_path=str(args.weights), **run_options(args.weights))
    else:
        model = timm.create_model(args.model, pretrained=True)
    metrics = run(model, faces, views=_views(args.views), progress=True)
    text = json.dumps(metrics, indent=2) + "\n"
    if args.out:
        from training.run.storage import atomic_write_text

        atomic_write_text(args.out, text)
    for split in ("PublicTest", "PrivateTest"):
        part = metrics[split]
        print(
            f"{split}: {part['accuracy']:.4%} ({part['correct']}/{part['n']}), macro-F1 {part['macro_f1']:.4f}, "
            f"without duplicates {part['without_duplicates']['accuracy']:.4%}"
        )


def faithfulness(args: argparse.Namespace) -> None:
    """Prints how far each explanation can be believed, and optionally writes it."""
    import timm

    import fer_demo  # noqa: F401
    from fer_demo.checkpoints import checkpoint_metrics
    from training.eval.faithfulness import faithfulness as run
    from training.eval.faithfulness import table

    _prepare_cpu(args.threads)
    model = timm.create_model(args.model, pretrained=True).eval()
    temperature = checkpoint_metrics(args.model).get("temperature", 1.0)
    faces = _load(args).split("PublicTest")
    result = run(model, faces, count=args.faces, temperature=temperature, progress=True)
    print(table(result))
    if args.out:
        from fer_demo.checkpoints import renew_manifest
        from training.run.storage import atomic_write_text

        atomic_write_text(args.out, json.dumps(result, indent=1) + "\n")
        renew_manifest(args.out)


def reproduce(args: argparse.Namespace) -> None:
    """Computes every published figure again; fails if one differs."""
    from training.eval.reproduce import reproduce as run
    from training.eval.reproduce import results_table, table_hint

    _prepare_cpu(args.threads)
    figures, problems = run(_load(args), args.names or None)
    print(results_table(figures))
    if problems:
        raise ValueError("not reproduced: " + "; ".join(problems))
    print("every figure is the one published")
    if not args.names and (hint := table_hint(figures)):
        print(hint)


def systems(args: argparse.Namespace) -> None:
    """Prints the table of the compared systems."""
    from training.report.systems import systems_table

    print(systems_table())


def audit(args: argparse.Namespace) -> None:
    """Prints what a data set holds."""
    from training.data.audit import audit as run
    from training.data.audit import report

    result = run(_load(args))
    print(json.dumps(result, indent=2) if args.json else report(result))


def calibrate(args: argparse.Namespace) -> None:
    """Gives a checkpoint folder new statistics of batch normalisation."""
    from training.report.release import calibrate as run

    _prepare_cpu(args.threads)
    metrics = run(args.checkpoint, args.out or args.checkpoint, _load(args), args.bn_pictures)
    print(f"{args.out or args.checkpoint}: PrivateTest {metrics['PrivateTest']['accuracy']:.4%}, single view")


def export(args: argparse.Namespace) -> None:
    """Turns a run into a checkpoint folder."""
    from training.report.release import export as run

    _prepare_cpu(args.threads)
    metrics = run(args.run_dir, args.out, _load(args), _views(args.views), bn_pictures=args.bn_pictures)
    print(f"{args.out}: PrivateTest {metrics['PrivateTest']['accuracy']:.4%}, single view")
