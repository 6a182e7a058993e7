/** headlamp from code: opens up a vision transformer in a worker of the page's. */

/** Starts a worker and opens a pack in it. */
export function load(options?: LoadOptions): Promise<Headlamp>;

/** What went wrong, in a sentence for people. */
export class HeadlampError extends Error {}

/** An open model. Questions are answered in the order in which they come. */
export interface Headlamp {
  readonly model: Model;
  /** Scores phrases, and divides each score among the model's parts. Asked about one photo again, the model does not run again. */
  explain(image: Image, phrases: string[], options?: ExplainOptions): Promise<Explanation>;
  /** Segments by a phrase. */
  segment(image: Image, phrase: string, options?: SegmentOptions): Promise<Segmentation>;
  /** The mask as a PNG of the photo's own size, white where the phrase is. */
  mask(image: Image, phrase: string, options?: MaskOptions): Promise<Blob>;
  /** Where one head looks: each patch's contribution to a phrase, or without a phrase its share of the attention. */
  headMap(image: Image, layer: number, head: number, options?: HeadMapOptions): Promise<HeadMap>;
  /** The texts that span what each head writes. */
  heads(options?: HeadsOptions): Promise<Heads>;
  /** Discovers objects and follows them through a video: a file, or frames in their order. */
  track(video: Video, options?: TrackOptions): Promise<Tracked>;
  /** Ends the worker. What is under way fails. */
  close(): void;
}

/** What can be drawn on a canvas. */
export type Drawable =
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame;

/** A picture: an address, a file (its Blob or bytes), or what can be drawn. */
export type Image = string | URL | Blob | ArrayBuffer | ArrayBufferView | Drawable;

/** A video file or its address, or frames: pictures, or pictures with the seconds from which each is shown. */
export type Video = string | URL | Blob | (Image | { image: Image; time: number })[];

export interface Progress {
  what: string;
  /** Of `total`, where those are known: bytes, or things. */
  done?: number;
  total?: number;
}

export interface Asking {
  onProgress?: (progress: Progress) => void;
  /** Gives up waiting; the worker ends what it has begun. */
  signal?: AbortSignal;
}

export interface LoadOptions extends Asking {
  /** A pack's folder; without it `packs/default/` beside headlamp.js. */
  pack?: string | URL;
  /** `auto`: a real GPU where there is one, the CPU otherwise. */
  device?: "auto" | "cpu" | "gpu";
}

/** Parts that are switched off: their means stand in for them. Takes a pack with statistics. */
export interface Off {
  /** Layer and head. */
  heads?: [number, number][];
  /** Layers. */
  mlps?: number[];
  embedding?: boolean;
  clsToCls?: boolean;
}

export interface PhotoOptions extends Asking {
  /** The whole photo is explained, not the centre crop. */
  wholePhoto?: boolean;
}

export interface ExplainOptions extends PhotoOptions {
  /** Each phrase is averaged over prompt templates. */
  templates?: boolean;
  off?: Off;
}

export interface SegmentOptions extends PhotoOptions {
  /** Phrases to hold it against. */
  against?: string[];
  /** Hold it against common backgrounds too; without saying so, yes. */
  background?: boolean;
  off?: Off;
}

export interface MaskOptions extends SegmentOptions {
  /** White is above it; without it, the map's own mean. */
  threshold?: number;
}

export interface HeadMapOptions extends PhotoOptions {
  phrase?: string;
  /** The map is of what sets `phrase` apart from this one. */
  ratherThan?: string;
  /** Both are averaged over prompt templates, as the parts of `explain` with templates are. */
  templates?: boolean;
}

export interface HeadsOptions extends Asking {
  /** Texts a head; 10 unless said. */
  count?: number;
}

export interface TrackOptions extends Asking {
  /** Heads of the last layer whose objects are followed; without it the three whose attention is most concentrated. */
  objects?: number[];
  /** Frames a second; 2 unless said. All frames where frames were given. */
  rate?: number;
  /** Seconds from the beginning, and for how long. */
  start?: number;
  length?: number;
  /** Texts to describe each object by; none unless said. */
  texts?: number;
  /** Whether further workers may help, on other cores; true unless said. */
  hands?: boolean;
  /** Hears of each frame as it is done. */
  onFrame?: (frame: TrackedFrame, frames: number) => void;
}

export interface Model {
  name: string;
  description: string;
  licence: string;
  layers: number;
  /** Heads a layer. */
  heads: number;
  width: number;
  /** Side of a patch, and of the model's own crop, in pixels. */
  patch: number;
  imageSize: number;
  /** Numbers of an embedding. */
  embedding: number;
  /** Whether phrases have a place in the embedding's space. */
  hasText: boolean;
  bytes: number;
  parameters: number;
  /** Images behind the head statistics; 0 where there are none. */
  statisticsImages: number;
  /** Texts to label heads from. */
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
  /** Each phrase's share among them. */
  probabilities: Float32Array;
  layers: number;
  headsPerLayer: number;
  /** `[phrase][layer][head]`, one after another. With `mlps` and `embedding` they add up to the scores. */
  heads: Float32Array;
  /** `[phrase][layer]` */
  mlps: Float32Array;
  /** The first embedding's part in each phrase. */
  embedding: Float32Array;
  /** Where parts are switched off: the scores with all of them on. */
  intact: Float32Array | null;
  photo: Size;
  /** The part of the photo that the model was shown, and its patches. */
  frame: Rectangle;
  grid: { rows: number; columns: number };
  /** Largest difference between the parts' sum and the embedding. */
  residual: number;
  seconds: { decode: number; encode: number };
  /** A head's part in a phrase's score. */
  head(phrase: string, layer: number, head: number): number;
}

/** A soft map of `width` × `height` over `frame`. */
export interface Segmentation extends Size {
  phrase: string;
  photo: Size;
  frame: Rectangle;
  /** From 0 to 1, rows first. */
  map: Float32Array;
  /** The map's own mean: the phrase is where the map is above it. */
  threshold: number;
  /** Nothing speaks for the phrase. */
  isEmpty: boolean;
}

export interface HeadMap {
  rows: number;
  columns: number;
  frame: Rectangle;
  /** One a patch, rows first. */
  values: Float32Array;
}

export interface HeadText {
  text: string;
  /** Share of the head's variance explained by this text and those before it. */
  varianceExplained: number;
}

export interface Heads {
  /** Images behind them. */
  images: number;
  /** `[layer][head]`, most telling first. */
  texts: HeadText[][][];
}

export interface TrackedFrame {
  index: number;
  /** Seconds from which it is shown. */
  time: number;
  rows: number;
  columns: number;
  frame: Rectangle;
  /** Heads of the last layer whose objects are followed. */
  heads: number[];
  /** The scene changed here, and objects were discovered anew. */
  isCut: boolean;
  /** Each object's number, in the tracks' order. */
  objects: number[];
  /** One a patch, rows first; each adds up to one. An object is where its track is above its own mean. */
  tracks: Float32Array[];
  /** The last layer's attention to each patch, by head. */
  attention: Float32Array[];
}

export interface Tracked extends Size {
  name: string;
  duration: number;
  coding: string;
  frames: TrackedFrame[];
  texts: { object: number; texts: { text: string; score: number }[] }[];
}
