// headlamp from code: a small client of the compute worker, which the page uses too. README.md says how to use the
// client. headlamp.d.ts describes every type, and wire.d.ts the messages between client and worker.
import { Channel, HeadlampError, take } from "./channel.js";
import { encoded, filesOf } from "./pictures.js";

export { HeadlampError };

/** @import * as Wire from "./wire.js" */
/** @import * as Types from "./headlamp.js" */

/** Returns the part of a photo that the model sees. @param {boolean | undefined} wholePhoto @returns {Wire.Framing} */
const framingOf = (wholePhoto) => (wholePhoto ? "WholePhoto" : "CentreCrop");

/** @param {Types.Off | undefined} off @returns {Wire.Ablation} */
const ablationOf = ({ heads = [], mlps = [], embedding = false, clsToCls = false } = {}) => ({
  heads,
  mlps,
  embedding,
  cls_to_cls: clsToCls,
});

/** @param {Uint8Array | undefined} bytes */
function floats(bytes) {
  if (!bytes) throw new HeadlampError("The worker's answer lacks its numbers: client and worker are of different versions.");
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

/** Splits numbers into `rows` lists of equal length. @param {Float32Array} values @param {number} rows */
const splitInto = (values, rows) =>
  Array.from({ length: rows }, (_, row) => values.subarray((row * values.length) / rows, ((row + 1) * values.length) / rows));

/** @param {Wire.PackSummary} pack @returns {Types.Model} */
const modelOf = (pack) => ({
  name: pack.name,
  description: pack.description,
  licence: pack.licence,
  layers: pack.layers,
  heads: pack.heads,
  width: pack.width,
  patch: pack.patch,
  imageSize: pack.image_size,
  embedding: pack.embedding,
  hasText: pack.has_text,
  bytes: pack.bytes,
  parameters: pack.parameters,
  statisticsImages: pack.statistics_images,
  poolLines: pack.pool_lines,
  device: pack.device,
});

/** @param {Types.LoadOptions} [options] @returns {Promise<Types.Headlamp>} */
export async function load({ pack = new URL("./packs/default/", import.meta.url), device = "auto", onProgress, signal } = {}) {
  const worker = new Worker(new URL("./worker_loader.js", import.meta.url), { type: "module", name: "headlamp" });
  const channel = new Channel(worker);
  try {
    const url = new URL(pack, document.baseURI).href;
    const { answer } = await channel.ask({ OpenPack: { url, device } }, { onProgress, signal });
    return new Headlamp(channel, modelOf(take(answer, "PackOpened")));
  } catch (error) {
    channel.close("The model did not open.");
    throw error;
  }
}

/** An open model. */
class Headlamp {
  #channel;
  /** The worker's current photo. Calls about the same photo run the model once. */
  #held = /** @type {{ image: unknown, framing: Wire.Framing, traced: Wire.PhotoSummary } | null} */ (null);
  /** The number of videos that were opened. Each video has a number. */
  #videos = 0;

  /** @param {Channel} channel @param {Types.Model} model */
  constructor(channel, model) {
    this.#channel = channel;
    this.model = model;
  }

  /** Scores phrases, and divides each score among the model's parts. @param {Types.Image} image @param {string[]} phrases
   * @param {Types.ExplainOptions} [options] */
  explain(image, phrases, { wholePhoto, templates = false, off, ...asking } = {}) {
    return this.#channel.alone(async () => {
      const photo = await this.#trace(image, framingOf(wholePhoto), asking);
      const { answer } = await this.#channel.ask({ Attribute: { phrases, templates, ablation: ablationOf(off) } }, asking);
      return new Explanation(photo, take(answer, "Attributed"));
    }, asking.signal);
  }

  /** Segments a photo by a phrase. @param {Types.Image} image @param {string} phrase @param {Types.SegmentOptions} [options] */
  segment(image, phrase, { wholePhoto, against = [], background = true, off, ...asking } = {}) {
    return this.#channel.alone(async () => {
      const { photo } = await this.#trace(image, framingOf(wholePhoto), asking);
      const task = { phrase, against, background, ablation: ablationOf(off) };
      const { answer, buffers } = await this.#channel.ask({ Segment: task }, asking);
      const { size, crop_in_photo: frame, threshold, empty: isEmpty } = take(answer, "Segmented");
      return { phrase, photo, frame, ...size, map: floats(buffers[0]), threshold, isEmpty };
    }, asking.signal);
  }

  /** Returns the mask as a PNG of the photo's size. @param {Types.Image} image @param {string} phrase
   * @param {Types.MaskOptions} [options] */
  mask(image, phrase, { wholePhoto, against = [], background = true, off, threshold, ...asking } = {}) {
    return this.#channel.alone(async () => {
      await this.#trace(image, framingOf(wholePhoto), asking);
      const task = { phrase, against, background, ablation: ablationOf(off) };
      const own = async () => {
        const { answer } = await this.#channel.ask({ Segment: task }, asking);
        return take(answer, "Segmented").threshold;
      };
      const at = threshold ?? (await own());
      const { buffers } = await this.#channel.ask({ ExportMask: { ...task, threshold: at } }, asking);
      return new Blob(/** @type {Uint8Array<ArrayBuffer>[]} */ (buffers), { type: "image/png" });
    }, asking.signal);
  }

  /** Maps where one head looks. @param {Types.Image} image @param {number} layer @param {number} head
   * @param {Types.HeadMapOptions} [options] */
  headMap(image, layer, head, { wholePhoto, phrase, ratherThan, templates = false, ...asking } = {}) {
    return this.#channel.alone(async () => {
      await this.#trace(image, framingOf(wholePhoto), asking);
      const { answer, buffers } = await this.#channel.ask(
        { HeadMap: { heads: [[layer, head]], phrase: phrase ?? null, rather_than: ratherThan ?? null, templates } },
        asking,
      );
      const { grid, crop_in_photo: frame } = take(answer, "HeadMap");
      return { ...grid, frame, values: floats(buffers[0]) };
    }, asking.signal);
  }

  /** Returns the texts that span the output of each head. @param {Types.HeadsOptions} [options] */
  heads({ count = 10, ...asking } = {}) {
    return this.#channel.alone(async () => {
      const { answer } = await this.#channel.ask({ LabelAllHeads: { count } }, asking);
      const { labels, images } = take(answer, "AllHeadLabels");
      /** @param {Wire.HeadLabel} label */
      const plain = ({ text, variance_explained: varianceExplained }) => ({ text, varianceExplained });
      return { images, texts: labels.map((layer) => layer.map((head) => head.map(plain))) };
    }, asking.signal);
  }

  /** Discovers objects and follows them through a video. @param {Types.Video} video @param {Types.TrackOptions} [options] */
  track(video, { objects, rate = 2, start = 0, length = 120, texts = 0, hands = true, onFrame, ...asking } = {}) {
    return this.#channel.alone(async () => {
      this.#videos += 1;
      const number = this.#videos;
      /** @param {Wire.VideoTask} task @param {Blob[]} [files] */
      const ask = async (task, files) => {
        const { answer, buffers } = await this.#channel.ask({ Video: task }, { ...asking, files });
        return { answer: take(answer, "Video"), buffers };
      };
      const { source, files } = await filesOf(video, asking.signal);
      const opened = take((await ask({ Open: { video: number, source } }, files)).answer, "Opened");
      // A list of frames is processed completely: 1000 samples a second are closer together than any two frames.
      const range = Array.isArray(video) ? { rate: 1000, start: 0, length: opened.duration } : { rate, start, length };
      const sampling = { ...range, framing: framingOf(true) };
      const { times } = take((await ask({ Sample: { video: number, sampling } })).answer, "Sampled");
      if (objects) await ask({ Retrack: { video: number, heads: objects } });
      const frames = [];
      for (const [index, time] of times.entries()) {
        const { answer, buffers } = await ask({ TraceFrame: { video: number, index, ahead: hands ? times.length - index - 1 : 0 } });
        const { grid, crop_in_frame: crop, heads, objects: seen } = take(answer, "FrameTraced");
        const frame = {
          index,
          time,
          ...grid,
          frame: crop,
          heads,
          isCut: seen.is_cut,
          objects: seen.objects,
          tracks: splitInto(floats(buffers[0]), seen.objects.length),
          attention: splitInto(floats(buffers[1]), this.model.heads),
        };
        frames.push(frame);
        onFrame?.(frame, times.length);
      }
      const labels = texts > 0 ? take((await ask({ LabelTracks: { video: number, count: texts } })).answer, "TracksLabelled").tracks : [];
      const named = labels.map(({ object, labels }) => ({ object, texts: labels.map(([text, score]) => ({ text, score })) }));
      const { name, size, duration, coding } = opened;
      return { name, ...size, duration, coding, frames, texts: named };
    }, asking.signal);
  }

  /** Ends the worker. Unfinished calls fail. */
  close() {
    this.#channel.close("headlamp was closed.");
  }

  /** Makes an image the worker's current photo, unless the image already is the current photo.
   * @param {Types.Image} image @param {Wire.Framing} framing @param {Types.Asking} asking */
  async #trace(image, framing, asking) {
    // A canvas or a buffer may have changed since the last call.
    const isLasting = typeof image === "string" || image instanceof URL || image instanceof Blob || image instanceof ImageBitmap;
    if (this.#held?.image !== image || this.#held.framing !== framing || !isLasting) {
      this.#held = null;
      const { name, bytes } = await encoded(image, asking.signal);
      const { answer } = await this.#channel.ask({ TracePhoto: { name, framing } }, { ...asking, buffers: [bytes] });
      this.#held = { image, framing, traced: take(answer, "PhotoTraced") };
    }
    return this.#held.traced;
  }
}

/** The scores of phrases, and every component's part in each score. */
class Explanation {
  /** @param {Wire.PhotoSummary} traced @param {Wire.Attribution} found */
  constructor({ photo, crop_in_photo: frame, grid, residual, seconds }, found) {
    const { texts, scores, probabilities, heads, mlps, embedding, intact } = found;
    this.phrases = texts;
    this.scores = new Float32Array(scores);
    this.probabilities = new Float32Array(probabilities);
    this.layers = heads.length;
    this.headsPerLayer = heads[0]?.length ?? 0;
    this.photo = photo;
    this.frame = frame;
    this.grid = grid;
    this.residual = residual;
    this.seconds = seconds;
    this.intact = intact ? new Float32Array(intact) : null;
    this.heads = new Float32Array(texts.flatMap((_, text) => heads.flatMap((layer) => layer.map((head) => head[text] ?? NaN))));
    this.mlps = new Float32Array(texts.flatMap((_, text) => mlps.map((mlp) => mlp[text] ?? NaN)));
    this.embedding = new Float32Array(embedding);
  }

  /** Returns the part of one head in a phrase's score. @param {string} phrase @param {number} layer @param {number} head */
  head(phrase, layer, head) {
    const text = this.phrases.indexOf(phrase);
    const isThere = text >= 0 && layer >= 0 && layer < this.layers && head >= 0 && head < this.headsPerLayer;
    const part = isThere ? this.heads[(text * this.layers + layer) * this.headsPerLayer + head] : undefined;
    if (part === undefined) throw new HeadlampError(`There is no part of head ${layer}.${head} in “${phrase}” here.`);
    return part;
  }
}
