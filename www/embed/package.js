// @ts-check
// A page that uses headlamp's package: loads a model, explains a photo, and follows objects (www/npm/README.md).
import { load } from "../headlamp.js";

/** @template {Element} T @param {string} selector @param {new () => T} kind */
function at(selector, kind) {
  const found = document.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`The page has no ${selector}`);
  return found;
}

const status = at("#status", HTMLElement);
const canvas = at("#photo", HTMLCanvasElement);
const form = at("#ask", HTMLFormElement);

// Parameters of this page's own address: ?pack=packs/tiny/&device=cpu
const asked = new URLSearchParams(location.search);
const headlamp = await load({
  pack: new URL(`../${asked.get("pack") ?? "packs/default/"}`, location.href),
  device: asked.get("device") === "cpu" ? "cpu" : "auto",
  onProgress: ({ what, done, total }) =>
    (status.textContent = total && done ? `${what}: ${Math.round((100 * done) / total)} %` : what),
}).catch((error) => {
  status.textContent = error.message;
  throw error;
});

/** @type {Blob} */
let photo = await (await fetch("../samples/coffee.png")).blob();

const { layers, heads, name } = headlamp.model;
at("fieldset", HTMLFieldSetElement).disabled = false;
status.textContent = `Ready: ${name}, ${layers} layers of ${heads} heads.`;

async function explain() {
  const phrases = at("textarea", HTMLTextAreaElement).value.split("\n").filter((line) => line.trim());
  const found = await headlamp.explain(photo, phrases);
  const best = phrases[found.scores.indexOf(Math.max(...found.scores))] ?? "";
  const lines = phrases.map((phrase, index) => `${phrase}: ${found.scores[index]?.toFixed(3)}`);
  const { map, width, height, threshold, frame } = await headlamp.segment(photo, best, {
    against: phrases.filter((phrase) => phrase !== best),
  });
  const bitmap = await createImageBitmap(photo);
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const pen = canvas.getContext("2d");
  pen?.drawImage(bitmap, 0, 0);
  const mask = new ImageData(width, height);
  map.forEach((value, index) => mask.data.set(value > threshold ? [0, 200, 170, 140] : [0, 0, 0, 0], 4 * index));
  pen?.drawImage(await createImageBitmap(mask), frame.left, frame.top, frame.width, frame.height);
  say(lines, `“${best}”: the parts add up to ${sum(found, phrases.indexOf(best)).toFixed(3)}`);
}

/** @param {import("../npm/headlamp.js").Explanation} found @param {number} index */
function sum({ layers, headsPerLayer, heads, mlps, embedding }, index) {
  const parts = [
    ...heads.subarray(index * layers * headsPerLayer, (index + 1) * layers * headsPerLayer),
    ...mlps.subarray(index * layers, (index + 1) * layers),
    embedding[index] ?? 0,
  ];
  return parts.reduce((all, part) => all + part, 0);
}

/** Draws a clip of a square that moves over a plain background. */
async function drawnClip() {
  const frames = [];
  for (let left = 20; left < 200; left += 45) {
    const drawn = new OffscreenCanvas(320, 224);
    const pen = drawn.getContext("2d");
    if (!pen) continue;
    pen.fillStyle = "#7fa8c9";
    pen.fillRect(0, 0, 320, 224);
    pen.fillStyle = "#b03a2e";
    pen.fillRect(left, 70, 80, 80);
    frames.push(drawn.transferToImageBitmap());
  }
  return frames;
}

async function follow() {
  const { frames } = await headlamp.track(await drawnClip(), {
    onFrame: ({ index }, all) => (status.textContent = `Frame ${index + 1} of ${all}`),
  });
  const lines = frames.map(({ time, objects, tracks, columns }) => {
    const peak = tracks.map((track) => track.indexOf(Math.max(...track)) % columns);
    return `${time.toFixed(1)} s: objects ${objects.join(", ")} at columns ${peak.join(", ")}`;
  });
  say(lines, `${frames.length} frames`);
}

/** @param {string[]} lines @param {string} sentence */
function say(lines, sentence) {
  at("#scores", HTMLElement).replaceChildren(
    ...lines.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
  );
  status.textContent = sentence;
}

/** @param {() => Promise<void>} work */
const asking = (work) => async (/** @type {Event} */ event) => {
  event.preventDefault();
  await work().catch((error) => (status.textContent = error.message));
};

form.addEventListener("submit", asking(explain));
at("#track", HTMLButtonElement).addEventListener("click", asking(follow));
at("input[name=photo]", HTMLInputElement).addEventListener("change", ({ target }) => {
  const [file] = /** @type {HTMLInputElement} */ (target).files ?? [];
  if (file) photo = file;
});
