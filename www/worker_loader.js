// Starts the compute worker: an engine, or a hand of one. A name that begins with "pack:" is of an engine, and says
// which pack it is to open: that is on its way while the browser compiles the worker. src/worker/fetch.rs takes it.
import init from "./worker.js";

const [MANIFEST, WEIGHTS] = ["pack.json", "weights.safetensors"];

/** So much of a file is read before the engine is there to take it, in bytes. */
const AHEAD = 1 << 28;

/** How long a browser may take to say whether there is a GPU, in milliseconds. */
const PATIENCE = 15_000;

// A browser whose GPU process fails again and again never says. To the engine that is none.
const requestAdapter = self.GPU?.prototype.requestAdapter;
if (requestAdapter) {
  GPU.prototype.requestAdapter = function (...given) {
    const nobody = new Promise((done) => setTimeout(done, PATIENCE, null));
    return Promise.race([requestAdapter.apply(this, given), nobody]);
  };
}

/** The folder of the pack, as the engine has it; none where the name is of no engine, or says nothing of use. */
const folderOf = (name) => {
  if (!name.startsWith("pack:")) return null;
  try {
    return `${new URL(name.slice("pack:".length), self.location.href).href.replace(/\/+$/, "")}/`;
  } catch {
    return null;
  }
};

const folder = folderOf(self.name);

/** The responses to come, by their addresses. */
const coming = new Map();
const ended = new AbortController();

const ask = (name) => {
  const url = folder + name;
  // The server says whether the copy at hand is still good.
  const response = fetch(url, { cache: "no-cache", signal: ended.signal }).then(readAhead);
  // What goes wrong is heard by whoever takes it.
  response.catch(() => {});
  coming.set(url, response);
};

/** The same response; of its body more comes than a browser lets come by itself while nobody reads. */
const readAhead = (response) => {
  if (!response.ok || !response.body) return response;
  const room = new ByteLengthQueuingStrategy({ highWaterMark: AHEAD });
  return new Response(response.body.pipeThrough(new TransformStream({}, undefined, room)), response);
};

const isKept = async (url) => {
  try {
    return (await self.caches?.match(url, { cacheName: "headlamp-packs" })) !== undefined;
  } catch {
    // A browser that keeps nothing.
    return false;
  }
};

if (folder) {
  ask(MANIFEST);
  const asked = isKept(folder + WEIGHTS).then((kept) => kept || ask(WEIGHTS));
  /** The response to a file that has been asked for, for whoever wants it first; nothing for any other. */
  self.takeEarly = async (url) => {
    const isOpenedLater = url === folder + MANIFEST && !coming.has(url);
    if (isOpenedLater || !url.startsWith(folder)) {
      // Another pack, or this one again: what was left of the first opening is of no more use.
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
