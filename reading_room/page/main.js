// Joins the modules: files come in, are scored a few at a time, and the three columns follow.

import * as api from "./api.js";
import { chosen, dropped } from "./files.js";
import { bindKeys } from "./keys.js";
import { drawReading } from "./reading.js";
import { kindOf } from "./scale.js";
import { Studies, titleOf } from "./studies.js";
import { Viewer } from "./viewer.js";
import { Worklist } from "./worklist.js";

const AT_ONCE = 3; // files that are sent
const KEPT = 8; // studies whose pictures stay in memory
const SECONDS_BETWEEN_LOOKS = 20;

const find = (selector) => document.querySelector(selector);

let models = [];
let mostBytes = Infinity;
let current = null;
let running = 0;
let chosenByReader = false;
const waiting = [];
const recent = [];

const studies = new Studies(api.join);
const viewer = new Viewer(find("#panes"), api, drawTools);
const worklist = new Worklist(find("#worklist"), (number) =>
  select(studies.all.find((study) => study.number === number)));

function announce(text) {
  find("#announcement").textContent = text;
}

function notify(text) {
  const notice = find("#notice");
  notice.hidden = !text;
  if (notice.textContent !== text) {
    notice.textContent = text;
  }
}

function draw() {
  const ordered = studies.ordered();
  document.body.classList.toggle("empty", ordered.length === 0);
  worklist.draw(ordered, current, models);
  viewer.show(current);
  drawReading(find("#reading"), current, models);
  const left = waiting.length + running;
  const count = ordered.length === 1 ? "1 study" : `${ordered.length} studies`;
  find("#progress").textContent =
    ordered.length === 0 ? "" : left ? `${count}, ${left} to read` : count;
}

function drawTools() {
  find("[data-action=heat]").setAttribute("aria-pressed", String(viewer.heat));
  find("[data-action=heat]").disabled = !models.some((model) => model.heat_map);
  find("[data-action=invert]").setAttribute("aria-pressed", String(viewer.window.inverted));
  find("#level").value = viewer.window.level;
  find("#width").value = viewer.window.width;
  find("#heat-model select").value = String(viewer.heatModel);
  find("#legend").hidden = !viewer.heat;
}

function describe(study) {
  if (study.state !== "scored") {
    return `${titleOf(study)}: ${study.state === "refused" ? study.images[0].reason : "is being read"}`;
  }
  const [first] = study.models;
  const answer = kindOf(first.answer, models[0]) === "uncertain" ? "I don’t know" : first.answer;
  return `${titleOf(study)}: ${answer}, score ${first.score.toFixed(2)}`;
}

function select(study) {
  if (!study) {
    return;
  }
  current = study;
  chosenByReader = true;
  keepPictures(study);
  draw();
  worklist.reveal(study);
  announce(describe(study));
  prefetch();
}

// Until a reader chooses a study, the page shows the first of the list.
function follow() {
  if (!chosenByReader && (current === null || current.state !== "scored" || running === 0)) {
    current = studies.ordered()[0] ?? null;
  }
}

function keepPictures(study) {
  recent.splice(0, recent.length, study, ...recent.filter((other) => other !== study));
  for (const old of recent.splice(KEPT)) {
    for (const image of old.images) {
      image.pictures = {};
    }
  }
}

// The next study is most likely to be read next.
function prefetch() {
  const ordered = studies.ordered();
  const next = ordered[ordered.indexOf(current) + 1];
  if (next?.state === "scored" && running === 0) {
    keepPictures(next);
    keepPictures(current);
    next.images.filter((image) => !image.pictures.grey)
      .forEach((image) => viewer.fetchPicture(image).catch(() => {}));
  }
}

function move(step) {
  const ordered = studies.ordered();
  const place = current ? ordered.indexOf(current) + step : 0;
  select(ordered[Math.min(Math.max(place, 0), ordered.length - 1)]);
}

function take(files, into = null) {
  if (files.length === 0) {
    announce("There is no file to read.");
    return;
  }
  for (const file of files) {
    waiting.push(studies.add(file, into));
  }
  follow();
  draw();
  work();
}

function work() {
  while (running < AT_ONCE && waiting.length > 0) {
    running += 1;
    read(waiting.shift()).finally(() => {
      running -= 1;
      follow();
      draw();
      work();
      if (running === 0 && waiting.length === 0) {
        finish();
      }
    });
  }
}

async function read(image) {
  const own = studies.of(image);
  if (!own) {
    return; // taken off the list
  }
  image.state = own.state = "loading";
  draw();
  try {
    if (image.file.size > mostBytes) {
      throw new Error(`The file has more than ${Math.floor(mostBytes / 2 ** 20)} MiB.`);
    }
    if (models.length === 0) {
      await look(); // No score is shown before the scale that it is on.
    }
    const study = await studies.place(image, await api.score(image.file));
    if (current === own && study) {
      current = study;
    }
  } catch (error) {
    studies.refuse(image, error.message);
    if (error instanceof api.Unanswered) {
      look();
    }
  }
}

function finish() {
  const refused = studies.all.filter((study) => study.state === "refused").length;
  const read = studies.all.length - refused;
  announce(`${read} read${refused ? `, ${refused} refused` : ""}.`);
  prefetch();
}

function remove() {
  if (!current) {
    return;
  }
  const ordered = studies.ordered();
  const place = ordered.indexOf(current);
  studies.remove(current);
  announce(`${titleOf(current)} is off the list.`);
  current = ordered[place + 1] ?? ordered[place - 1] ?? null;
  draw();
  if (current) {
    select(current);
  }
}

function again() {
  const images = current?.images.filter((image) => image.state === "refused") ?? [];
  for (const image of images) {
    image.state = studies.of(image).state = "waiting";
    waiting.push(image);
  }
  draw();
  work();
}

// An ensemble has no heat maps: the other model's are then the ones to show.
function otherHeat() {
  const explained = models.map((_, number) => number).filter((number) => models[number].heat_map);
  const next = explained[(explained.indexOf(viewer.heatModel) + 1) % explained.length];
  if (next !== undefined) {
    viewer.chooseHeat(next);
  }
}

async function look() {
  try {
    const answer = await api.models();
    const first = models.length === 0;
    models = answer.models;
    mostBytes = answer.most_body_bytes;
    const replaced = models.filter((model) => model.replaced).map((model) => model.name);
    notify(replaced.length === 0 ? "" :
      `${replaced.join(" and ")}: the model on disk was replaced. This server still reads with the ` +
      "one that it loaded; start it again to read with the new one.");
    if (first) {
      find("#models").textContent = models.map((model) => model.name).join(" and ");
      if (models.length > 1) {
        find("#order").textContent = `highest score of ${models[0].name} first`;
      }
      find("#models").title = models.map((model) => `weights ${model.weights_sha256}`).join("\n");
      const choice = find("#heat-model select");
      choice.replaceChildren(...models.map((model, number) => {
        const option = new Option(model.name, String(number));
        option.disabled = !model.heat_map;
        return option;
      }));
      find("#heat-model").hidden = models.filter((model) => model.heat_map).length < 2;
      viewer.heatModel = Math.max(models.findIndex((model) => model.heat_map), 0);
      drawTools();
      draw();
    }
    return true;
  } catch (error) {
    notify(error instanceof api.Unanswered
      ? "The server does not answer. Start it again; this page keeps its list."
      : error.message);
    return false;
  }
}

const ACTIONS = {
  files: () => find("#files").click(),
  folder: () => find("#folder-files").click(),
  add: () => current?.state === "scored" && find("#more-files").click(),
  keys: () => find("#keys").showModal(),
  close: () => find("#keys").close(),
  heat: () => models.some((model) => model.heat_map) && viewer.toggleHeat(),
  invert: () => viewer.setWindow({ inverted: !viewer.window.inverted }),
  in: () => viewer.active?.zoomBy(1.25),
  out: () => viewer.active?.zoomBy(0.8),
  reset: () => viewer.reset(),
  remove,
  again,
};

const KEYS = {
  ArrowUp: () => move(-1),
  ArrowDown: () => move(1),
  Home: () => move(-Infinity),
  End: () => move(Infinity),
  ArrowLeft: () => viewer.step(-1),
  ArrowRight: () => viewer.step(1),
  "Shift+ArrowLeft": () => viewer.active?.moveBy(40, 0),
  "Shift+ArrowRight": () => viewer.active?.moveBy(-40, 0),
  "Shift+ArrowUp": () => viewer.active?.moveBy(0, 40),
  "Shift+ArrowDown": () => viewer.active?.moveBy(0, -40),
  h: ACTIONS.heat,
  m: otherHeat,
  i: ACTIONS.invert,
  "[": () => viewer.changeWindow(0, -16),
  "]": () => viewer.changeWindow(0, 16),
  ",": () => viewer.changeWindow(8, 0),
  ".": () => viewer.changeWindow(-8, 0),
  "+": ACTIONS.in,
  "=": ACTIONS.in,
  "-": ACTIONS.out,
  r: ACTIONS.reset,
  o: ACTIONS.files,
  f: ACTIONS.folder,
  a: ACTIONS.add,
  Delete: remove,
  "?": ACTIONS.keys,
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button) {
    ACTIONS[button.dataset.action]();
  }
});

for (const name of ["level", "width"]) {
  find(`#${name}`).addEventListener("input", (event) =>
    viewer.setWindow({ [name]: Number(event.target.value) }));
}
find("#heat-model select").addEventListener("change", (event) =>
  viewer.chooseHeat(Number(event.target.value)));
find("#folders").addEventListener("change", (event) => { studies.byFolder = event.target.checked; });
find("#files").addEventListener("change", (event) => take(chosen(event.target)));
find("#folder-files").addEventListener("change", (event) => take(chosen(event.target)));
find("#more-files").addEventListener("change", (event) => take(chosen(event.target), current));
window.addEventListener("resize", () => drawReading(find("#reading"), current, models));

let depth = 0; // of the elements that a dragged file is over
function cover(by) {
  depth = Math.max(depth + by, 0);
  find("#drop").hidden = depth === 0;
}
document.addEventListener("dragenter", (event) => { event.preventDefault(); cover(1); });
document.addEventListener("dragleave", () => cover(-1));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  cover(-depth);
  take(await dropped(event.dataTransfer));
});

bindKeys(KEYS, () => find("#shortcuts").checked);
drawTools();
await look();
setInterval(() => document.hidden || look(), SECONDS_BETWEEN_LOOKS * 1000);
