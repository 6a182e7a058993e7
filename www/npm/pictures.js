// Turns pictures and videos of every supported kind into the files that the worker reads.
import { HeadlampError } from "./channel.js";

/** @import * as Wire from "./wire.js" */
/** @import { Drawable, Image, Video } from "./headlamp.js" */

/** The rate of frames without times, in frames per second. */
const FRAMES_PER_SECOND = 10;

/** Returns a picture as the bytes of a file, in a buffer that may be transferred. @param {Image} image @param {AbortSignal} [signal] */
export async function encoded(image, signal) {
  const blob = await fileOf(image, signal);
  const name = blob instanceof File && blob.name ? blob.name : "the picture";
  return { name, bytes: new Uint8Array(await blob.arrayBuffer()) };
}

/**
 * Returns a video's description for the worker, and its files.
 * @param {Video} video
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ source: Wire.VideoSource, files: Blob[] }>}
 */
export async function filesOf(video, signal) {
  if (!Array.isArray(video)) {
    const file = typeof video === "string" || video instanceof URL ? await fetched(video, signal) : video;
    return { source: { File: { name: file instanceof File && file.name ? file.name : "the video" } }, files: [file] };
  }
  const frames = video.map((frame, index) =>
    typeof frame === "object" && "image" in frame ? frame : { image: frame, time: index / FRAMES_PER_SECOND },
  );
  const files = [];
  for (const { image } of frames) files.push(await fileOf(image, signal));
  const names = files.map((file, index) => (file instanceof File && file.name ? file.name : `frame ${index}`));
  return { source: { Pictures: { names, times: frames.map(({ time }) => time) } }, files };
}

/** @param {Image} image @param {AbortSignal} [signal] @returns {Promise<Blob>} */
async function fileOf(image, signal) {
  if (typeof image === "string" || image instanceof URL) return fetched(image, signal);
  if (image instanceof Blob) return image;
  if (image instanceof ArrayBuffer || ArrayBuffer.isView(image)) return new Blob([/** @type {BufferSource} */ (image)]);
  return drawn(image);
}

/** @param {string | URL} address @param {AbortSignal} [signal] */
async function fetched(address, signal) {
  const url = new URL(address, document.baseURI);
  const name = url.pathname.split("/").pop() || "the picture";
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new HeadlampError(`${name} could not be fetched from ${url.host}: check the connection, and that the host lets this page read its files.`);
  }
  if (!response.ok) throw new HeadlampError(`${name} is not on ${url.host} (it answered ${response.status}).`);
  return new File([await response.blob()], name);
}

/** Draws a picture and returns it as a PNG file. @param {Drawable} picture */
async function drawn(picture) {
  const { width, height } = sizeOf(picture);
  if (!(width > 0 && height > 0)) throw new HeadlampError("This picture has no pixels: wait until it is loaded, and do not close it before.");
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d");
  if (!pen) throw new HeadlampError("The browser has no room for a picture of this size.");
  if (picture instanceof ImageData) pen.putImageData(picture, 0, 0);
  else pen.drawImage(picture, 0, 0);
  try {
    return await canvas.convertToBlob({ type: "image/png" });
  } catch (error) {
    throw new HeadlampError("This picture is from another site, which does not let this page read it: fetch it with CORS.");
  }
}

/** Returns the size in pixels. @param {Drawable} picture @returns {{ width: number, height: number }} */
function sizeOf(picture) {
  if (picture instanceof HTMLImageElement) return { width: picture.naturalWidth, height: picture.naturalHeight };
  if (picture instanceof HTMLVideoElement) return { width: picture.videoWidth, height: picture.videoHeight };
  if ("displayWidth" in picture) return { width: picture.displayWidth, height: picture.displayHeight };
  if (picture && typeof picture === "object" && "width" in picture) return picture;
  throw new HeadlampError("This is not a picture: pass an address, a file's Blob or bytes, an ImageBitmap, ImageData, an img, a canvas or a video.");
}
