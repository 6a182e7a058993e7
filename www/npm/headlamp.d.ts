/** headlamp from code: opens up a vision transformer in a worker of your page. */

/** Starts a worker and opens a pack in it. */
export function load(options?: LoadOptions): Promise<Headlamp>;

/** The error of every call. Its message is a sentence for people. */
export class HeadlampError extends Error {}

/** An open model. Calls are answered in their order. */
export interface Headlamp {
  readonly model: Model;
  /** Scores phrases, and divides each score among the model's parts. For the same photo the model runs once. */
  explain(image: Image, phrases: string[], options?: ExplainOptions): Promise<Explanation>;
  /** Segments a photo by a phrase. */
  segment(image: Image, phrase: string, options?: SegmentOptions): Promise<Segmentation>;
  /** Returns the mask as a PNG of the photo's size, white where the phrase is. */
  mask(image: Image, phrase: string, options?: MaskOptions): Promise<Blob>;
  /** Returns where one head looks: each patch's contribution to the phrase; without a phrase, each patch's attention. */
  headMap(image: Image, layer: number, head: number, options?: HeadMapOptions): Promise<HeadMap>;
  /** Returns the texts that span the output of each head (TextSpan). */
  heads(options?: HeadsOptions): Promise<Heads>;
  /** Discovers objects and follows them through a video: a file, or frames in their order. */
  track(video: Video, options?: TrackOptions): Promise<Tracked>;
  /** Ends the worker. Calls under way fail. */
  close(): void;
}

/** Anything that can be drawn on a canvas. */
export type Drawable =
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame;

/** A picture: an address, a file (its Blob or bytes), or anything that can be drawn. */
export type Image = string | URL | Blob | ArrayBuffer | ArrayBufferView | Drawable;

/** A video file or its address; or a list of frames, each a picture, or a picture with the time from which it is shown, in seconds. */
export type Video = string | URL | Blob | (Image | { image: Image; time: number })[];

export interface Progress {
  what: string;
  /** Bytes or items, of `total`. Absent where the total is unknown. */
  done?: number;
  total?: number;
}

export interface Asking {
  onProgress?: (progress: Progress) => void;
  /** Stops waiting. The worker still completes the task that it has started. */
  signal?: AbortSignal;
}

export interface LoadOptions extends Asking {
  /** The folder of a pack. Default: `packs/default/` beside headlamp.js. */
  pack?: string | URL;
  /** `auto` uses a real GPU if there is one, and the CPU otherwise. */
  device?: "auto" | "cpu" | "gpu";
}

/** Parts that are switched off: each is replaced by its mean over many photos. Needs a pack with statistics. */
export interface Off {
  /** Pairs of layer and head, both from 0. */
  heads?: [number, number][];
  /** Layers whose MLP is switched off. */
  mlps?: number[];
  /** The first embedding, z0. */
  embedding?: boolean;
  /** The attention of the CLS token on itself, in every head. */
  clsToCls?: boolean;
}

export interface PhotoOptions extends Asking {
  /** Shows the model the whole photo instead of the centre crop. */
  wholePhoto?: boolean;
}

export interface ExplainOptions extends PhotoOptions {
  /** Averages each phrase over prompt templates. */
  templates?: boolean;
  off?: Off;
}

export interface SegmentOptions extends PhotoOptions {
  /** Phrases whose mean score is subtracted. */
  against?: string[];
  /** Whether common backgrounds belong to the contrast too. Default: true. */
  background?: boolean;
  off?: Off;
  /** Whether the edges stay as the model sees them. Default: false; the edges follow the photo. */
  asModelSees?: boolean;
}

export interface MaskOptions extends SegmentOptions {
  /** The mask is white where the map is above this value. Default: the map's own mean. */
  threshold?: number;
}

export interface HeadMapOptions extends PhotoOptions {
  phrase?: string;
  /** Maps the difference: `phrase` minus this phrase. */
  ratherThan?: string;
  /** Averages both phrases over prompt templates, as `explain` does with `templates`. */
  templates?: boolean;
}

export interface HeadsOptions extends Asking {
  /** Texts for each head. Default: 10. */
  count?: number;
}

export interface TrackOptions extends Asking {
  /** Heads of the last layer, one object for each. Default: the three heads whose attention is most concentrated. */
  objects?: number[];
  /** Frames per second. Default: 2. A list of frames is processed completely. */
  rate?: number;
  /** Where to start, in seconds from the beginning. Default: 0. */
  start?: number;
  /** How many seconds to process. Default: 120. */
  length?: number;
  /** Texts that describe each object. Default: 0. */
  texts?: number;
  /** Whether helper workers may run on other cores. Default: true. */
  hands?: boolean;
  /** Called after each frame. */
  onFrame?: (frame: TrackedFrame, frames: number) => void;
}

export interface Model {
  name: string;
  description: string;
  licence: string;
  layers: number;
  /** Heads per layer. */
  heads: number;
  width: number;
  /** Side of a patch, in pixels. */
  patch: number;
  /** Side of the model's square crop, in pixels. */
  imageSize: number;
  /** Length of an embedding. */
  embedding: number;
  /** Whether the model has a text tower, so that phrases can be scored. */
  hasText: boolean;
  bytes: number;
  parameters: number;
  /** Number of images behind the head statistics; 0 without statistics. */
  statisticsImages: number;
  /** Number of texts in the pool that labels heads. */
  poolLines: number;
  device: { kind: string; name: string; why: string };
}

export interface Size {
  width: number;
  height: number;
}

/** In pixels of the photo. */
export interface Rectangle extends Size {
  left: number;
  top: number;
}

export interface Explanation {
  phrases: string[];
  /** Cosine of each phrase. */
  scores: Float32Array;
  /** Softmax over the phrases. */
  probabilities: Float32Array;
  layers: number;
  headsPerLayer: number;
  /** `[phrase][layer][head]`, flattened. Together with `mlps` and `embedding` they add up to the scores. */
  heads: Float32Array;
  /** `[phrase][layer]`, flattened. */
  mlps: Float32Array;
  /** The part of the first embedding, z0, in each phrase's score. */
  embedding: Float32Array;
  /** With parts switched off: the scores of the whole model. Otherwise null. */
  intact: Float32Array | null;
  photo: Size;
  /** The part of the photo that the model saw. */
  frame: Rectangle;
  /** The patches of that part. */
  grid: { rows: number; columns: number };
  /** Largest difference between the sum of all parts and the embedding. */
  residual: number;
  seconds: { decode: number; encode: number };
  /** Returns the part of one head in a phrase's score. */
  head(phrase: string, layer: number, head: number): number;
}

/** A soft map of `width` × `height` values over `frame`. */
export interface Segmentation extends Size {
  phrase: string;
  photo: Size;
  frame: Rectangle;
  /** Values from 0 to 1, row by row. */
  map: Float32Array;
  /** The mean of the map as the model sees it. The phrase is where the map is above it. */
  threshold: number;
  /** True if no patch scores for the phrase. */
  isEmpty: boolean;
}

export interface HeadMap {
  rows: number;
  columns: number;
  frame: Rectangle;
  /** One value per patch, row by row. */
  values: Float32Array;
}

export interface HeadText {
  text: string;
  /** Share of the head's variance that this text and the texts before it explain. */
  varianceExplained: number;
}

export interface Heads {
  /** Number of images behind the statistics. */
  images: number;
  /** `[layer][head]`, in the order in which TextSpan chose them. */
  texts: HeadText[][][];
}

export interface TrackedFrame {
  index: number;
  /** Time from which the frame is shown, in seconds. */
  time: number;
  rows: number;
  columns: number;
  frame: Rectangle;
  /** The heads of the last layer, one object for each. */
  heads: number[];
  /** True if the scene changes here and objects were discovered again. */
  isCut: boolean;
  /** The number of each object, in the order of `tracks`. */
  objects: number[];
  /** For each object one value per patch, row by row, with sum 1. An object is where its track is above its own mean. */
  tracks: Float32Array[];
  /** For each head of the last layer its CLS attention on each patch. */
  attention: Float32Array[];
}

export interface Tracked extends Size {
  name: string;
  duration: number;
  coding: string;
  frames: TrackedFrame[];
  texts: { object: number; texts: { text: string; score: number }[] }[];
}
