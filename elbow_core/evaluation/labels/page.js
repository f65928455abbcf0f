// The reader's verdicts live in this page alone until they are saved as corrections.csv. Each item
// carries the line of the table for each verdict, so nothing is quoted or escaped here.

const audit = document.querySelector("#audit");
const items = [...audit.querySelectorAll(".item")];
const marks = [...audit.querySelectorAll(".strip li")];
const shortcuts = audit.querySelector("#shortcuts");
const VERDICTS = ["agree", "change", "unsure"];

const verdicts = items.map(() => "");
const history = []; // [item, its verdict before], the latest last
let current = 0;
let saved = true;

function announce(text) {
  audit.querySelector("#status").textContent = text;
}

function refresh() {
  items.forEach((item, index) => {
    item.hidden = index !== current;
    for (const button of item.querySelectorAll("[data-verdict]")) {
      button.setAttribute("aria-pressed", String(button.dataset.verdict === verdicts[index]));
    }
    marks[index].classList.toggle("current", index === current);
    for (const verdict of VERDICTS) {
      marks[index].classList.toggle(verdict, verdict === verdicts[index]);
    }
  });
  const count = (verdict) => verdicts.filter((given) => given === verdict).length;
  const judged = items.length - count("");
  audit.querySelector("#progress").value = judged;
  audit.querySelector("#counts").textContent =
    `${judged} of ${items.length} judged: ` +
    VERDICTS.map((verdict) => `${count(verdict)} ${verdict}`).join(", ") +
    (saved ? "" : "; not saved");
}

// Whoever works with the buttons stays on them; the keys need the focus nowhere in particular.
function show(index) {
  const pressed = document.activeElement?.dataset.verdict;
  current = Math.min(Math.max(index, 0), items.length - 1);
  refresh();
  const item = items[current];
  (pressed ? item.querySelector(`[data-verdict="${pressed}"]`) : item).focus();
}

function judge(verdict) {
  history.push([current, verdicts[current]]);
  verdicts[current] = verdict;
  saved = false;
  const last = current === items.length - 1;
  const missing = verdicts.filter((given) => given === "").length;
  announce(
    `Image ${current + 1}: ${verdict}. ` +
      (missing === 0 ? "Every image is judged; save the corrections."
        : last ? `This was the last image; ${missing} are not judged yet.` : ""),
  );
  show(last ? current : current + 1);
}

function undo() {
  if (history.length === 0) {
    announce("There is nothing to undo.");
    return;
  }
  const [index, before] = history.pop();
  verdicts[index] = before;
  saved = verdicts.every((given) => given === "");
  announce(`Image ${index + 1}: ${before || "not judged"} again.`);
  show(index);
}

function showNextUnjudged() {
  const order = items.map((_, step) => (current + 1 + step) % items.length);
  const next = order.find((index) => verdicts[index] === "");
  if (next === undefined) {
    announce("Every image is judged.");
  } else {
    show(next);
  }
}

function save() {
  const lines = items.flatMap((item, index) =>
    verdicts[index] ? [item.dataset[verdicts[index]]] : [],
  );
  if (lines.length === 0) {
    announce("There is nothing to save yet.");
    return;
  }
  const text = [audit.dataset.header, ...lines, ""].join("\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "corrections.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  saved = true;
  refresh();
  announce(`${lines.length} verdicts were given to the browser as corrections.csv.`);
}

const KEYS = {
  a: () => judge("agree"),
  c: () => judge("change"),
  u: () => judge("unsure"),
  z: undo,
  s: save,
  n: showNextUnjudged,
  ArrowLeft: () => show(current - 1),
  ArrowRight: () => show(current + 1),
  Home: () => show(0),
  End: () => show(items.length - 1),
};

document.addEventListener("keydown", (event) => {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const undoing = key === "z" && (event.ctrlKey || event.metaKey);
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  const repeated = event.repeat && !key.startsWith("Arrow"); // A held key is one verdict.
  if (!Object.hasOwn(KEYS, key) || (modified && !undoing) || !shortcuts.checked) {
    return;
  }
  event.preventDefault();
  if (!repeated) {
    KEYS[key]();
  }
});

audit.addEventListener("click", (event) => {
  const button = event.target.closest("[data-verdict], [data-action]");
  if (button?.dataset.verdict) {
    judge(button.dataset.verdict);
  } else if (button) {
    ({ undo, save, next: KEYS.ArrowRight, previous: KEYS.ArrowLeft })[button.dataset.action]();
  } else if (marks.includes(event.target)) {
    show(marks.indexOf(event.target));
  }
});

window.addEventListener("beforeunload", (event) => {
  if (!saved) {
    event.preventDefault();
  }
});

refresh();
