// Keys, in one table. They are silent in fields, in dialogs, with modifiers, and when switched off.

export function bindKeys(actions, isOn) {
  document.addEventListener("keydown", (event) => {
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const key = event.shiftKey && name.startsWith("Arrow") ? `Shift+${name}` : name;
    const field = event.target.closest?.("input, select, textarea, dialog");
    if (event.ctrlKey || event.metaKey || event.altKey || field || !Object.hasOwn(actions, key)) {
      return;
    }
    if (!isOn() && key.length === 1) {
      return;
    }
    event.preventDefault();
    actions[key]();
  });
}
