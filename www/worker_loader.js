// Starts the compute worker of the page, or a helper worker. The name of the page's worker begins with "pack:" and
// contains the address of the pack to open. This script requests the pack while the browser compiles the worker, and
// src/worker/download.rs takes the responses.
import init from "./worker.js";

const [MANIFEST, WEIGHTS] = ["pack.json", "weights.safetensors"];

/** The largest number of bytes of a file that are read before the worker has started. */
const AHEAD = 1 << 28;

/** The longest time to wait until the browser says whether there is a GPU, in milliseconds. */
const PATIENCE = 15_000;

// If a browser's GPU process fails repeatedly, the browser never answers. After the wait, the worker finds no GPU.
const requestAdapter = self.GPU?.prototype.requestAdapter;
if (requestAdapter) {
  GPU.prototype.requestAdapter = function (...given) {
    const nobody = new Promise((done) => setTimeout(done, PATIENCE, null));
    return Promise.race([requestAdapter.apply(this, given), nobody]);
  };
}

/** Returns the folder of the pack; null if the worker's name contains no valid address of a folder. The worker itself
 *  fetches a pack in one file. */
const folderOf = (name) => {
  if (!name.startsWith("pack:")) return null;
  try {
    const { href, pathname } = new URL(name.slice("pack:".length), self.location.href);
    return /\.tar\/*$/.test(pathname) ? null : `${href.replace(/\/+$/, "")}/`;
  } catch {
    return null;
  }
};

const folder = folderOf(self.name);

/** The requested responses, by address. */
const coming = new Map();
const ended = new AbortController();

const ask = (name) => {
  const url = folder + name;
  // The browser must ask the server whether the cached copy is still valid.
  const response = fetch(url, { cache: "no-cache", signal: ended.signal }).then(readAhead);
  // The worker receives the error when it takes the response.
  response.catch(() => {});
  coming.set(url, response);
};

/** Returns the same response, but reads more of the body in advance than a browser would. */
const readAhead = (response) => {
  if (!response.ok || !response.body) return response;
  const room = new ByteLengthQueuingStrategy({ highWaterMark: AHEAD });
  return new Response(response.body.pipeThrough(new TransformStream({}, undefined, room)), response);
};

const isKept = async (url) => {
  try {
    return (await self.caches?.match(url, { cacheName: "headlamp-packs" })) !== undefined;
  } catch {
    // This browser stores nothing.
    return false;
  }
};

if (folder) {
  ask(MANIFEST);
  const asked = isKept(folder + WEIGHTS).then((kept) => kept || ask(WEIGHTS));
  /** Returns the response for a file that this script requested, once. Returns undefined for other files. */
  self.takeEarly = async (url) => {
    const isOpenedLater = url === folder + MANIFEST && !coming.has(url);
    if (isOpenedLater || !url.startsWith(folder)) {
      // The worker opens another pack, or this pack a second time: the early responses are no longer needed.
      ended.abort();
      coming.clear();
      return undefined;
    }
    if (!coming.has(url)) await asked;
    const response = coming.get(url);
    coming.delete(url);
    return response;
  };
}

await init();
