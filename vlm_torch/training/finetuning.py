"""One LoRA run: checks, model, data and Trainer, from configuration to adapter."""

import contextlib
import sys
from typing import Any

from peft import PeftModel
from transformers import TrainingArguments, set_seed
from transformers.trainer_callback import PrinterCallback

from elbow_core.dataset import (
    PreparedData,
    SeenImages,
    images_learnt_from,
    open_prepared,
    refuse_seen,
    seen_by_run,
)
from elbow_core.errors import ConfigError
from elbow_core.files import require_room, require_writable
from elbow_core.processes import Interrupted, Interruption
from elbow_core.radiographs import NO_AUGMENTATION, Preprocessing
from elbow_core.runs import (
    CONFIG,
    METRICS,
    MetricsLog,
    begin_run,
    check_new,
    check_resume,
    describe_run,
    describe_stop,
    lock_run,
    naming_full_disk,
    resume_run,
)
from vlm_torch.config import ADAPTER, CHECKPOINTS, FinetuneConfig
from vlm_torch.inputs import require_images
from vlm_torch.lora import (
    add_lora,
    count_trainable,
    images_seen_by_base,
    installed_versions,
    write_adapter,
)
from vlm_torch.models import BaseCheckpoint, InputFormat, find_base, load_base, read_input_format
from vlm_torch.training.checkpoints import (
    best_checkpoint,
    check_digests,
    latest_checkpoint,
    remove_partial_checkpoints,
)
from vlm_torch.training.dataset import Collator, RadiographDataset
from vlm_torch.training.same_base import require_same_base, resume_rules
from vlm_torch.training.stopping import (
    StopOnSignal,
    end_process_group,
    end_reading_processes,
    naming_dead_workers,
)
from vlm_torch.training.trainer import LoraTrainer, MetricsCallback, training_arguments


def finetune(config: FinetuneConfig, resume: bool) -> int:
    """Train from configuration to adapter.

    Returns:
        0, or 143 if a signal stopped it after a checkpoint (130 for Ctrl-C).

    Raises:
        UserError: any problem with what the user gave, a disk without room for a checkpoint, or
            another process that trains the run, before the first step; later only a loss that is
            not finite or a full disk.
    """
    status = _finetune(config, resume)
    end_process_group()
    return status


def _finetune(config: FinetuneConfig, resume: bool) -> int:
    data = open_prepared(config.data.prepared)
    arguments = training_arguments(config, config.run / CHECKPOINTS)
    is_main = arguments.process_index == 0
    adapter = config.run / ADAPTER
    with contextlib.ExitStack() as stack:
        exists = resume and (config.run / CONFIG).is_file()
        if is_main and exists:
            stack.enter_context(lock_run(config.run))
        elif is_main:
            check_new(config.run)
            require_writable(config.run)
        with arguments.main_process_first(local=False):
            base = find_base(config.model, config.run.parent)
        inputs = read_input_format(base, config.model, config.prompt)
        require_images(data, ("train", "validation"), inputs.image_size)
        _require_one_batch(config, data)
        seen = _images_learnt_from(config, data, base, exists)
        model = _build_model(config, base)
        with arguments.main_process_first(local=False):
            if is_main:
                if not adapter.is_dir():
                    require_room(config.run, _checkpoint_size(model), "the next checkpoint")
                record = _describe(data, base, model, arguments)
                if exists:
                    require_same_base(config.run, base)
                    check = check_resume if adapter.is_dir() else resume_run
                    check(config.run, config, record, resume_rules(base))
                elif resume and (config.run / CONFIG).is_file():
                    raise ConfigError(f"{config.run}: was begun by another process meanwhile")
                else:
                    entry, files = seen.for_run()
                    begin_run(config.run, config, record | entry, files)
                    stack.enter_context(lock_run(config.run))
        if adapter.is_dir():
            print(f"{config.run}: is finished already")
            return 0
        with naming_full_disk(config.run):
            with Interruption() as interruption:
                step = _train(config, data, inputs, model, interruption)
            if step is None and is_main:
                _write_adapter(config, data, base, seen)
    if step is None:
        return 0
    if is_main:
        print(describe_stop(config.run, interruption, step))
    return interruption.status


def _train(
    config: FinetuneConfig,
    data: PreparedData,
    inputs: InputFormat,
    model: PeftModel,
    interruption: Interruption,
) -> int | None:
    """Train from the latest checkpoint, or from the beginning.

    Returns:
        None at the end of training; after a signal, the last step, which is saved.
    """
    checkpoints = config.run / CHECKPOINTS
    latest = latest_checkpoint(checkpoints)
    if latest is not None:
        check_digests(latest)
    log = None
    trainer = _build_trainer(config, data, inputs, model, interruption)
    if trainer.args.process_index == 0:
        remove_partial_checkpoints(checkpoints)
        step = 0 if latest is None else int(latest.name.removeprefix("checkpoint-"))
        log = MetricsLog(config.run / METRICS, after=step)
        _print_parameters(config, model)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(MetricsCallback(config.run.name, log, config.checkpoint_every))
    trainer.add_callback(StopOnSignal(interruption))
    try:
        with naming_dead_workers():
            trainer.train(resume_from_checkpoint=None if latest is None else str(latest))
    except Interrupted:
        end_reading_processes()
    state = trainer.state
    return state.global_step if state.global_step < state.max_steps else None


def _images_learnt_from(
    config: FinetuneConfig, data: PreparedData, base: BaseCheckpoint, exists: bool
) -> SeenImages:
    """Return what the adapter will have learnt from; refuse a base model that learnt from the test.

    A run that exists has recorded it, unless an earlier version began it.
    """
    recorded = seen_by_run(config.run) if exists else None
    if recorded is not None:
        return recorded
    before = images_seen_by_base(config.model, base)
    if before.images:
        for line in refuse_seen(before, data, ("validation", "test"), f"model.base: {base.path}"):
            print(line, file=sys.stderr)
    return images_learnt_from(data) | before


def _write_adapter(
    config: FinetuneConfig, data: PreparedData, base: BaseCheckpoint, seen: SeenImages
) -> None:
    adapter = config.run / ADAPTER
    checkpoint, step, loss = best_checkpoint(config.run / CHECKPOINTS)
    write_adapter(
        adapter,
        checkpoint,
        base,
        seen,
        model=config.model,
        lora=config.lora,
        prompt=config.prompt,
        preprocessing=Preprocessing.model_validate(data.archive.settings),
        step=step,
        validation_loss=loss,
    )
    print(f"adapter: {adapter} (step {step}, validation loss {loss:.4f})")


def _checkpoint_size(model: PeftModel) -> int:
    """Return the bytes of a checkpoint: the trained weights and AdamW's two moments of each."""
    trained = (weight for weight in model.parameters() if weight.requires_grad)
    return 3 * sum(weight.numel() * weight.element_size() for weight in trained)


def _require_one_batch(config: FinetuneConfig, data: PreparedData) -> None:
    images = len(data.positions("train")) * (1 + config.data.copies)
    if images < config.batch_size:
        raise ConfigError(
            f"{data.directory}: {images} training images, copies included, do not fill a batch "
            f"of {config.batch_size}; lower batch_size or raise data.copies"
        )


def _build_model(config: FinetuneConfig, base: BaseCheckpoint) -> PeftModel:
    set_seed(config.seed)
    return add_lora(load_base(base, config.model), config.lora)


def _describe(
    data: PreparedData,
    base: BaseCheckpoint,
    model: PeftModel,
    arguments: TrainingArguments,
) -> dict[str, Any]:
    low_rank, other = count_trainable(model)
    return describe_run(
        tuple(installed_versions()),
        data.directory,
        processes=arguments.world_size,
        device=str(arguments.device),
        base={
            "origin": base.origin,
            "revision": base.revision,
            "fingerprint": base.fingerprint,
        },
        lora_parameters=low_rank,
        other_trained_parameters=other,
    )


def _print_parameters(config: FinetuneConfig, model: PeftModel) -> None:
    low_rank, other = count_trainable(model)
    print(
        f"{config.run.name}: {low_rank:,} LoRA parameters and {other:,} other trainable ones; "
        f"{model.num_parameters() - low_rank - other:,} are frozen"
    )


def _build_trainer(
    config: FinetuneConfig,
    data: PreparedData,
    inputs: InputFormat,
    model: PeftModel,
    interruption: Interruption,
) -> LoraTrainer:
    section = config.data
    return LoraTrainer(
        model=model,
        args=training_arguments(config, config.run / CHECKPOINTS),
        data_collator=Collator(inputs.tokens, inputs.normalise, config.loss),
        train_dataset=RadiographDataset(
            data, "train", config.seed, section.copies, section.augmentation
        ),
        eval_dataset=RadiographDataset(data, "validation", config.seed, 0, NO_AUGMENTATION),
        batch_size=config.batch_size,
        needs_token_type_ids=inputs.tokens.needs_token_type_ids,
        interruption=interruption,
    )
