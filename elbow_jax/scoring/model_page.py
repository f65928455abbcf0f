"""The page of a released model, README.md: what it is, what it learnt from, its figures.

Its head is the metadata of a model on the Hugging Face hub.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from elbow_core.dataset import SeenImages
from elbow_core.printable import plain_text
from elbow_jax.scoring.card import ModelCard

PAGE = "README.md"
NOT_A_DEVICE = (
    "This is not a medical device. It is for research, and nothing it says is fit to guide "
    "anyone's care."
)
_NAMES = {
    "convnext_tiny": "ConvNeXt-Tiny",
    "efficientnetv2_s": "EfficientNetV2-S",
    "mobilenetv3_large": "MobileNetV3-Large",
    "fusion": "feature fusion of three networks",
}
_SIGNATURE = "<!-- as written by elbow_jax, SHA-256 {} -->\n"
_TAGS = ("radiology", "radiograph", "fracture", "jax", "flax")
_HUB_METRICS = {"auroc": "roc_auc", "sensitivity": "recall", "accuracy": "accuracy"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric of a report, with its 95 % interval; both ends are None where there is none."""

    metric: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ReportedFigures:
    """The figures of one model in one report: its title, the set's size, and the metrics."""

    title: str
    images: int
    patients: int
    injured: int
    figures: Sequence[Figure]


def model_page(
    card: ModelCard,
    seen: SeenImages,
    reported: ReportedFigures | None = None,
    *,
    licence: str = "",
    about: str = "",
) -> str:
    """Return the text of README.md of a released model.

    Args:
        card: of the model. What `elbow_jax.freeze` may change later is not repeated.
        seen: the images that it learnt from.
        reported: figures on a test set; without them the page has those of validation alone.
        licence: an identifier of the hub, such as ``cc-by-4.0``; empty: none is stated.
        about: what else readers must know of the images, in Markdown.

    Reference: the hub's model cards, `huggingface_hub.ModelCardData`.
    """
    what = _name_of(card)
    lines = [
        "---",
        _metadata(what, reported, licence),
        "---",
        "",
        f"# {what[0].upper()}{what[1:]}: injury on radiographs",
        "",
        f"P({card.labels[1]}) of one radiograph, by {_article(what)} of `elbow_jax`.",
        f"**{NOT_A_DEVICE}**",
        "",
        "## Use",
        "",
        "```",
        "python -m elbow_jax.predict --model FOLDER IMAGE...",
        "```",
        "",
        f"FOLDER is this one. Images are PNG, JPEG or DICOM; they are resized to "
        f"{card.preprocessing.size} x {card.preprocessing.size} pixels, with CLAHE and an unsharp "
        "mask. `model.json` has the settings, the operating points, and whether images are left to "
        "the reader. The file `weights.safetensors` has the SHA-256",
        f"`{card.weights_sha256}`.",
        "",
        "## What it learnt from",
        "",
        *_learnt_from(card, seen),
        *(["", about] if about else []),
        "",
        "## Figures",
        "",
        *_figures(card, reported),
        "",
        "## Limits",
        "",
        "- Its scores hold for images like those above. Of another hospital, device, age or body "
        "part nothing is known until it is measured there (`elbow_jax.evaluate --model`).",
        "- The operating points were chosen on validation images, and stay as they are.",
        (
            "- It carries an input gate, which flags images that are unlike those of training; it "
            "does not find all of them."
            if card.gate
            else "- It has no input gate: every image gets a score, a photograph too."
        ),
    ]
    text = plain_text("\n".join(lines)) + "\n"
    return f"{text}{_SIGNATURE.format(_digest(text))}"


def is_own_page(content: bytes) -> bool:
    """Return whether a page is as `model_page` wrote it, and was not edited since."""
    text, _, signature = content.decode("utf-8", "replace").rpartition("\n")[0].rpartition("\n")
    return f"{signature}\n" == _SIGNATURE.format(_digest(f"{text}\n"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _name_of(card: ModelCard) -> str:
    name = _NAMES.get(card.architecture.backbone, card.architecture.backbone)
    small = f"small {name}" if card.architecture.variant == "small" else name
    return f"mean of {card.members} networks, each a {small}" if card.members else small


def _article(what: str) -> str:
    return f"the {what}," if what.startswith("mean") else f"a {what}"


def _metadata(what: str, reported: ReportedFigures | None, licence: str) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = []
    if reported is not None:
        results = [
            EvalResult(
                task_type="image-classification",
                dataset_type="radiographs",
                dataset_name=reported.title,
                metric_type=_HUB_METRICS[figure.metric],
                metric_name=figure.metric,
                metric_value=round(figure.value, 4),
            )
            for figure in reported.figures
            if figure.metric in _HUB_METRICS
        ]
    data = ModelCardData(
        library_name="flax",
        pipeline_tag="image-classification",
        tags=list(_TAGS),
        license=licence or None,
        model_name=what if results else None,
        eval_results=results or None,
    )
    return data.to_yaml(line_break="\n")


def _learnt_from(card: ModelCard, seen: SeenImages) -> list[str]:
    counts = {
        split: sum(image.split == split for image in seen.images)
        for split in ("train", "validation")
    }
    text = (
        f"{counts['train']} images of training and {counts['validation']} of validation, those of "
        "its first weights included. `seen_images.csv` has their digests, and no image, name or "
        f"patient; `elbow_jax` refuses to judge the model on them. It was trained for {card.step} "
        "steps."
    )
    incomplete = "Its first weights do not say what they learnt from, so that the list lacks that."
    return [text] if seen.complete else [text, incomplete]


def _figures(card: ModelCard, reported: ReportedFigures | None) -> list[str]:
    source = "out-of-fold scores" if card.ensemble else "the validation set"
    own = ", ".join(f"{name} {value:.4f}" for name, value in sorted(card.validation.items()))
    lines = [
        f"On {source}: {own}. The model was chosen by these figures, so they are rather too good."
    ]
    if reported is None:
        return [*lines, "", "No figures of a test set were given."]
    lines += [
        "",
        f"{reported.title}: {reported.images} images of {reported.patients} patients, "
        f"{reported.injured} with an injury. Intervals are 95 %, over patients.",
        "",
        "| metric | value | from | to |",
        "|---|---|---|---|",
    ]
    for figure in reported.figures:
        ends = ["–" if end is None else f"{end:.3f}" for end in (figure.low, figure.high)]
        lines.append(f"| {figure.metric} | {figure.value:.3f} | {ends[0]} | {ends[1]} |")
    return lines
