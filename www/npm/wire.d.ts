/** The worker's messages. tests/messages generates this file from the Rust types that send and read them. */

export type Size = { height: number; width: number };

export type Grid = { columns: number; rows: number };

export type PhotoRect = { height: number; left: number; top: number; width: number };

export type Framing =
  | "CentreCrop"
  | "WholePhoto"
  | { Frame: { short_side: number } }
  | { WholeFrame: { short_side: number } };

export type Ablation = { cls_to_cls: boolean; embedding: boolean; heads: [number, number][]; mlps: number[] };

export type Sampling = { framing: Framing; length: number; rate: number; start: number };

export type VideoSource =
  | { File: { name: string } }
  | { Pictures: { names: string[]; times: number[] } };

export type VideoTask =
  | { ForgetMasks: { video: number } }
  | { LabelTracks: { count: number; video: number } }
  | { Open: { source: VideoSource; video: number } }
  | { Retrack: { heads: number[]; video: number } }
  | { Sample: { sampling: Sampling; video: number } }
  | { TraceFrame: { ahead: number; index: number; video: number } };

export type Task =
  | "SaveModel"
  | "NameHeads"
  | { Attribute: { ablation: Ablation; phrases: string[]; templates: boolean } }
  | { ExportMask: { ablation: Ablation; against: string[]; background: boolean; phrase: string; refined: boolean; threshold: number } }
  | { HeadMap: { heads: [number, number][]; phrase?: string | null; rather_than?: string | null; templates: boolean } }
  | { LabelAllHeads: { count: number } }
  | { OpenPack: { device: "auto" | "cpu" | "gpu"; room?: number | null; url: string } }
  | { Segment: { ablation: Ablation; against: string[]; background: boolean; phrase: string } }
  | { TracePhoto: { framing: Framing; name: string } }
  | { Video: VideoTask };

export type Request = { id: number; task: Task };

export type Progress =
  | { Bytes: { done: number; total: number; what: string } }
  | { Items: { done: number; total: number; what: string } }
  | { Phase: { what: string } };

export type PackSummary = { bytes: number; description: string; device: { kind: string; name: string; why: string }; embedding: number; has_text: boolean; heads: number; image_size: number; kept_labels: { pool?: { lines: number; source: "Headlamp" | "Person" } | null; statistics?: { images: number; source: "File" | "Gallery" | "Video" } | null }; layers: number; licence: string; memory: { weights: number; worker: number }; model: string; name: string; not_stored?: string | null; parameters: number; patch: number; pool_lines: number; seconds: { download: number; load: number }; statistics_images: number; storages: ({ bytes: number; error: number; storage: "Q8" | "Q4" | "F16"; worst: string; worst_error: number })[]; stored_as?: "Q8" | "Q4" | "F16" | null; weights: string; width: number };

export type PhotoSummary = { crop_in_photo: PhotoRect; framing: Framing; grid: Grid; name: string; photo: Size; preview: Size; residual: number; seconds: { decode: number; encode: number } };

export type Attribution = { embedding: number[]; heads: number[][][]; intact?: number[] | null; means?: { embedding: number[]; heads: number[][][]; mlps: number[][] } | null; mlps: number[][]; probabilities: number[]; scores: number[]; texts: string[] };

export type HeadLabel = { property?: string | null; text: string; variance_explained: number };

export type NamedHead = { consistency: number; p_value: number; property?: number | null; share: number; texts: HeadLabel[] };

export type HeadNaming =
  | { Named: { consistency: number; entanglement: number; heads: NamedHead[][]; images: number; properties: string[] } }
  | { UnderWay: { done: number; total: number } };

export type VideoAnswer =
  | "MasksForgotten"
  | { FrameTraced: { crop_in_frame: PhotoRect; grid: Grid; heads: number[]; index: number; objects: { is_cut: boolean; objects: number[] }; seconds: { decode: number; encode: number; track: number } } }
  | { Opened: { coding: string; duration: number; frames: number; name: string; rate: number; size: Size } }
  | { Retracked: { frames: { is_cut: boolean; objects: number[] }[] } }
  | { Sampled: { bytes: number; grid: Grid; sampling: Sampling; times: number[] } }
  | { TracksLabelled: { tracks: { labels: [string, number][]; object: number }[] } };

export type Answer =
  | "MaskPng"
  | "DeviceLost"
  | { AllHeadLabels: { images: number; labels: HeadLabel[][][] } }
  | { Attributed: Attribution }
  | { Failed: { message: string } }
  | { HeadMap: { crop_in_photo: PhotoRect; grid: Grid } }
  | { HeadNaming: HeadNaming }
  | { PackOpened: PackSummary }
  | { PhotoTraced: PhotoSummary }
  | { Progress: Progress }
  | { SavedModel: { name: string } }
  | { Segmented: { crop_in_photo: PhotoRect; empty: boolean; refined: Size; refined_in_photo: PhotoRect; size: Size; threshold: number } }
  | { Video: VideoAnswer };

export type Response = { answer: Answer; id: number };
