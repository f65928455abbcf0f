"""The training loop: transformers' Trainer, told what the report says."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from elbow_core.errors import ConfigError, UserError
from elbow_core.runs import MetricsLog
from vlm_torch.config import FinetuneConfig
from vlm_torch.data import WholeBatches
from vlm_torch.training.checkpoints import latest_checkpoint


class LoraTrainer(Trainer):
    """A Trainer whose order of images and whose batches do not depend on the processes."""

    def __init__(self, *, batch_size: int, marks_image: bool, **options: Any) -> None:
        super().__init__(**options)
        self._whole_batch = batch_size
        self._marks_image = marks_image

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        return WholeBatches(len(dataset), self._whole_batch, self.args.seed)  # pyright: ignore

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """Give every process all images; equal shares would count some of them twice."""
        return DataLoader(
            self.eval_dataset if eval_dataset is None else eval_dataset,  # pyright: ignore
            batch_size=self.args.per_device_eval_batch_size,
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
        )

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], *arguments: Any, **options: Any
    ) -> Any:
        """Return the loss of one part of a batch."""
        if self._marks_image and "token_type_ids" not in inputs:
            raise AssertionError("without token_type_ids Gemma 3 attends causally over the image")
        return super().compute_loss(model, inputs, *arguments, **options)


class Log(TrainerCallback):
    """Writes metrics.jsonl and a line for the reader, and ends a run whose loss is not finite."""

    def __init__(self, name: str, log: MetricsLog | None, checkpoint_every: int | None) -> None:
        self._name = name
        self._log = log
        self._checkpoint_every = checkpoint_every

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Ask for a checkpoint where one is due, and for its loss, so that none is kept unseen."""
        if self._checkpoint_every and state.global_step % self._checkpoint_every == 0:
            control.should_save = control.should_log = True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Every epoch ends with a row."""
        control.should_log = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Keep what the Trainer has to say, but for its clock."""
        found = logs or {}
        row: dict[str, Any] = {"step": state.global_step, "epoch": state.epoch}
        if "loss" in found:
            row |= {"loss": found["loss"], "learning_rate": found["learning_rate"]}
            row |= {"gradient_norm": float(found["grad_norm"])}
            said = f"loss {found['loss']:.4f}, rate {found['learning_rate']:.1e}"
            wrong = not math.isfinite(found["loss"]) or not math.isfinite(row["gradient_norm"])
        elif "eval_loss" in found:
            row |= {"validation": {"loss": found["eval_loss"]}}
            said = f"epoch {state.epoch:.0f}, validation loss {found['eval_loss']:.4f}"
            wrong = not math.isfinite(found["eval_loss"])
        else:
            return
        if self._log is not None:
            self._log.write(row)
            print(
                f"{self._name}: step {state.global_step} of {state.max_steps}, {said}", flush=True
            )
        if wrong:
            kept = latest_checkpoint(Path(str(args.output_dir)))
            raise UserError(
                f"step {state.global_step}: {said} is not finite; the last good checkpoint is "
                f"{'none' if kept is None else kept.name}; lower optimizer.learning_rate"
            )


def training_arguments(config: FinetuneConfig, checkpoints: Path) -> TrainingArguments:
    """Return the Trainer's settings; the parts of a batch are dealt to the processes.

    Raises:
        ConfigError: parts that cannot be dealt evenly.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if config.accumulate % processes:
        raise ConfigError(
            f"accumulate: {config.accumulate} parts cannot be dealt evenly to {processes} "
            "processes; make it a multiple of them"
        )
    part = config.batch_size // config.accumulate
    on_cpu = not torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(checkpoints),
        seed=config.seed,
        data_seed=config.seed,
        per_device_train_batch_size=part,
        per_device_eval_batch_size=part,
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
        # The other kind gives no gradient where a block's input needs none, as in a frozen tower.
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
