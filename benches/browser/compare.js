// headlamp's worker and onnxruntime-web, side by side on one page: the same photo, the same weights. Rounds of all
// contenders are interleaved, so that whatever else the machine does hits all of them alike.

const SIDE = 224;
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

/// A worker that answers one message at a time.
class Peer {
  constructor(url) {
    this.worker = new Worker(url, { type: "module" });
  }

  ask(message, isAnswer = () => true) {
    return new Promise((resolve, reject) => {
      this.worker.onerror = (event) => reject(new Error(event.message || "the worker failed to load"));
      this.worker.onmessage = ({ data }) => {
        if (data.error) reject(new Error(data.error));
        else if (isAnswer(data)) resolve(data);
      };
      if (message) this.worker.postMessage(message);
    });
  }
}

/// headlamp's worker, spoken to as the page speaks to it (src/engine/wire.rs).
export class Headlamp {
  static async start() {
    const start = performance.now();
    const peer = new Headlamp();
    peer.peer = new Peer("/dist/worker_loader.js");
    peer.id = 0;
    await peer.peer.ask(null, ({ body }) => body.id === 0);
    peer.started = (performance.now() - start) / 1000;
    return peer;
  }

  async ask(task, buffers = [], files = []) {
    const id = ++this.id;
    const isAnswer = ({ body }) => body.id === id && !body.answer.Progress;
    const { body } = await this.peer.ask({ body: { id, task }, buffers, files }, isAnswer);
    if (body.answer.Failed) throw new Error(body.answer.Failed.message);
    return body.answer;
  }

  open(pack, device) {
    return this.ask({ OpenPack: { url: new URL(pack, location.href).href, device } });
  }

  async trace(photo) {
    const bytes = new Uint8Array(await photo.arrayBuffer());
    return (await this.ask({ TracePhoto: { name: "photo.png", framing: "CentreCrop" } }, [bytes])).PhotoTraced;
  }

  async encode() {
    return (await this.ask({ Reframe: { framing: "CentreCrop" } })).PhotoTraced.seconds.encode;
  }

  /// Seconds until phrases are divided among all components, their embeddings included where they are new.
  async attribute(phrases) {
    const start = performance.now();
    const ablation = { heads: [], mlps: [], embedding: false, cls_to_cls: false };
    const answer = await this.ask({ Attribute: { phrases, templates: false, ablation } });
    return { seconds: (performance.now() - start) / 1000, ...answer.Attributed };
  }

  /// Seconds of each of some frames: decoding, the model, and tracking.
  async frames(blobs) {
    const times = blobs.map((_, index) => index / 2);
    const names = blobs.map((_, index) => `${index}.png`);
    await this.ask({ Video: { Open: { reel: 1, source: { Pictures: { names, times } } } } }, [], blobs);
    const sampling = { rate: 2, start: 0, length: 60, framing: "CentreCrop" };
    await this.ask({ Video: { Sample: { reel: 1, sampling } } });
    const seconds = [];
    for (let index = 0; index < blobs.length; index++) {
      const start = performance.now();
      await this.ask({ Video: { TraceFrame: { reel: 1, index, ahead: 0 } } });
      seconds.push((performance.now() - start) / 1000);
    }
    return seconds;
  }
}

/// onnxruntime-web on `models`, { name: url }.
export class Onnx {
  static async start(provider, threads, models) {
    const peer = new Onnx();
    peer.peer = new Peer("/bench/onnx_worker.js");
    peer.loaded = (await peer.peer.ask({ provider, threads, models })).load;
    return peer;
  }

  run(name, feeds, runs) {
    return this.peer.ask({ name, feeds, runs });
  }
}

/// The photo's centre crop as the model takes it, resampled by the browser.
export async function crop(photo) {
  const bitmap = await createImageBitmap(photo);
  const side = Math.min(bitmap.width, bitmap.height);
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
  context.imageSmoothingQuality = "high";
  const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
  context.drawImage(bitmap, left, top, side, side, 0, 0, SIDE, SIDE);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  const values = new Float32Array(3 * SIDE * SIDE);
  for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      values[channel * SIDE * SIDE + pixel] = (data[4 * pixel + channel] / 255 - MEAN[channel]) / STD[channel];
    }
  }
  return { crop: { type: "float32", values, shape: [1, 3, SIDE, SIDE] } };
}

/// `count` texts of `length` tokens.
export function texts(count, length) {
  const values = BigInt64Array.from({ length: count * length }, (_, index) => BigInt(1000 + ((index * 37) % 20000)));
  return { tokens: { type: "int64", values, shape: [count, length] } };
}

/// As many phrases of seven tokens (start and end included) that were never embedded before.
let phrasesMade = 0;
export function phrases(count) {
  const words = ["cat", "dog", "tree", "road", "bread", "cup", "house", "boat", "chair", "lamp", "door", "book"];
  return Array.from({ length: count }, () => {
    const number = phrasesMade++;
    const word = (power) => words[Math.floor(number / words.length ** power) % words.length];
    return `a photo ${word(2)} ${word(1)} ${word(0)}`;
  });
}

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/// How the encoder's time grows with a frame's tokens: `{ tokens, seconds }`, the fastest of `runs`.
let growing;
export async function grown({ pack, photoUrl, device, shortSide, runs }) {
  if (!growing) {
    growing = await Headlamp.start();
    await growing.open(pack, device);
    await growing.trace(await (await fetch(photoUrl)).blob());
  }
  let seconds = Infinity;
  let tokens = 0;
  for (let run = 0; run <= runs; run++) {
    const framing = { Frame: { short_side: shortSide } };
    const { PhotoTraced: traced } = await growing.ask({ Reframe: { framing } });
    tokens = 1 + traced.grid.rows * traced.grid.columns;
    if (run > 0) seconds = Math.min(seconds, traced.seconds.encode);
  }
  return { tokens, seconds };
}

/// Seconds that every head's texts take.
export async function labelled({ pack, photoUrl, device }) {
  if (!growing) await grown({ pack, photoUrl, device, shortSide: 224, runs: 1 });
  const start = performance.now();
  await growing.ask({ LabelAllHeads: { count: 10 } });
  return (performance.now() - start) / 1000;
}

/// Encoders: interleaved rounds. `onnx` is { label: [provider, threads, file suffix] }.
export async function encoders({ pack, photoUrl, onnx, rounds, device }) {
  const photo = await (await fetch(photoUrl)).blob();
  const feeds = await crop(photo);
  const headlamp = await Headlamp.start();
  const opened = (await headlamp.open(pack, device)).PackOpened;
  await headlamp.trace(photo);
  const peers = {};
  for (const [label, [provider, threads, suffix]] of Object.entries(onnx)) {
    const models = { vision: `/onnx/vision${suffix}`, text: `/onnx/text${suffix}` };
    peers[label] = await Onnx.start(provider, threads, models);
  }
  const results = { headlamp: { encoder: [], phrases: [], text: [], frames: [] } };
  for (const label of Object.keys(peers)) {
    results[label] = { load: peers[label].loaded, encoder: [], text: [], frames: [] };
  }
  const frames = Array.from({ length: 8 }, () => photo);
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    const keep = (label, what, seconds) => round > 0 && results[label][what].push(seconds);
    keep("headlamp", "encoder", await headlamp.encode());
    const fresh = phrases(10);
    const withTexts = (await headlamp.attribute(fresh)).seconds;
    const alone = (await headlamp.attribute(fresh)).seconds;
    keep("headlamp", "text", withTexts - alone);
    keep("headlamp", "phrases", alone);
    const sum = (values) => values.reduce((total, value) => total + value, 0);
    keep("headlamp", "frames", sum(await headlamp.frames(frames)));
    for (const [label, peer] of Object.entries(peers)) {
      keep(label, "encoder", (await peer.run("vision", feeds, 1)).seconds[0]);
      keep(label, "text", (await peer.run("text", texts(10, 7), 1)).seconds[0]);
      keep(label, "frames", sum((await peer.run("vision", feeds, 8)).seconds));
    }
  }
  return { device: opened.device, opened: opened.seconds, started: headlamp.started, results };
}
