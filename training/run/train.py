"""The trainer: one readable loop whose every random draw follows from the seed and the step (`training.run.batches`).

So a run that was killed in the middle of an epoch and resumed computes what the uninterrupted run computes.
"""

import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from timm.utils import ModelEmaV3
from torch.profiler import record_function
from tqdm import tqdm

from fer_demo.vision.preprocess import data_config
from training.data import Faces
from training.data.audit import without_duplicates
from training.run.batches import Batches
from training.run.checkpoint_selection import CheckpointSelector
from training.run.config import TrainConfig
from training.run.devices import keep_freed_memory, pick_device, use_bf16
from training.run.distributed import World, join
from training.run.facts import data_facts, write_facts
from training.run.freezing import Freezing
from training.run.graph import CapturedStep
from training.run.guidance import RegionLoss, add_landmarks
from training.run.objective import Objective
from training.run.optimization import build_optimizer
from training.run.provenance import check_teachers, write_sources
from training.run.run_folder import ALIGNED, LAST, build_model, load_initial_weights
from training.run.runlog import RunLog, TimeUp, ending
from training.run.state import load_state, save_state

RANGES = ("input", "forward", "backward", "optimizer")
"""The parts of a step, as a profile names them."""


class Trainer:
    """Trains one model on the Training split and selects the weights that are best on PublicTest.

    Under `torchrun` each process holds one; the batch is shared among them, and the first evaluates and saves.

    Args:
        config: The settings.
        faces: Data with Training and PublicTest, of the classes of the settings.
        run_dir: Where ``last.pt``, ``best.safetensors``, ``log.csv``, ``config.json`` and TensorBoard events go.
        record_dir: Where the run's record goes (see `training.run.runlog`), or None for no record.
        quiet: No progress bar.

    Raises:
        DataError: If a split is empty or Training holds fewer pictures than one batch.
        ValueError: If a teacher cannot be loaded or the batch cannot be shared equally among the processes.
    """

    def __init__(
        self,
        config: TrainConfig,
        faces: Faces,
        run_dir: str | Path,
        *,
        record_dir: str | Path | None = None,
        quiet: bool = False,
    ) -> None:
        if config.threads:
            torch.set_num_threads(config.threads)
        self.config, self.run_dir = config, Path(run_dir)
        self.world: World = join(pick_device(config.device))
        self.device = self.world.device
        if self.device.type == "cpu":
            keep_freed_memory()
        torch.backends.cudnn.benchmark = True  # batches have one shape, or few
        self.quiet = quiet or not self.world.main
        folders = [self.run_dir, *([Path(record_dir)] if record_dir else [])]
        self.log = RunLog(folders if self.world.main else [], self.quiet)
        if config.batch_size % self.world.size:
            raise ValueError(f"batch_size {config.batch_size} cannot be shared by {self.world.size} processes.")
        torch.manual_seed(config.seed)
        self.model = build_model(config, drop_rate=config.drop_rate).to(self.device)
        if faces.classes != config.labels:
            raise ValueError(
                f"The data have the classes {', '.join(faces.classes)}, but the run has {', '.join(config.labels)}: "
                "give the --classes with which it was started, or start another run."
            )
        self.data = faces.fingerprint()
        self.facts, self.classifier = data_facts(faces), ""
        if config.aligned:
            if not getattr(self.model, "takes_twins", False):
                raise ValueError(f"{config.model} looks at one picture: leave aligned out, or train fer_kim_fusion.")
            from training.data.aligned import with_aligned  # needs OpenCV and a face detector

            faces = with_aligned(faces, self.run_dir / ALIGNED, self.quiet)
        faces = add_landmarks(config, self.model, faces, self.run_dir.parent, self.quiet)
        faces = without_duplicates(faces) if config.drop_duplicates else faces
        train_set, public = faces.split("Training"), faces.split("PublicTest")
        self.bf16 = use_bf16(config.bf16, self.device)
        self.objective = Objective(config, train_set, self.device, self.bf16)
        data = data_config(self.model)
        self.batches = Batches(config, train_set, self.objective, self.world, data, self.run_dir.parent)
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.selector = CheckpointSelector(config, self.model, train_set, public, self.run_dir)
        self.features: list[torch.Tensor] = []
        if config.needs_features:
            # A hook instead of a second output, so that the network stays the one that others call.
            self.model.get_classifier().register_forward_pre_hook(
                lambda module, inputs: self.features.append(inputs[0]) if module.training else None
            )
        self.region_loss = RegionLoss(config, self.model)
        self.freezing = Freezing(config, self.model)
        if self.freezing.used and self.world.size > 1:
            raise ValueError("frozen_stages and head_epochs are for one process: start the run without torchrun.")
        if config.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.how = {
            "device": self.device.type,
            "bf16": self.bf16,
            "compile": config.compile,
            "processes": self.world.size,
        }
        # Shares the model's parameters, which therefore stay free of wrappers' names.
        self.network = self.world.wrap(torch.compile(self.model, dynamic=False) if config.compile else self.model)
        # Mixing draws on the CPU, answers that are kept are looked up there, and features are kept there; landmarks are
        # drawn apart.
        plain = self.objective.mixer is None and config.landmarks == "none" and not self.freezing.used
        plain = plain and not (config.teacher_cycle or config.needs_features or config.size_jitter)
        self.captures = config.cuda_graph and self.device.type == "cuda" and self.world.size == 1 and plain
        self.captured: CapturedStep | None = None
        self.optimizer, self.scheduler = build_optimizer(config, self.model, self.steps_per_epoch)
        self.ema = ModelEmaV3(self.model, decay=config.ema_decay, use_warmup=True) if config.ema_decay else None
        self.epoch, self.step = 0, 0
        self.loss_sum = torch.zeros((), device=self.device)
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []

    @property
    def best(self) -> dict[str, Any]:
        """``accuracy``, ``epoch`` and ``weights`` of the weights selected so far, as `CheckpointSelector` has them."""
        return self.selector.best

    def fit(self, deadline: float = math.inf) -> dict[str, Any]:
        """Trains to the end, from wherever the run stands.

        Args:
            deadline: In `time.monotonic` seconds; the run stops after the first step that ends later.

        Returns:
            ``accuracy`` (on PublicTest), ``epoch`` and ``weights`` ("model" or "ema") of the best checkpoint.

        Raises:
            TimeUp: If the deadline came first.
            FloatingPointError: If the loss is not a finite number.
            ValueError: If the weights to start from do not fit, or a teacher has changed.
        """
        if self.epoch == self.step == 0:
            self._start()
        else:
            check_teachers(self.run_dir, self.config)
        self.log.start(self.config.to_dict())
        self.log.curve(self.history)  # a resumed run may have died between its state and its curve
        facts = {"data": self.data, **self.how}
        try:
            while self.epoch < self.config.epochs:
                self.log.status("running", best=self.best, **facts)
                self._train_epoch(deadline)
                self._finish_epoch()
            if self.world.main:
                self.log.status("finished", best=self.best, **facts, **self._selected())
        except BaseException as error:
            status, reason = ending(error)
            self.log.status(status, best=self.best, **facts, reason=reason)
            raise
        return self.best

    def _start(self) -> None:
        """Loads the weights to start from, if any, and notes where all weights come from."""
        if self.config.init_from:
            same = load_initial_weights(self.model, self.config.init_from, self.config.labels)
            self.classifier = "kept" if same else "new"
            if not same and self.world.main:
                tqdm.write(
                    f"note: {self.config.init_from} has other classes than {', '.join(self.config.labels)}: all of it "
                    "is kept but the classifier, which starts from random weights."
                )
            if self.ema is not None:
                self.ema.module.load_state_dict(self.model.state_dict())
        write_sources(self.log.folders, self.config)
        write_facts(self.log.folders, self.facts, self.classifier)

    def _train_epoch(self, deadline: float) -> None:
        config = self.config
        order = self.batches.order(self.epoch)
        self.network.train()
        self.freezing.begin(self.epoch)
        bar = tqdm(
            total=self.steps_per_epoch * config.batch_size,
            initial=self.step * config.batch_size,
            desc=f"epoch {self.epoch + 1}/{config.epochs} at {config.size_at(self.epoch)}",
            unit="img",
            disable=self.quiet,
            leave=False,
            mininterval=1.0,
        )
        begun = saved = time.monotonic()
        with bar:
            while self.step < self.steps_per_epoch:
                self._train_step(order[self.step * config.batch_size : (self.step + 1) * config.batch_size])
                bar.update(config.batch_size)
                now = time.monotonic()
                late = math.isfinite(deadline) and self.world.any(now > deadline)
                if late or (now - saved > config.save_minutes * 60 and self.step < self.steps_per_epoch):
                    self.seconds, begun, saved = self.seconds + now - begun, now, now
                    self._check_loss()  # or the last good state would be overwritten
                    self.save()
                if late:
                    raise TimeUp
        self.seconds += time.monotonic() - begun

    def _train_step(self, batch: torch.Tensor) -> None:
        self.scheduler.step_update(self.epoch * self.steps_per_epoch + self.step)
        side = self.config.size_at(self.epoch)
        if self.captures and side == self.batches.images.shape[-1]:  # resizing takes its weights from the CPU
            drawn = self.batches.draw(batch, self.epoch, self.step)
            if self.captured is None:
                self.captured = CapturedStep(self._gradients, drawn, self.model.parameters())
            loss = self.captured(drawn)
        else:
            with record_function("input"):
                landmarks = self.batches.landmarks(batch, self.epoch, self.step)
                x, targets = self.batches.make(batch, self.epoch, self.step)
            self.optimizer.zero_grad(set_to_none=True)
            loss = self._backward(x, targets, landmarks)
        with record_function("optimizer"):
            if self.config.clip_grad:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_grad)
            self.optimizer.step()
        self.loss_sum += self.world.mean(loss)
        self.step += 1
        if self.ema is not None:
            self.ema.update(self.model, step=self.epoch * self.steps_per_epoch + self.step)

    def _gradients(self, drawn: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """A step's input, forward and backward pass, for a CUDA graph."""
        x, targets, _ = self.batches.compute(*drawn, side=self.batches.images.shape[-1])
        return self._backward(x, targets)

    def _backward(
        self, x: torch.Tensor, targets: torch.Tensor, landmarks: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Forward and backward pass of a batch; the loss, without its history."""
        # A graph may not use weights that were cast outside it; each is used once a step, so a cache gains nothing.
        autocast = torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False) if self.bf16 else nullcontext()
        with record_function("forward"):
            with autocast:
                logits = self.network(x) if landmarks is None else self.network(x, landmarks[0])
            features = self.features.pop().float().flatten(1) if self.config.needs_features else None
            loss = self.objective.loss(logits.float(), targets, features)
            if landmarks is not None:
                loss = loss + self.region_loss(landmarks[1] / x.shape[-1])
        with record_function("backward"):
            loss.backward()
        return loss.detach()

    def _finish_epoch(self) -> None:
        self._check_loss()
        every, last = self.config.evaluate_every, self.epoch + 1 == self.config.epochs
        if not last and (self.epoch + 1) % every:
            self.epoch, self.step = self.epoch + 1, 0
            self.loss_sum.zero_()
            return
        if self.world.main:
            with self.world.all_threads():
                self._evaluate(float(self.loss_sum) / self.steps_per_epoch)
        self.epoch, self.step, self.seconds = self.epoch + 1, 0, 0.0
        self.loss_sum.zero_()
        self.save()
        self.log.epoch(self.history)

    def _check_loss(self) -> None:
        if not torch.isfinite(self.loss_sum):
            raise FloatingPointError(
                f"The loss is not a finite number in epoch {self.epoch + 1}: start again with a lower lr, or with "
                "clip_grad, in another --run-dir."
            )

    def _evaluate(self, train_loss: float) -> None:
        row: dict[str, Any] = {
            "epoch": self.epoch + 1,
            "size": self.config.size_at(self.epoch),
            "lr": round(self.optimizer.param_groups[0]["lr"], 8),
            "train_loss": round(train_loss, 5),
        }
        candidates = {"model": self.model} | ({"ema": self.ema.module} if self.ema is not None else {})
        row |= self.selector.update(candidates, self.epoch)
        before = self.history[-1]["epoch"] if self.history else 0
        images = (self.epoch + 1 - before) * self.steps_per_epoch * self.config.batch_size
        row |= {"seconds": round(self.seconds, 1), "images_per_second": round(images / max(self.seconds, 1e-9), 1)}
        self.history.append(row)

    def _selected(self) -> dict[str, Any]:
        return {"seconds": round(sum(row["seconds"] for row in self.history)), **self.selector.selected()}

    def save(self) -> None:
        """Writes ``last.pt``, from which a resumed run goes on at exactly this step."""
        if self.world.main:
            save_state(self, self.run_dir / LAST)

    def load(self, path: str | Path) -> None:
        """Takes up the state of a ``last.pt``; see `training.run.state.load_state`."""
        load_state(self, Path(path))
