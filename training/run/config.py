"""A training run's settings: one dataclass, filled from a recipe, overridable on the command line."""

import contextlib
import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch
from timm.optim import get_optimizer_info

from fer_demo.emotions import LABELS
from fer_demo.runtime.model_info import MAX_INPUT_SIDE
from fer_demo.runtime.torch_engine import check_settings
from fer_demo.vision.sources import one_line
from training import FACES, NO_FACE
from training.data.classes import map_choice
from training.data.ferplus import CLASSES as FERPLUS_CLASSES
from training.run.augment import AugmentConfig
from training.run.corruptions import CorruptionConfig
from training.run.ranges import Range, check_jitter, check_ranges

EXECUTION = ("device", "threads", "compile", "cuda_graph", "save_minutes")
"""Settings that say where and how a run computes, not what: they may change when it goes on, and do not tell runs from
each other."""

GROUPS = {"augment": AugmentConfig, "corruption": CorruptionConfig}
"""Settings that hold settings of their own."""

CHOICES = {
    "targets": ("labels", "votes", "majority", "mixture", "both"),
    "loss": ("cross_entropy", "l2_svm"),
    "bf16": ("auto", "on", "off"),
    "faces": FACES,
    "no_face": NO_FACE,
    "landmarks": ("none", "detected", "shuffled"),
}

LARGE = 1_000_000
"""More than this makes sense of nothing."""

RANGES = (
    dict.fromkeys(("epochs", "locality_neighbors", "evaluate_every"), Range(1, LARGE))
    | {"batch_size": Range(2, LARGE), "seed": Range(0, (1 << 24) - 1), "threads": Range(0, 1024)}
    | dict.fromkeys(("lr", "distill_temperature"), Range(0, 1000, above=True))
    | dict.fromkeys(("label_smoothing", "mix_prob", "distill_weight", "vote_share", "landmark_dropout"), Range(0, 1))
    | dict.fromkeys(("momentum", "drop_rate", "ema_decay"), Range(0, 1, below=True))
    | dict.fromkeys(("weight_decay", "min_lr", "mixup", "cutmix", "class_weight_power"), Range(0, 1000))
    | dict.fromkeys(
        ("warmup_epochs", "clip_grad", "triplet_weight", "locality_weight", "landmark_loss"), Range(0, LARGE)
    )
    | dict.fromkeys(("teacher_cycle", "bn_pictures", "save_minutes"), Range(0, LARGE))
    | dict.fromkeys(("frozen_stages", "head_epochs"), Range(0, 1000))
)
"""Of every setting that is a number."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a run computes, plus where it runs.

    Attributes:
        model: An architecture that timm knows, e.g. ``"fer_sedense_s2"``; with a tag where its input size is another
            than the default's.
        model_args: Options of its class, e.g. ``{"se": "none"}``.
        classes: Class name to the names that the data have for it, as ``--classes MAP.yaml`` takes it; ``--classes``
            sets it. Empty for the seven of `fer_demo.emotions`.
        init_from: Start from these weights instead of random ones: a bundled checkpoint's name, or a .safetensors file.
        frozen_stages: The stem and so many stages keep the weights they started from; for few pictures.
        head_epochs: First epochs in which the classifier learns alone.
            Of a network with other classes all but the classifier is taken.
        epochs: Passes over the Training split.
        batch_size: Pictures per step.
        sizes: Progressive resizing: pairs of first epoch and side in pixels, the first from epoch 0.
        size_jitter: Lowest and highest side of a batch, such as [40, 64], drawn anew for each in steps of 4 pixels
            while `sizes` are at their last; empty for that size alone, at which weights are evaluated in any case.
        opt: A timm optimiser name; ``"sgd"`` is SGD with Nesterov momentum.
        lr: Peak learning rate.
        momentum: Of SGD.
        weight_decay: Not applied to biases and normalisation.
        warmup_epochs: Linear warm-up from a tenth of `lr`; cosine to `min_lr` afterwards.
        min_lr: Final learning rate.
        loss: ``"cross_entropy"``, or ``"l2_svm"`` for the squared hinge loss of Tang 2013 (arXiv:1306.0239).
        triplet_weight: Weight of the exponential triplet loss on the classifier's input (Guo et al. 2016), or 0.
        locality_weight: Weight of the locality-preserving loss there (Li et al. 2017), or 0; the paper uses 0.003.
        locality_neighbors: Its number of neighbours.
        faces: ``"as-is"`` for pictures of one face each; ``"detect"`` to find the largest face of each photograph and
            cut it out as predicting does. The option ``--faces`` sets it.
        no_face: What becomes of a photograph without a face: ``"skip"`` leaves it out, ``"as-is"`` takes it whole.
        aligned: Give the network each picture and its aligned twin (Kim et al. 2016); for models that take twins.
        landmarks: ``"detected"``: give the network each face's landmarks, found with the product's detector, for models
            that take them; ``"shuffled"``: those of another face, the control; ``"none"``.
        landmark_dropout: Probability that a picture's landmarks are withheld, so that the network learns to do without.
        landmark_loss: Weight of the loss of the regions' maps that the network predicts, against those drawn from the
            landmarks, withheld or not; or 0.
        label_smoothing: Of the targets.
        targets: ``"labels"``; ``"votes"``, FER+'s distribution over the seven classes; ``"majority"``, its most
            frequent class (Barsoum et al. 2016, arXiv:1608.01041); ``"mixture"`` of labels and votes; or ``"both"``,
            two heads on one body, one for the labels' seven classes, one for FER+'s eight.
        vote_share: Of the votes in that mixture, or of their head in the loss.
        drop_duplicates: Train without copies: see `training.data.audit.without_duplicates`.
        class_weight_power: The loss weights a class by its count to minus this power: 0 all alike, 1 fully balanced.
        mixup: Alpha of mixup (Zhang et al. 2018, arXiv:1710.09412), or 0 for none.
        cutmix: Alpha of CutMix (Yun et al. 2019, arXiv:1905.04899), or 0 for none; with both, one is drawn a batch.
        mix_prob: Probability that a batch is mixed at all.
        teachers: Models to distil from (Hinton et al. 2015, arXiv:1503.02531), their mean if several: a name with
            bundled weights, or ``NAME@FILE`` with the path of a .safetensors file. Each sees the augmented picture at
            its own size.
        distill_weight: Share of the loss that follows the teachers; the rest follows `targets`.
        distill_temperature: Softens the teachers' and the student's answers.
        teacher_cycle: Repeat the order and the augmentation of the first so many epochs, for which the teachers then
            answer only once; 0 draws anew in every epoch. For students that are much faster than their teachers. The
            answers stay in a file beside the run's folder, for runs that differ in the student alone.
        drop_rate: Dropout before the classifier.
        clip_grad: Largest gradient norm, or 0 for no clipping.
        ema_decay: Decay of the averaged weights, or 0 for none.
        bn_pictures: Evaluate and save weights with statistics of batch normalisation from so many Training pictures,
            not augmented; 0 for the running ones of training. See `training.run.batch_norm`.
        evaluate_every: Epochs from one evaluation, and the state saved with it, to the next; the last is evaluated
            anyway.
        seed: Decides initial weights, order and augmentation.
        augment: Augmentation strengths.
        corruption: Damages to the pictures that the network learns from; its teachers see them whole.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``.
        bf16: bfloat16 autocast: ``"on"``, ``"off"``, or ``"auto"`` for wherever the hardware computes in it. A CPU
            that does not is tens of times slower with it.
        compile: `torch.compile` the network.
        cuda_graph: On a GPU record a step once and replay it, where nothing in it needs the CPU: one process, no
            mixing, no `teacher_cycle`, no `size_jitter`, no loss on features, no landmarks, nothing frozen, pictures
            at their own size.
        channels_last: NHWC memory format.
        threads: CPU threads, or 0 for PyTorch's choice.
        save_minutes: Minutes between checkpoints within an epoch; one is written after each epoch anyway.
    """

    model: str = "fer_sedense_s2"
    model_args: dict = field(default_factory=dict)
    classes: dict = field(default_factory=dict)
    init_from: str = ""
    frozen_stages: int = 0
    head_epochs: int = 0
    epochs: int = 60
    batch_size: int = 64
    sizes: tuple[tuple[int, int], ...] = ((0, 48),)
    size_jitter: tuple[int, ...] = ()
    opt: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    warmup_epochs: float = 1.0
    min_lr: float = 1e-4
    loss: str = "cross_entropy"
    triplet_weight: float = 0.0
    locality_weight: float = 0.0
    locality_neighbors: int = 20
    faces: str = "as-is"
    no_face: str = "skip"
    aligned: bool = False
    landmarks: str = "none"
    landmark_dropout: float = 0.5
    landmark_loss: float = 0.5
    label_smoothing: float = 0.1
    targets: str = "labels"
    vote_share: float = 0.5
    drop_duplicates: bool = False
    class_weight_power: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_prob: float = 1.0
    teachers: tuple[str, ...] = ()
    distill_weight: float = 0.5
    distill_temperature: float = 2.0
    teacher_cycle: int = 0
    drop_rate: float = 0.0
    clip_grad: float = 0.0
    ema_decay: float = 0.0
    bn_pictures: int = 0
    evaluate_every: int = 1
    seed: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    corruption: CorruptionConfig = field(default_factory=CorruptionConfig)
    device: str = "auto"
    bf16: str = "auto"
    compile: bool = False
    cuda_graph: bool = True
    channels_last: bool = True
    threads: int = 0
    save_minutes: float = 5.0

    def __post_init__(self) -> None:
        check_ranges(self, RANGES)
        pairs = isinstance(self.sizes, tuple) and all(
            isinstance(p, tuple) and len(p) == 2 and all(type(v) is int for v in p) for p in self.sizes
        )
        starts = [start for start, _ in self.sizes] if pairs else []
        rising = starts and starts[0] == 0 and starts == sorted(set(starts))
        if not rising or not all(1 <= side <= MAX_INPUT_SIDE for _, side in self.sizes):
            raise ValueError(
                "sizes must be pairs (first epoch, side) with rising epochs from 0 and sides up to "
                f"{MAX_INPUT_SIDE}, such as [[0, 32], [20, 48]]; got "
                f"{shown(_plain(self.sizes))}."
            )
        if starts[-1] >= self.epochs:
            # Weights are selected at the last size alone, so there would be none.
            raise ValueError(
                f"sizes reach their last stage in epoch {starts[-1]}, but there are only {self.epochs} epochs: set "
                f"sizes too, such as sizes=[[0, {self.sizes[-1][1]}]]."
            )
        check_jitter(self.size_jitter, self.sizes[-1][1], shown(_plain(self.size_jitter)))
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {shown(getattr(self, name))}.")
        if self.classes and map_choice(self.classes, "classes").names != LABELS and self.targets != "labels":
            raise ValueError(f"FER+'s votes are for {', '.join(LABELS)} alone: set targets=labels for others.")
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr must not be above lr, but {self.min_lr:g} is above {self.lr:g}: set both.")
        if self.frozen_stages and not self.init_from:
            raise ValueError("frozen_stages would keep random weights: set init_from, or leave it out.")
        if self.needs_features and (self.mixup or self.cutmix):
            raise ValueError(
                "triplet_weight and locality_weight need pictures of one class: leave out mixup and cutmix."
            )
        if self.landmarks != "none" and (self.mixup or self.cutmix):
            raise ValueError("landmarks belong to one face, not to a mixture: leave out mixup and cutmix.")
        check_settings(self.model_args, "model_args")
        fixed = {"num_classes", "in_chans", "global_pool", "pretrained", "drop_rate"} & set(self.model_args)
        if fixed:
            raise ValueError(f"model_args cannot set {', '.join(sorted(fixed))}, which the trainer decides.")
        if not isinstance(self.teachers, tuple) or not all(isinstance(name, str) for name in self.teachers):
            raise ValueError(f"teachers must be a list of names, but is {shown(self.teachers)}.")
        if self.teacher_cycle and not self.teachers:
            raise ValueError(f"teacher_cycle needs teachers, or must be 0; got {self.teacher_cycle}.")
        try:
            get_optimizer_info(self.opt.lower().rpartition("_")[2])  # timm reads lookahead_sgd as sgd with Lookahead
        except ValueError:
            wanted = "one of timm's optimisers, such as sgd or adamw"
            raise ValueError(f"opt must be {wanted}; got {shown(self.opt)}.") from None
        try:
            if torch.device("cpu" if self.device == "auto" else self.device).type not in ("cpu", "cuda", "mps"):
                raise RuntimeError("it is none that a run computes on")
        except RuntimeError:
            raise ValueError(f"device must be auto, cpu, cuda, cuda:N or mps; got {shown(self.device)}.") from None

    @property
    def needs_features(self) -> bool:
        """Whether the loss looks at the classifier's input."""
        return self.triplet_weight > 0 or self.locality_weight > 0

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the outputs."""
        return map_choice(self.classes, "classes").names if self.classes else LABELS

    @property
    def heads(self) -> tuple[int, ...]:
        """The classes of each head; the network's outputs are these, one behind the other."""
        count = len(self.labels)
        return (count, len(FERPLUS_CLASSES)) if self.targets == "both" else (count,)

    def size_at(self, epoch: int) -> int:
        """The side in pixels used in an epoch (from 0)."""
        return [side for start, side in self.sizes if start <= epoch][-1]

    def to_dict(self) -> dict[str, Any]:
        """A plain dict as a recipe file holds it."""
        return _plain(dataclasses.asdict(self))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list | tuple) else value


def shown(value: Any) -> str:
    """A value as an error message can hold it: in one line and not too long."""
    return one_line(repr(value))


def from_dict(values: dict[str, Any], source: str = "settings") -> TrainConfig:
    """Builds a config.

    Args:
        values: Field names to values; ``augment`` and ``corruption`` are dicts of their own.
        source: Named in error messages.

    Raises:
        ValueError: For an unknown field, a value of the wrong type or out of range.
    """
    values = dict(values)
    for name, cls in GROUPS.items():
        group = values.pop(name, None)
        if not isinstance(group, dict | None):
            example = f"{name}.{dataclasses.fields(cls)[0].name}=0"
            raise ValueError(f"{source}: {name} holds settings of its own, such as {example}; got {shown(group)}.")
        values[name] = _build(cls, group or {}, f"{source}: {name}")
    return _build(TrainConfig, values, source)


def _build(cls: type, values: dict[str, Any], source: str) -> Any:
    fields = {f.name: f for f in dataclasses.fields(cls)}
    converted = {}
    for name, value in values.items():
        if name not in fields:
            raise ValueError(f"{source} has no setting {shown(name)}; it has {', '.join(fields)}.")
        kind = fields[name].type
        if kind is float and isinstance(value, int | str) and not isinstance(value, bool):
            with contextlib.suppress(ValueError, OverflowError):  # the second for more digits than a float has room for
                value = float(value)  # YAML reads 1e-4 as text
        if kind is str and isinstance(value, bool):
            value = "on" if value else "off"  # YAML reads on and off as true and false
        value = _frozen(value)
        # To Python true is a whole number.
        if isinstance(kind, type) and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            raise ValueError(f"{source}: {name} must be {kind.__name__}, but is {shown(value)}.")
        converted[name] = value
    return cls(**converted)
