"""transformers' Trainer with the paper's settings, our order of images, and our log."""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from elbow_core.errors import ConfigError, UserError
from elbow_core.files import apply_umask
from elbow_core.processes import Interrupted, Interruption
from elbow_core.progress import is_quiet
from elbow_core.runs import MetricsLog
from vlm_torch.config import FinetuneConfig
from vlm_torch.training.checkpoints import latest_checkpoint, write_digests
from vlm_torch.training.dataset import WholeBatchSampler
from vlm_torch.training.stopping import PendingLoss


class LoraTrainer(Trainer):
    """A Trainer whose order and batches do not depend on the number of processes."""

    def __init__(
        self,
        *,
        batch_size: int,
        needs_token_type_ids: bool,
        interruption: Interruption,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._global_batch_size = batch_size
        self._needs_token_type_ids = needs_token_type_ids
        self._interruption = interruption
        self._pending_loss = PendingLoss(self)
        self.add_callback(self._pending_loss)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        images = len(dataset)  # pyright: ignore
        return WholeBatchSampler(images, self._global_batch_size, self.args.seed)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """Give every process all images; equal shares would count some images twice."""
        return DataLoader(
            self.eval_dataset if eval_dataset is None else eval_dataset,  # pyright: ignore
            batch_size=self.args.per_device_eval_batch_size,
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator, num_batches: int, device: torch.device
    ) -> tuple[list, Any]:
        """Return the micro-batches of a step.

        Raises:
            Interrupted: after a signal, when the steps before are saved. Of several processes none
                stops alone; they stop after a step.
        """
        if self.args.world_size > 1:
            return super().get_batch_samples(epoch_iterator, num_batches, device)
        try:
            with self._interruption.waiting():
                return super().get_batch_samples(epoch_iterator, num_batches, device)
        except Interrupted:
            self._save_if_due()
            raise

    def _save_if_due(self) -> None:
        step, latest = self.state.global_step, latest_checkpoint(Path(str(self.args.output_dir)))
        if step and (latest is None or latest.name != f"checkpoint-{step}"):
            self._save_checkpoint(self.model, None)
            self.control = self.callback_handler.on_save(self.args, self.state, self.control)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self._pending_loss.record(self.state, self.args)
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()  # every process has written its random state
        if self.args.should_save:
            write_digests(Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}")

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], *arguments: Any, **options: Any
    ) -> Any:
        """Return the loss of one micro-batch."""
        if self._needs_token_type_ids and "token_type_ids" not in inputs:
            raise AssertionError("without token_type_ids Gemma 3 attends causally over the image")
        return super().compute_loss(model, inputs, *arguments, **options)


class MetricsCallback(TrainerCallback):
    """Writes metrics.jsonl and progress lines; stops a run whose loss is not finite."""

    def __init__(self, name: str, log: MetricsLog | None, checkpoint_every: int | None) -> None:
        self._name = name
        self._log = log
        self._checkpoint_every = checkpoint_every

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Save a checkpoint where one is due, and log, so that its loss is checked too."""
        if self._checkpoint_every and state.global_step % self._checkpoint_every == 0:
            control.should_save = control.should_log = True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Log at the end of every epoch."""
        control.should_log = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Give the files of a checkpoint the permissions of other files."""
        if self._log is not None:
            apply_umask(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write the Trainer's metrics, except its timings."""
        metrics = logs or {}
        row: dict[str, Any] = {"step": state.global_step, "epoch": state.epoch}
        if "loss" in metrics:
            row |= {"loss": metrics["loss"], "learning_rate": metrics["learning_rate"]}
            row |= {"gradient_norm": float(metrics["grad_norm"])}
            summary = f"loss {metrics['loss']:.4f}, rate {metrics['learning_rate']:.1e}"
            diverged = not math.isfinite(metrics["loss"]) or not math.isfinite(row["gradient_norm"])
        elif "eval_loss" in metrics:
            row |= {"validation": {"loss": metrics["eval_loss"]}}
            summary = f"epoch {state.epoch:.0f}, validation loss {metrics['eval_loss']:.4f}"
            diverged = not math.isfinite(metrics["eval_loss"])
        else:
            return
        if self._log is not None:
            self._log.write(row)
            if not is_quiet():
                print(
                    f"{self._name}: step {state.global_step} of {state.max_steps}, {summary}",
                    flush=True,
                )
        if diverged:
            latest = latest_checkpoint(Path(str(args.output_dir)))
            raise UserError(
                f"step {state.global_step}: {summary} is not finite; the last good checkpoint is "
                f"{'none' if latest is None else latest.name}; lower optimizer.learning_rate"
            )


def training_arguments(config: FinetuneConfig, checkpoints: Path) -> TrainingArguments:
    """Return the Trainer's settings; micro-batches are distributed over the processes.

    Raises:
        ConfigError: the number of micro-batches is not a multiple of the number of processes.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if config.accumulate % processes:
        raise ConfigError(
            f"accumulate: {config.accumulate} is not a multiple of the {processes} processes; the "
            "micro-batches of a step must divide evenly among them"
        )
    micro_batch = config.batch_size // config.accumulate
    on_cpu = not torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(checkpoints),
        seed=config.seed,
        data_seed=config.seed,
        per_device_train_batch_size=micro_batch,
        per_device_eval_batch_size=micro_batch,
        gradient_accumulation_steps=config.accumulate // processes,
        num_train_epochs=config.epochs,
        optim="adamw_torch",
        learning_rate=config.optimizer.learning_rate,
        lr_scheduler_type=config.optimizer.schedule,
        weight_decay=config.optimizer.weight_decay,
        max_grad_norm=config.optimizer.max_gradient_norm,
        bf16=config.model.dtype == "bfloat16",
        fp16=config.model.dtype == "float16",
        use_cpu=on_cpu,
        activation_checkpointing=config.gradient_checkpointing,
        # Reentrant checkpointing loses the gradients of a block whose input needs none, as in a
        # frozen tower.
        activation_checkpointing_kwargs={"use_reentrant": False},
        dataloader_num_workers=config.data.workers,
        dataloader_pin_memory=not on_cpu,
        ddp_find_unused_parameters=False,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        metric_for_best_model="loss",
        greater_is_better=False,
        prediction_loss_only=True,
        label_names=["labels"],
        remove_unused_columns=False,
        logging_strategy="steps",
        logging_steps=config.log_every,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
    )
