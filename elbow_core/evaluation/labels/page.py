"""The page of a label audit: pictures, facts and verdicts, without a network."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from elbow_core.dataset import LABEL_NAMES
from elbow_core.evaluation.labels.ranking import AuditedLabel
from elbow_core.evaluation.pages import ArchivedPictures, embed_png, render_page
from elbow_core.prepare import CORRECTION_COLUMNS, VERDICTS
from elbow_core.printable import one_line
from elbow_core.tables import write_csv_rows

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """What the page says about the whole audit."""

    model: str
    file: str
    """Name of the predictions file."""
    sha256: str
    """Of the predictions file."""
    labels: int
    flagged: int
    contradicting_pairs: int
    auroc: float


def audit_page(
    facts: AuditFacts, labels: Sequence[AuditedLabel], pictures: ArchivedPictures
) -> str:
    """Return the page as HTML; ``labels`` are shown in their order.

    Its script keeps the verdicts, and saves them as a table of `CORRECTION_COLUMNS`. Raises
    `PredictionsError` for an image without a picture.
    """
    title = f"Label audit: {one_line(facts.model)}"
    items = "\n".join(
        _item(number, len(labels), label, facts.sha256, pictures)
        for number, label in enumerate(labels, start=1)
    )
    marks = "".join(
        f'<li title="Image {number}"{_class("pair" if label.twins else "")}></li>'
        for number, label in enumerate(labels, start=1)
    )
    body = f"""<header>
<h1>{escape(title)}</h1>
{_summary(facts, len(labels))}
</header>
<noscript><p class="warning">The verdicts of this page need JavaScript, which is switched off.</p>
</noscript>
<main id="audit" data-header="{escape(",".join(CORRECTION_COLUMNS))}">
<div class="toolbar">
<progress id="progress" max="{len(labels)}" value="0" aria-label="Images judged"></progress>
<p id="counts">0 of {len(labels)} judged</p>
<button type="button" data-action="previous">Previous <kbd>&larr;</kbd></button>
<button type="button" data-action="next">Next <kbd>&rarr;</kbd></button>
<button type="button" data-action="undo">Undo <kbd>Z</kbd></button>
<button type="button" data-action="save" id="save">Save corrections.csv <kbd>S</kbd></button>
</div>
<ol class="strip" aria-hidden="true">{marks}</ol>
<p id="status" role="status"></p>
{items}
<p class="help">Keys: <kbd>A</kbd> agree, <kbd>C</kbd> change, <kbd>U</kbd> unsure;
<kbd>Z</kbd> undo; <kbd>&larr;</kbd> <kbd>&rarr;</kbd> previous and next image, <kbd>N</kbd> next
image without a verdict, <kbd>Home</kbd> <kbd>End</kbd> first and last; <kbd>S</kbd> save;
<kbd>Tab</kbd> and <kbd>Enter</kbd> for the buttons.
<label><input type="checkbox" id="shortcuts" checked> Keys are on</label></p>
</main>"""
    return render_page(
        title,
        body,
        (_FOLDER / "page.css").read_text(encoding="utf-8"),
        (_FOLDER / "page.js").read_text(encoding="utf-8"),
    )


def _summary(facts: AuditFacts, shown: int) -> str:
    pairs = facts.contradicting_pairs
    one = "comes one pair" if pairs == 1 else f"come {pairs} pairs"
    first = (
        f"First {one} of near-duplicates with contradicting labels (round marks), then the labels "
        "that the scores doubt most."
        if pairs
        else "No near-duplicates have contradicting labels. First are the labels that the scores "
        "doubt most."
    )
    texts = (
        f"{facts.labels} labels, scored in {one_line(facts.file)} (SHA-256 begins "
        f"{facts.sha256[:16]}). On these labels the scores have an AUROC of {facts.auroc:.3f}, and "
        f"confident learning takes {facts.flagged} labels for wrong. The {shown} most doubtful "
        "are shown.",
        f"{first} The scores may be wrong, not the label: judge by the picture. Nothing is stored "
        "before you save.",
    )
    return "\n".join(f'<p class="facts">{escape(text)}</p>' for text in texts)


def _item(
    number: int, count: int, label: AuditedLabel, sha256: str, pictures: ArchivedPictures
) -> str:
    name, other = LABEL_NAMES[label.label], LABEL_NAMES[1 - label.label]
    shown = escape(one_line(label.image_id))
    lines = "".join(
        f' data-{verdict}="{escape(line)}"'
        for verdict, line in zip(VERDICTS, _table_lines(label, sha256), strict=True)
    )
    figures = [_figure(label.image_id, f"labelled {name}", pictures)] + [
        _figure(
            twin.image_id,
            f"near-duplicate {one_line(twin.image_id)}: labelled {LABEL_NAMES[twin.label]}; "
            f"{twin.bits} of 256 bits differ",
            pictures,
        )
        for twin in label.twins
    ]
    buttons = "\n".join(
        f'<button type="button" class="{verdict}" data-verdict="{verdict}" aria-pressed="false">'
        f"<kbd>{verdict[0].upper()}</kbd> {text}</button>"
        for verdict, text in zip(
            VERDICTS, (f"Agree: {name}", f"Change to {other}", "Unsure"), strict=True
        )
    )
    return f"""<article class="item" id="i{number}" tabindex="-1" aria-labelledby="h{number}"{lines}
 hidden>
<div class="pictures">{"".join(figures)}</div>
<div>
<h2 id="h{number}">Image {number} of {count}: {shown}</h2>
<dl>
<dt>Label</dt><dd><span class="label {name}">{name}</span></dd>
{_scores(label)}
</dl>
<div class="verdicts" role="group" aria-label="Verdict on the label {name}">
{buttons}
</div>
</div>
</article>"""


def _scores(label: AuditedLabel) -> str:
    if label.score is None or label.quality is None:
        return "<dt>Score</dt><dd>none: not among the predictions</dd>"
    facts = {
        "Score": (
            f'<meter min="0" max="1" value="{label.score:.4f}" aria-label="Score of injury">'
            f"</meter> {label.score:.3f} for injury"
        ),
        "Quality": f"{label.quality:.3f} of 1",
        "Flagged": "yes" if label.flagged else "no",
    }
    if label.twins:
        facts["Pair"] = "a near-duplicate has the other label"
    return "\n".join(f"<dt>{name}</dt><dd>{fact}</dd>" for name, fact in facts.items())


def _figure(image_id: str, caption: str, pictures: ArchivedPictures) -> str:
    alt = f"Preprocessed radiograph, {caption}"
    picture = embed_png(pictures.png(image_id), alt)
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _table_lines(label: AuditedLabel, sha256: str) -> list[str]:
    """Return the line of corrections.csv for each verdict, as `write_csv_rows` writes it."""
    new_labels = (label.label, 1 - label.label, "")
    rows = [
        (label.image_id, label.label, new, verdict, sha256)
        for new, verdict in zip(new_labels, VERDICTS, strict=True)
    ]
    file = io.StringIO()
    write_csv_rows(file, CORRECTION_COLUMNS, rows)
    return file.getvalue().split("\n")[1:-1]


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
