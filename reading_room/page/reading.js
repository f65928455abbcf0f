// The right column: what each model says of the study, and of each of its images.

import { element, icon } from "./elements.js";
import { boundsOf, kindOf, pointsTable, scale } from "./scale.js";
import { isUnlike, nameOfView, titleOf } from "./studies.js";

const HEADLINES = { uncertain: "I don’t know" };

function promise(model, images) {
  const { abstention } = model;
  if (!abstention) {
    return null;
  }
  const percent = (share) => `${Number((share * 100).toPrecision(3))} %`;
  const text =
    `Of images called ${model.labels[0]} at most ${percent(abstention.most_missed)} are ${model.labels[1]}, ` +
    `of those called ${model.labels[1]} at most ${percent(abstention.most_false_alarms)} are ${model.labels[0]}; ` +
    `confidence ${percent(abstention.confidence)}, for patients like those of validation` +
    (images > 1 ? ". Promised for single images, not for joined ones." : ".");
  return element("p", { class: "quiet" }, text);
}

function verdict(judged, model, study, width, several) {
  const kind = kindOf(judged.answer, model);
  const [low, high] = boundsOf(model).map((bound) => bound.toFixed(2));
  const line = {
    uncertain: `Left to the reader: score from ${low} to ${high}`,
    injury: `Score at or above ${high ?? low}`,
    normal: `Score below ${low}`,
  }[kind];
  const joined = study.images.length > 1 ? `${judged.join} of ${study.images.length} images` : "";
  return element(
    "section",
    { class: `verdict ${kind}`, "aria-label": `${model.name} on the study` },
    several ? element("h3", {}, model.name) : null,
    element(
      "div",
      { class: "headline" },
      element("p", { class: "answer" }, icon(kind), HEADLINES[kind] ?? judged.answer),
      element("p", { class: "score" }, element("span", { class: "unseen" }, "score "), judged.score.toFixed(2)),
    ),
    element("p", { class: "quiet" }, [line, joined].filter(Boolean).join("; ")),
    scale(judged.score, model, width),
    pointsTable(judged.score, model),
    promise(model, study.images.length),
  );
}

function imageRows(study, models) {
  return element(
    "section",
    { class: "images" },
    element("h3", {}, study.images.length > 1 ? "Images" : "Image"),
    element(
      "ul",
      {},
      ...study.images.map((image, index) =>
        element(
          "li",
          {},
          element("span", { class: "view" }, nameOfView(image) || `Image ${index + 1}`),
          element("span", { class: "size" }, `${image.width} × ${image.height}`),
          ...image.models.map((judged, number) =>
            element(
              "span",
              { class: `number ${kindOf(judged.answer, models[number])}` },
              element("span", { class: "unseen" }, `${judged.answer}, score `),
              icon(kindOf(judged.answer, models[number])),
              judged.score.toFixed(2),
            ),
          ),
        ),
      ),
    ),
    element("button", { type: "button", "data-action": "add" }, "Add an image ", element("kbd", {}, "A")),
  );
}

function gateLine(study, models) {
  if (study.images.some(isUnlike)) {
    return element(
      "p",
      { class: "warning" },
      icon("unlike"),
      "Unlike the training images: the score may mean nothing.",
    );
  }
  const gated = models.some((model) => model.gate);
  const text = gated ? "The input gate flags no image." : "This model has no input gate.";
  return element("p", { class: "quiet gate" }, text);
}

export function drawReading(host, study, models) {
  host.classList.toggle("bare", !study);
  if (!study) {
    host.dataset.shown = "";
    host.replaceChildren();
    return;
  }
  const width = Math.max(host.clientWidth - 32, 200);
  const shown = JSON.stringify([study.number, study.state, study.images.length, study.models, width]);
  if (host.dataset.shown === shown) {
    return; // The focus may stand in it.
  }
  host.dataset.shown = shown;
  const title = element("h2", {}, titleOf(study));
  if (study.state === "refused") {
    host.replaceChildren(
      title,
      element(
        "section",
        { class: "verdict refused" },
        element("p", { class: "answer" }, icon("refused"), "No score"),
        element("p", {}, "The study has no usable image:"),
        element("p", { class: "reason" }, study.images[0].reason),
      ),
      element("p", { class: "row-actions" },
        element("button", { type: "button", "data-action": "again" }, "Try again"),
        element("button", { type: "button", "data-action": "remove" }, "Take off the list")),
    );
    return;
  }
  if (study.state !== "scored") {
    host.replaceChildren(title, element("p", { class: "answer pending" }, icon("waiting"), "Reading"));
    return;
  }
  host.replaceChildren(
    title,
    ...study.models.map((judged, number) =>
      verdict(judged, models[number], study, width, models.length > 1)),
    gateLine(study, models),
    imageRows(study, models),
  );
}
