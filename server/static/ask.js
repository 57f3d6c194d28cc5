// Requests to the server: JSON of the API, pictures and pages. Every failure is a Problem, with text for visitors.

/** A failed request. `kind` is "offline", "limited" or "wrong". */
export class Problem extends Error {
  constructor(kind, title, detail, { status = 0, requestId = null, wait = null } = {}) {
    super(detail);
    Object.assign(this, { kind, title, detail, status, requestId, wait });
  }
}

/** Return the JSON at an address; null for an empty response. Throw Problem, or AbortError once `signal` fires.
 *
 * Send `body` as JSON, by POST unless `method` is given; send `form` as it is.
 */
export async function ask(address, { body, form, ...options } = {}) {
  const sent = body === undefined ? { body: form } : { method: "POST", body: JSON.stringify(body) };
  const headers = { Accept: "application/json", ...(body !== undefined && { "Content-Type": "application/json" }), ...options.headers };
  const response = await answer(address, { ...sent, ...options, headers });
  return response.status === 204 ? null : response.json();
}

/** Return the picture at an address. Throw as `ask` does. */
export async function picture(address, options = {}) {
  return createImageBitmap(await (await answer(address, options)).blob());
}

/** Return the page at an address, as a document. Throw as `ask` does. */
export async function page(address, options = {}) {
  const response = await answer(address, { ...options, headers: { Accept: "application/json;q=0.5, text/html" } });
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/** Return the Problem of an error response with body `text`. */
export function problemOf(status, header, text) {
  const requestId = header("X-Request-Id");
  const wait = Number(header("Retry-After")) || null;
  let detail = "";
  let title = "This did not work";
  try {
    ({ detail, title } = JSON.parse(text));
  } catch {
    const main = new DOMParser().parseFromString(text, "text/html").querySelector("main");
    title = main?.querySelector("h1")?.textContent ?? title;
    detail = main?.querySelector(".said")?.textContent ?? `the server answered with status ${status}`;
  }
  if (status === 400 || status === 422) title = "That does not work"; // "Unprocessable Entity" tells a visitor nothing
  const limited = status === 429 || (status === 503 && wait !== null);
  return new Problem(limited ? "limited" : "wrong", title, detail, { status, requestId, wait });
}

/** Return the Problem of a request without a response. */
export const unreachable = () =>
  new Problem("offline", "The server cannot be reached", navigator.onLine ? "It may be starting again." : "This device is offline.");

async function answer(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (!response.ok) throw problemOf(response.status, (name) => response.headers.get(name), await response.text());
  return response;
}
