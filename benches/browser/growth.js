// How the time of headlamp's worker grows with the tokens, the model, the gallery and the video.

import { Headlamp, median } from "./compare.js";

const blobOf = async (url) => (await fetch(url)).blob();

/// The worker that all questions share, with the pack open and a photo traced.
let kept;
async function worker({ pack, photoUrl, device }) {
  if (!kept) {
    const engine = await Headlamp.start();
    const { PackOpened: opened } = await engine.open(pack, device);
    kept = { engine, opened };
    await engine.trace(await blobOf(photoUrl));
  }
  return kept;
}

/// Measures the seconds from a request to its answer.
async function seconds(engine, task, buffers, files) {
  const start = performance.now();
  await engine.ask(task, buffers, files);
  return (performance.now() - start) / 1000;
}

/// Measures the encoder on a frame of the photo's shape, at `baseSide` and `shortSide` in turn. Returns the tokens and
/// seconds of both.
export async function tokens({ baseSide, shortSide, runs, ...options }) {
  const { engine } = await worker(options);
  const found = {};
  for (let run = 0; run <= runs; run++) {
    for (const [name, side] of [["base", baseSide], ["grown", shortSide]]) {
      const { PhotoTraced: traced } = await engine.ask({ Reframe: { framing: { Frame: { short_side: side } } } });
      found[name] ??= { tokens: 1 + traced.grid.rows * traced.grid.columns, times: [] };
      // The first run is a warm-up.
      if (run > 0) found[name].times.push(traced.seconds.encode);
    }
  }
  return Object.values(found).map(({ tokens, times }) => ({ tokens, seconds: median(times) }));
}

/// Measures several models in turn: { label: { seconds, tokens, opened } }.
export async function models({ packs, photoUrl, runs }) {
  const photo = await blobOf(photoUrl);
  const models = {};
  for (const [label, pack] of Object.entries(packs)) {
    const engine = await Headlamp.start();
    const { PackOpened: opened } = await engine.open(pack, "cpu");
    // Warm-up.
    const { grid } = await engine.trace(photo);
    models[label] = { engine, opened, tokens: 1 + grid.rows * grid.columns, times: [] };
  }
  for (let run = 0; run < runs; run++) {
    for (const { engine, times } of Object.values(models)) times.push(await engine.encode());
  }
  const found = ({ opened, tokens, times }) => ({ opened, tokens, seconds: median(times) });
  return Object.fromEntries(Object.entries(models).map(([label, model]) => [label, found(model)]));
}

/// Adds pictures to the gallery until it has `count`, and measures the seconds of its requests. The pictures are those of
/// `photoUrls` in turn; all pictures take the same space in a gallery. `head` is [layer, head].
let pictures = 0;
export async function gallery({ photoUrls, count, phrase, head, ...options }) {
  const { engine } = await worker({ photoUrl: photoUrls[0], ...options });
  if (pictures === 0) await engine.ask("OpenGallery");
  const photos = await Promise.all(photoUrls.map(blobOf));
  const added = [];
  for (; pictures < count; pictures++) {
    const blob = photos[pictures % photos.length];
    const entry = { name: `${pictures}.png`, bytes: blob.size, modified: 0 };
    added.push(await seconds(engine, { AddToGallery: { entry, next: [] } }, [], [blob]));
  }
  await engine.ask("StoreGallery");
  const often = async (task) => {
    const times = [];
    for (let run = 0; run <= 5; run++) times.push(await seconds(engine, task));
    // The first run also embeds the phrase.
    return median(times.slice(1));
  };
  const rank = (by, heads) => often({ RankGallery: { by, heads, most: 500 } });
  return {
    add: median(added),
    byHead: await rank({ Picture: 0 }, [head]),
    byWhole: await rank({ Picture: 0 }, []),
    byPhrase: await rank({ Phrase: phrase }, []),
    open: await often("OpenGallery"),
    bytes: await bytesOf(await navigator.storage.getDirectory()),
  };
}

/// Sums the bytes of all files in a folder of the browser's storage for the page.
async function bytesOf(folder) {
  let bytes = 0;
  for await (const entry of folder.values()) {
    bytes += entry.kind === "file" ? (await entry.getFile()).size : await bytesOf(entry);
  }
  return bytes;
}

/// Measures a video of `count` frames: the seconds of each frame, and the bytes of all frames.
export async function video({ count, ...options }) {
  const { engine } = await worker(options);
  const photo = await blobOf(options.photoUrl);
  return engine.frames(Array.from({ length: count }, () => photo));
}

/// Measures the encoder and the requests that the page sends after a click, in seconds until the answer.
export async function questions({ phrases, head: [layer, head], ...options }) {
  const { engine } = await worker(options);
  const ablation = { heads: [], mlps: [], embedding: false, cls_to_cls: false };
  const [phrase, ...against] = phrases;
  const tasks = {
    attribute: { Attribute: { phrases, templates: false, ablation } },
    ablate: { Attribute: { phrases, templates: false, ablation: { ...ablation, heads: [[layer, head]] } } },
    segment: { Segment: { phrase, against, background: true, ablation } },
    headMap: { HeadMap: { layer, head, phrase, rather_than: null } },
    label: { LabelHead: { layer, head, count: 10 } },
    labelAll: { LabelAllHeads: { count: 10 } },
  };
  const times = { encoder: [], ...Object.fromEntries(Object.keys(tasks).map((name) => [name, []])) };
  // The first round is a warm-up and embeds the phrases.
  for (let round = 0; round <= 7; round++) {
    times.encoder.push(await engine.encode());
    for (const [name, task] of Object.entries(tasks)) {
      // A new pool discards the labels found so far, so that each round measures the search for labels.
      await engine.ask({ UsePool: { lines: [] } });
      times[name].push(await seconds(engine, task));
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list.slice(1))]));
}
