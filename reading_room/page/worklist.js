// The left column: one row for each study.

import { element, icon } from "./elements.js";
import { kindOf, miniScale } from "./scale.js";
import { isUnlike, nameOfView, titleOf } from "./studies.js";

const STATES = { waiting: "waits", loading: "is being read", refused: "refused" };

function subtitle(study) {
  if (study.state === "refused") {
    return study.images[0].reason;
  }
  if (study.state !== "scored") {
    return STATES[study.state];
  }
  const views = study.images.map(nameOfView);
  const count = study.images.length === 1 ? "1 image" : `${study.images.length} images`;
  return views.every(Boolean) ? views.join(" · ") : count;
}

function row(study, current, models) {
  const scored = study.state === "scored";
  const first = scored ? study.models[0] : null;
  const kind = scored ? kindOf(first.answer, models[0]) : study.state;
  const unlike = study.images.some(isUnlike);
  const button = element(
    "button",
    { type: "button", class: `row ${kind}`, "aria-current": study === current ? "true" : undefined },
    icon(kind === "loading" ? "waiting" : kind),
    element("span", { class: "title" }, titleOf(study)),
    scored
      ? element(
          "span",
          { class: "number" },
          unlike ? icon("unlike") : null,
          element("span", { class: "unseen" }, `${unlike ? "unlike the training images, " : ""}${first.answer}, score `),
          first.score.toFixed(2),
        )
      : null,
    scored ? miniScale(first.score, models[0]) : null,
    element("span", { class: "subtitle" }, subtitle(study)),
  );
  button.dataset.study = study.number;
  return element("li", {}, button);
}

export class Worklist {
  constructor(list, select) {
    this.list = list;
    list.addEventListener("click", (event) => {
      const button = event.target.closest("[data-study]");
      if (button) {
        select(Number(button.dataset.study));
      }
    });
  }

  draw(studies, current, models) {
    const focused = document.activeElement?.closest?.(".row")?.dataset.study;
    this.list.replaceChildren(...studies.map((study) => row(study, current, models)));
    if (focused !== undefined) {
      // The focus stays on its study, wherever its score has moved it.
      (this.button(focused) ?? (current ? this.button(current.number) : null))?.focus({ preventScroll: true });
    }
  }

  button(number) {
    return this.list.querySelector(`[data-study="${number}"]`);
  }

  reveal(study) {
    const button = this.button(study.number);
    button?.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (this.list.contains(document.activeElement)) {
      button?.focus();
    }
  }
}
