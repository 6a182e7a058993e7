// Starts the compute worker, or one of its helper workers. The compute worker's name begins with "pack:" and names the
// pack to open. The loader fetches the pack while the browser compiles the worker; src/worker/fetch.rs takes it.
import init from "./worker.js";

const [MANIFEST, WEIGHTS] = ["pack.json", "weights.safetensors"];

/** At most this many bytes of a file are read before the worker takes them. */
const AHEAD = 1 << 28;

/** How long the browser may take to answer a request for a GPU, in milliseconds. */
const PATIENCE = 15_000;

// A browser whose GPU process keeps crashing never answers. For the worker there is then no GPU.
const requestAdapter = self.GPU?.prototype.requestAdapter;
if (requestAdapter) {
  GPU.prototype.requestAdapter = function (...given) {
    const nobody = new Promise((done) => setTimeout(done, PATIENCE, null));
    return Promise.race([requestAdapter.apply(this, given), nobody]);
  };
}

/** Returns the absolute address of the pack's folder; null for a helper worker or an invalid address. */
const folderOf = (name) => {
  if (!name.startsWith("pack:")) return null;
  try {
    return `${new URL(name.slice("pack:".length), self.location.href).href.replace(/\/+$/, "")}/`;
  } catch {
    return null;
  }
};

const folder = folderOf(self.name);

/** The responses that are under way, by their addresses. */
const coming = new Map();
const ended = new AbortController();

const ask = (name) => {
  const url = folder + name;
  // The server says whether the cached copy is still valid.
  const response = fetch(url, { cache: "no-cache", signal: ended.signal }).then(readAhead);
  // Whoever takes the response handles the error.
  response.catch(() => {});
  coming.set(url, response);
};

/** Returns the same response with a larger buffer: browsers buffer less of a body that nobody reads. */
const readAhead = (response) => {
  if (!response.ok || !response.body) return response;
  const room = new ByteLengthQueuingStrategy({ highWaterMark: AHEAD });
  return new Response(response.body.pipeThrough(new TransformStream({}, undefined, room)), response);
};

const isKept = async (url) => {
  try {
    return (await self.caches?.match(url, { cacheName: "headlamp-packs" })) !== undefined;
  } catch {
    // This browser keeps nothing.
    return false;
  }
};

if (folder) {
  ask(MANIFEST);
  const asked = isKept(folder + WEIGHTS).then((kept) => kept || ask(WEIGHTS));
  /** Returns the response to a file that was requested here, once; undefined for every other file. */
  self.takeEarly = async (url) => {
    const isOpenedLater = url === folder + MANIFEST && !coming.has(url);
    if (isOpenedLater || !url.startsWith(folder)) {
      // Another pack is opened, or this one again: the remaining responses are useless.
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
