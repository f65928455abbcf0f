// The radiographs of a study: window, zoom, and the heat map over them.

import { element, icon } from "./elements.js";
import { isUnlike, nameOfView } from "./studies.js";

const MOST_ZOOM = 16;
const OPACITY = 0.6; // of the highest value of a map
// Inferno of matplotlib, in equal steps from 0 to 1.
const INFERNO = [
  [0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85],
  [227, 89, 51], [249, 140, 10], [249, 201, 50], [252, 255, 164],
];

const PASSING = 80; // milliseconds

export const PLAIN = Object.freeze({ level: 128, width: 256, inverted: false });

function coloured(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, bitmap.width, bitmap.height);
  for (let place = 0; place < pixels.data.length; place += 4) {
    const value = pixels.data[place] / 255;
    const position = value * (INFERNO.length - 1);
    const lower = Math.min(Math.floor(position), INFERNO.length - 2);
    for (let channel = 0; channel < 3; channel += 1) {
      const [from, to] = [INFERNO[lower][channel], INFERNO[lower + 1][channel]];
      pixels.data[place + channel] = from + (to - from) * (position - lower);
    }
    pixels.data[place + 3] = 255 * OPACITY * value;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function lookup({ level, width, inverted }) {
  const table = new Uint8ClampedArray(256);
  for (let grey = 0; grey < 256; grey += 1) {
    const shown = ((grey - (level - width / 2)) / width) * 255;
    table[grey] = inverted ? 255 - shown : shown;
  }
  return table;
}

class Pane {
  constructor(image, number, viewer) {
    this.image = image;
    this.viewer = viewer;
    this.zoom = 1;
    this.offset = [0, 0]; // of the image's centre, in CSS pixels
    this.pointers = new Map();
    const view = nameOfView(image);
    const name = view || (viewer.study.images.length > 1 ? `Image ${number}` : "");
    this.canvas = element("canvas", { tabindex: "0", role: "img", "aria-label": [name, image.name].filter(Boolean).join(", ") });
    this.message = element("p", { class: "message" });
    this.figure = element(
      "figure",
      { class: "pane" },
      this.canvas,
      this.message,
      element(
        "figcaption",
        {},
        name ? element("span", { class: "view" }, name) : null,
        element("span", { class: "file" }, image.name),
        image.state === "scored"
          ? element("span", { class: "number" }, element("span", { class: "unseen" }, "score "), image.models[0].score.toFixed(2))
          : null,
        isUnlike(image) ? element("span", { class: "flag" }, icon("unlike"), "unlike the training images") : null,
      ),
    );
    this.canvas.addEventListener("focus", () => viewer.activate(this));
    this.canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    this.canvas.addEventListener("dblclick", () => this.fit());
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / 400), this.placeOf(event));
    }, { passive: false });
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      this.canvas.addEventListener(kind, (event) => this[kind](event));
    }
  }

  say(text, kind = "") {
    this.message.textContent = text;
    this.message.className = `message ${kind}`;
    this.message.hidden = !text;
  }

  // From the centre of the canvas, in CSS pixels.
  placeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  }

  fit() {
    this.zoom = 1;
    this.offset = [0, 0];
    this.redraw();
  }

  zoomBy(factor, [x, y] = [0, 0]) {
    const zoom = Math.min(Math.max(this.zoom * factor, 1), MOST_ZOOM);
    const ratio = zoom / this.zoom;
    this.zoom = zoom;
    this.moveTo([x - (x - this.offset[0]) * ratio, y - (y - this.offset[1]) * ratio]);
  }

  moveBy(x, y) {
    this.moveTo([this.offset[0] + x, this.offset[1] + y]);
  }

  // The centre of the pane always shows a part of the image.
  moveTo([x, y]) {
    const [width, height] = this.size().map((side) => (side * (this.zoom - 1)) / 2 / this.zoom);
    this.offset = [Math.min(Math.max(x, -width), width), Math.min(Math.max(y, -height), height)];
    this.redraw();
  }

  // Of the image as it is shown, in CSS pixels.
  size() {
    const picture = this.image.pictures.grey;
    if (!picture) {
      return [0, 0];
    }
    const { clientWidth, clientHeight } = this.canvas;
    const scale = Math.min(clientWidth / picture.width, clientHeight / picture.height) * this.zoom;
    return [picture.width * scale, picture.height * scale];
  }

  pointerdown(event) {
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
  }

  pointermove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      return;
    }
    const moved = [event.clientX - before.clientX, event.clientY - before.clientY];
    if (this.pointers.size === 2) {
      const [other] = [...this.pointers.values()].filter((one) => one.pointerId !== event.pointerId);
      const distance = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      this.zoomBy(distance(event) / Math.max(distance(before), 1), this.placeOf(event));
    } else if (event.buttons & 2 || event.altKey) {
      this.viewer.changeWindow(moved[1], moved[0] * 2);
    }
    if (!(event.buttons & 2 || event.altKey)) {
      this.moveBy(...moved.map((step) => step / this.pointers.size));
    }
    this.pointers.set(event.pointerId, event);
  }

  pointerup(event) {
    this.pointers.delete(event.pointerId);
  }

  pointercancel(event) {
    this.pointers.delete(event.pointerId);
  }

  redraw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = undefined;
      this.draw();
    });
  }

  draw() {
    const { canvas, image } = this;
    const density = window.devicePixelRatio || 1;
    const [across, down] = [canvas.clientWidth * density, canvas.clientHeight * density].map(Math.round);
    if (!across || !down) {
      return;
    }
    if (canvas.width !== across || canvas.height !== down) {
      [canvas.width, canvas.height] = [across, down];
    }
    canvas.classList.toggle("zoomed", this.zoom > 1);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.clearRect(0, 0, across, down);
    const picture = image.pictures.grey;
    if (!picture) {
      return;
    }
    const [width, height] = this.size().map((side) => side * density);
    const left = (across - width) / 2 + this.offset[0] * density;
    const top = (down - height) / 2 + this.offset[1] * density;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, left, top, width, height);
    this.applyWindow(context, left, top, width, height);
    const heat = this.viewer.heat ? image.pictures[`heat ${this.viewer.heatModel}`] : null;
    if (heat) {
      context.drawImage(heat, left, top, width, height);
    }
  }

  // To the shown part of the image alone: its cost does not depend on the size of the radiograph.
  applyWindow(context, left, top, width, height) {
    const { level, width: range, inverted } = this.viewer.window;
    if (level === PLAIN.level && range === PLAIN.width && !inverted) {
      return;
    }
    const from = [Math.max(Math.floor(left), 0), Math.max(Math.floor(top), 0)];
    const to = [
      Math.min(Math.ceil(left + width), context.canvas.width),
      Math.min(Math.ceil(top + height), context.canvas.height),
    ];
    if (to[0] <= from[0] || to[1] <= from[1]) {
      return;
    }
    const table = lookup(this.viewer.window);
    const pixels = context.getImageData(...from, to[0] - from[0], to[1] - from[1]);
    const words = pixels.data;
    for (let place = 0; place < words.length; place += 4) {
      words[place] = words[place + 1] = words[place + 2] = table[words[place]];
    }
    context.putImageData(pixels, ...from);
  }
}

export class Viewer {
  constructor(host, api, changed) {
    this.host = host;
    this.api = api;
    this.changed = changed; // called when window, heat map or the active image change
    this.panes = [];
    this.study = null;
    this.window = { ...PLAIN };
    this.heat = false;
    this.heatModel = 0;
    this.active = null;
    new ResizeObserver(() => this.redraw()).observe(host);
  }

  show(study) {
    const same = study && this.study === study && study.images.length === this.panes.length &&
      study.images.every((image, index) => image === this.panes[index].image && image.state === this.panes[index].shown);
    if (same) {
      return;
    }
    const stays = study && this.study === study;
    this.study = study;
    if (!stays) {
      this.window = { ...PLAIN };
    }
    const images = study?.images ?? [];
    this.panes = images.map((image, index) => new Pane(image, index + 1, this));
    this.panes.forEach((pane) => (pane.shown = pane.image.state));
    this.host.replaceChildren(...this.panes.map((pane) => pane.figure));
    this.host.dataset.count = Math.min(images.length, 4);
    this.active = this.panes[0] ?? null;
    this.mark();
    this.panes.forEach((pane) => this.load(pane));
    this.changed();
  }

  async load(pane) {
    const { image } = pane;
    if (image.state === "refused") {
      pane.say("No radiograph", "refused");
      return;
    }
    if (!image.pictures.grey) {
      pane.say("Loading", "loading");
      await new Promise((resolve) => setTimeout(resolve, PASSING));
      if (!this.panes.includes(pane)) {
        return; // Whoever runs through the list asks for no picture of what is passed.
      }
      try {
        await this.fetchPicture(image);
      } catch (error) {
        pane.say(error.message, "refused");
        return;
      }
    }
    pane.say("");
    pane.redraw();
    if (this.heat) {
      await this.loadHeat(pane);
    }
  }

  fetchPicture(image) {
    image.pictures.pending ??= this.api.picture(image.file)
      .then((picture) => { image.pictures.grey = picture; })
      .finally(() => { delete image.pictures.pending; });
    return image.pictures.pending;
  }

  async loadHeat(pane) {
    const name = `heat ${this.heatModel}`;
    const { image } = pane;
    if (!image.pictures[name] && image.state === "scored") {
      pane.say("Heat map", "loading");
      try {
        image.pictures[name] = coloured(await this.api.heatMap(image.file, this.heatModel));
        pane.say("");
      } catch (error) {
        pane.say(error.message, "refused");
      }
    }
    pane.redraw();
  }

  toggleHeat() {
    this.heat = !this.heat;
    if (this.heat) {
      this.panes.forEach((pane) => this.loadHeat(pane));
    } else {
      this.panes.filter(({ image }) => image.state !== "refused").forEach((pane) => pane.say(""));
    }
    this.redraw();
    this.changed();
  }

  chooseHeat(model) {
    this.heatModel = model;
    if (this.heat) {
      this.panes.forEach((pane) => this.loadHeat(pane));
    }
    this.changed();
  }

  activate(pane) {
    this.active = pane;
    this.mark();
  }

  step(by) {
    const place = this.panes.indexOf(this.active) + by;
    if (this.panes[place]) {
      this.panes[place].canvas.focus();
    }
  }

  mark() {
    this.panes.forEach((pane) =>
      pane.figure.classList.toggle("active", pane === this.active && this.panes.length > 1));
  }

  changeWindow(level, width) {
    this.setWindow({ level: this.window.level + level, width: this.window.width + width });
  }

  setWindow(change) {
    const wanted = { ...this.window, ...change };
    wanted.level = Math.min(Math.max(wanted.level, 0), 255);
    wanted.width = Math.min(Math.max(wanted.width, 2), 510);
    this.window = wanted;
    this.redraw();
    this.changed();
  }

  reset() {
    this.setWindow({ ...PLAIN });
    this.panes.forEach((pane) => pane.fit());
  }

  redraw() {
    this.panes.forEach((pane) => pane.redraw());
  }
}
