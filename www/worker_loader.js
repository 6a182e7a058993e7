// Starts the compute worker of the page, or a helper worker. A name that begins with "pack:" is the page's worker's, and says
// which pack it is to open: that is on its way while the browser compiles the worker. src/worker/download.rs takes it.
import init from "./worker.js";

const [MANIFEST, WEIGHTS] = ["pack.json", "weights.safetensors"];

/** At most this many bytes of a file are read before the worker has started and reads them. */
const AHEAD = 1 << 28;

/** The longest time that a browser may take to say whether there is a GPU, in milliseconds. */
const PATIENCE = 15_000;

// A browser whose GPU process fails repeatedly never answers. The worker then finds no GPU.
const requestAdapter = self.GPU?.prototype.requestAdapter;
if (requestAdapter) {
  GPU.prototype.requestAdapter = function (...given) {
    const nobody = new Promise((done) => setTimeout(done, PATIENCE, null));
    return Promise.race([requestAdapter.apply(this, given), nobody]);
  };
}

/** Returns the folder of the pack; null if the worker's name contains no valid address of a pack. */
const folderOf = (name) => {
  if (!name.startsWith("pack:")) return null;
  try {
    return `${new URL(name.slice("pack:".length), self.location.href).href.replace(/\/+$/, "")}/`;
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
  // The browser asks the server whether its cached copy is still valid.
  const response = fetch(url, { cache: "no-cache", signal: ended.signal }).then(readAhead);
  // The worker gets the error when it takes the response.
  response.catch(() => {});
  coming.set(url, response);
};

/** Returns the same response. More of its body is read in advance than a browser would read. */
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
  /** Returns the response to a file that was requested here, once; undefined for other files. */
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
