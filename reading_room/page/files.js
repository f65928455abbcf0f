// Files that were dropped or chosen, folders at any depth, without what systems add to folders.

const OF_SYSTEMS = /^(\..*|thumbs\.db|desktop\.ini|dicomdir|__macosx)$/i;

function isRadiograph(path) {
  return !path.split("/").some((part) => OF_SYSTEMS.test(part));
}

function found(file, path) {
  const parts = path.split("/");
  return { file, name: parts.pop(), folder: parts.join("/") };
}

export function chosen(input) {
  const files = [...input.files];
  input.value = ""; // so that the same files can be chosen again
  return files
    .map((file) => found(file, file.webkitRelativePath || file.name))
    .filter(({ name, folder }) => isRadiograph(folder ? `${folder}/${name}` : name));
}

async function entriesOf(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (some.length === 0) {
      return entries.sort((one, other) => one.name.localeCompare(other.name));
    }
    entries.push(...some); // A browser gives a hundred at a time.
  }
}

async function walk(entry, path) {
  if (!isRadiograph(entry.name)) {
    return [];
  }
  const name = path ? `${path}/${entry.name}` : entry.name;
  if (entry.isDirectory) {
    const files = [];
    for (const child of await entriesOf(entry)) {
      files.push(...(await walk(child, name)));
    }
    return files;
  }
  const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
  return file ? [found(file, name)] : [];
}

export async function dropped(transfer) {
  // Both must be read before the first wait: the browser empties the transfer then.
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...transfer.files];
  if (entries.length === 0) {
    return plain.map((file) => found(file, file.name)).filter(({ name }) => isRadiograph(name));
  }
  const files = [];
  for (const entry of entries) {
    files.push(...(await walk(entry, "")));
  }
  return files;
}
