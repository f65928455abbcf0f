// A score on the scale from 0 to 1, with the model's frozen operating points.

import { element, svg } from "./elements.js";

const NAMES = {
  default: "default",
  youden: "Youden",
  sensitivity_95: "sensitivity 95 %",
  specificity_95: "specificity 95 %",
};

// Which of the three answers a label is; a model may name its classes as it likes.
export function kindOf(answer, model) {
  return { [model.labels[0]]: "normal", [model.labels[1]]: "injury" }[answer] ?? "uncertain";
}

// The bounds of the answers: one threshold, or two with the reader's share between them.
export function boundsOf(model) {
  const both = model.abstention;
  return both ? [both.normal_below, both.injury_from] : [model.thresholds.default];
}

function zones(model) {
  const bounds = boundsOf(model).map((bound) => Math.min(bound, 1));
  const kinds = bounds.length === 1 ? ["normal", "injury"] : ["normal", "uncertain", "injury"];
  const edges = [0, ...bounds, 1];
  return kinds.map((kind, index) => ({ kind, from: edges[index], to: edges[index + 1] }));
}

export function miniScale(score, model) {
  const parts = zones(model).map(({ kind, from, to }) =>
    svg("rect", { x: from * 100, y: 3, width: Math.max(to - from, 0) * 100, height: 2, class: `zone ${kind}` }),
  );
  const marker = svg("rect", { x: score * 98, y: 0, width: 2, height: 8, class: "marker" });
  return svg(
    "svg",
    { viewBox: "0 0 100 8", preserveAspectRatio: "none", class: "mini", "aria-hidden": "true" },
    ...parts,
    marker,
  );
}

export function scale(score, model, width) {
  const inset = 10;
  const at = (value) => inset + Math.min(value, 1) * (width - 2 * inset);
  const bounds = boundsOf(model);
  const parts = zones(model).map(({ kind, from, to }) =>
    svg("rect", { x: at(from), y: 18, width: Math.max(at(to) - at(from), 0), height: 8, class: `zone ${kind}` }),
  );
  for (const value of Object.values(model.thresholds)) {
    if (value <= 1 && !bounds.includes(value)) {
      parts.push(svg("line", { x1: at(value), x2: at(value), y1: 28, y2: 33, class: "tick" }));
    }
  }
  for (const bound of bounds.filter((value) => value > 0 && value <= 1)) {
    parts.push(
      svg("line", { x1: at(bound), x2: at(bound), y1: 15, y2: 33, class: "bound" }),
      svg("text", { x: at(bound), y: 45, "text-anchor": "middle" }, bound.toFixed(2)),
    );
  }
  for (const end of [0, 1]) {
    if (bounds.every((bound) => Math.abs(at(bound) - at(end)) > 26)) {
      parts.push(svg("text", { x: at(end), y: 45, "text-anchor": "middle" }, String(end)));
    }
  }
  const x = at(score);
  parts.push(
    svg("path", { d: `M${x} 18l-6-10h12Z`, class: "marker" }),
    svg("line", { x1: x, x2: x, y1: 16, y2: 28, class: "marker-line" }),
  );
  return svg("svg", { viewBox: `0 0 ${width} 50`, width, height: 50, class: "scale", "aria-hidden": "true" }, ...parts);
}

// The points as a table: what the ticks are, and on which side of each the score lies.
export function pointsTable(score, model) {
  const rows = Object.entries(model.thresholds).sort((one, other) => one[1] - other[1]);
  return element(
    "table",
    { class: "points" },
    element("caption", { class: "unseen" }, "Frozen operating points"),
    element(
      "thead",
      { class: "unseen" },
      element("tr", {}, ...["Operating point", "Threshold", "Score"].map((text) => element("th", { scope: "col" }, text))),
    ),
    element(
      "tbody",
      {},
      ...rows.map(([name, value]) =>
        element(
          "tr",
          { class: score >= value ? "reached" : "" },
          element("th", { scope: "row" }, NAMES[name] ?? name),
          element("td", {}, value > 1 ? "none" : value.toFixed(2)),
          element("td", {}, score >= value ? model.labels[1] : model.labels[0]),
        ),
      ),
    ),
  );
}
