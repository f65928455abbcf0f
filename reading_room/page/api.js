// What the server is asked. A busy server is asked again; any other refusal is an error whose text
// is the server's own line.

const TOKEN = "reading-room-token";
const MOST_TRIES = 120;

// The token stands after '#', which no browser sends; it is taken out of the address at once.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(null, "", location.pathname);
}

export class Unanswered extends Error {}

async function ask(path, body, type = "application/octet-stream") {
  const headers = {};
  const token = sessionStorage.getItem(TOKEN);
  if (token) {
    headers.Authorization = `Bearer ${token}`;
  }
  if (body !== undefined) {
    headers["Content-Type"] = type;
  }
  for (let attempt = 1; ; attempt += 1) {
    let response;
    try {
      response = await fetch(path, { method: body === undefined ? "GET" : "POST", headers, body });
    } catch {
      throw new Unanswered("The server does not answer, or the file cannot be read any more.");
    }
    if (response.status === 503 && attempt < MOST_TRIES) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      await new Promise((resolve) => setTimeout(resolve, seconds * (500 + Math.random() * 1000)));
      continue;
    }
    if (!response.ok) {
      const { error } = await response.json().catch(() => ({ error: `status ${response.status}` }));
      throw new Error(error);
    }
    return response;
  }
}

export async function models() {
  return (await ask("/models")).json();
}

export async function score(file) {
  return (await ask("/score", file)).json();
}

export async function join(scores) {
  const body = JSON.stringify({ scores });
  return (await (await ask("/study", body, "application/json")).json()).models;
}

export async function picture(file) {
  return createImageBitmap(await (await ask("/picture", file)).blob());
}

export async function heatMap(file, model) {
  return createImageBitmap(await (await ask(`/heat_map?model=${model}`, file)).blob());
}
