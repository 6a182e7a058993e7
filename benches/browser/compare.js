// Compares headlamp's worker with onnxruntime-web on one page, with the same photo and the same weights. All contestants
// take turns in each round, so that other load on the machine affects all of them.

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

/// headlamp's worker. It gets the same messages as from the page (src/protocol/wire.rs).
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

  /// Measures the seconds of an attribution of phrases to all components, including the embeddings of new phrases.
  async attribute(phrases) {
    const start = performance.now();
    const ablation = { heads: [], mlps: [], embedding: false, cls_to_cls: false };
    const answer = await this.ask({ Attribute: { phrases, templates: false, ablation } });
    return { seconds: (performance.now() - start) / 1000, ...answer.Attributed };
  }

  /// Measures frames of a video: the seconds of each frame (decoding, model and tracking), and the bytes of all frames.
  async frames(blobs) {
    const times = blobs.map((_, index) => index / 2);
    const names = blobs.map((_, index) => `${index}.png`);
    await this.ask({ Video: { Open: { video: 1, source: { Pictures: { names, times } } } } }, [], blobs);
    const sampling = { rate: 2, start: 0, length: blobs.length, framing: "CentreCrop" };
    const { Sampled: { bytes } } = (await this.ask({ Video: { Sample: { video: 1, sampling } } })).Video;
    const seconds = [];
    for (let index = 0; index < blobs.length; index++) {
      const start = performance.now();
      await this.ask({ Video: { TraceFrame: { video: 1, index, ahead: 0 } } });
      seconds.push((performance.now() - start) / 1000);
    }
    return { seconds, bytes };
  }
}

/// onnxruntime-web with `models`, { name: url }.
export class Onnx {
  static async start(provider, threads, models) {
    const peer = new Onnx();
    peer.peer = new Peer("/bench/onnx_worker.js");
    const { load, files } = await peer.peer.ask({ provider, threads, models });
    return Object.assign(peer, { loaded: load, files });
  }

  run(name, feeds, runs) {
    return this.peer.ask({ name, feeds, runs });
  }
}

/// Makes the photo's centre crop, the input of the model. The browser resamples it.
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

/// Makes `count` texts of `length` tokens.
export function texts(count, length) {
  const values = BigInt64Array.from({ length: count * length }, (_, index) => BigInt(1000 + ((index * 37) % 20000)));
  return { tokens: { type: "int64", values, shape: [count, length] } };
}

/// Makes `count` phrases of seven tokens, including start and end, that were not embedded before.
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

const sum = (values) => values.reduce((total, value) => total + value, 0);

/// The model files for onnxruntime-web: both towers, with this suffix.
const towers = (suffix) => ({ vision: `/onnx/vision${suffix}`, text: `/onnx/text${suffix}` });

/// Opens headlamp and its peers, and prepares their inputs. `onnx` is { label: [provider, threads, file suffix] }. A round
/// includes `frames` frames of a video.
let contest;
export async function contestants({ pack, photoUrl, onnx, device, frames }) {
  const photo = await (await fetch(photoUrl)).blob();
  const headlamp = await Headlamp.start();
  const { PackOpened: opened } = await headlamp.open(pack, device);
  await headlamp.trace(photo);
  const peers = {};
  for (const [label, [provider, threads, suffix]] of Object.entries(onnx)) {
    peers[label] = await Onnx.start(provider, threads, towers(suffix));
  }
  contest = { headlamp, peers, feeds: await crop(photo), blobs: Array.from({ length: frames }, () => photo) };
  return opened.device;
}

/// Runs one round: { label: { column: seconds, or the reason why the peer cannot do it } }. The first round is a warm-up.
export async function round() {
  const { headlamp, peers, feeds, blobs } = contest;
  const encoder = await headlamp.encode();
  const fresh = phrases(10);
  const withTexts = (await headlamp.attribute(fresh)).seconds;
  const alone = (await headlamp.attribute(fresh)).seconds;
  const frames = sum((await headlamp.frames(blobs)).seconds);
  const times = {
    headlamp: { encoder, decomposed: encoder + alone, text: withTexts - alone, phrases: alone, frames },
  };
  for (const [label, peer] of Object.entries(peers)) {
    const run = (name, feeds, runs) => peer.run(name, feeds, runs).then(({ seconds }) => sum(seconds), String);
    times[label] = {
      encoder: await run("vision", feeds, 1),
      text: await run("text", texts(10, 7), 1),
      frames: await run("vision", feeds, blobs.length),
    };
  }
  return times;
}

/// Measures one contestant alone on the page, from its start to its first embedding of a photo. Then runs texts and `runs`
/// more photos. `engine` is as in `contestants`, or null for headlamp. Returns the seconds until it is open and until the
/// first embedding, and its files.
export async function alone({ pack, photoUrl, engine, device, runs }) {
  const photo = await (await fetch(photoUrl)).blob();
  const feeds = await crop(photo);
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  if (engine) {
    const [provider, threads, suffix] = engine;
    const peer = await Onnx.start(provider, threads, towers(suffix));
    const ready = seconds();
    await peer.run("vision", feeds, 1);
    const first = seconds();
    await peer.run("text", texts(10, 7), 1);
    await peer.run("vision", feeds, runs);
    return { ready, first, files: peer.files };
  }
  const headlamp = await Headlamp.start();
  await headlamp.open(pack, device);
  const ready = seconds();
  await headlamp.trace(photo);
  const first = seconds();
  await headlamp.attribute(phrases(10));
  for (let run = 0; run < runs; run++) await headlamp.encode();
  const { files } = await (await fetch(`${pack}pack.json`)).json();
  const worker = ["worker_loader.js", "worker.js", "worker_bg.wasm"].map((name) => `/dist/${name}`);
  const ofPack = ["pack.json", ...files.map(({ path }) => path)].map((name) => pack + name);
  return { ready, first, files: [...worker, ...ofPack] };
}

/// Returns the bytes of files, plain and compressed with gzip.
export async function downloads(files) {
  let [plain, compressed] = [0, 0];
  for (const file of files) {
    const blob = await (await fetch(file)).blob();
    plain += blob.size;
    const reader = blob.stream().pipeThrough(new CompressionStream("gzip")).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) compressed += part.value.length;
  }
  return { plain, compressed };
}
