// How headlamp's worker grows: with the tokens, the model, the gallery, the video.

import { Headlamp, median } from "./compare.js";

const blobOf = async (url) => (await fetch(url)).blob();

/// A worker that goes on from one question to the next, with the pack open and a photo looked at.
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

/// Seconds from a request to its answer.
async function seconds(engine, task, buffers, files) {
  const start = performance.now();
  await engine.ask(task, buffers, files);
  return (performance.now() - start) / 1000;
}

/// The encoder on a frame of the photo's shape, a run at `shortSide` after one at `baseSide`, over and over: tokens
/// and seconds of either.
export async function tokens({ baseSide, shortSide, runs, ...options }) {
  const { engine } = await worker(options);
  const found = {};
  for (let run = 0; run <= runs; run++) {
    for (const [name, side] of [["base", baseSide], ["grown", shortSide]]) {
      const { PhotoTraced: traced } = await engine.ask({ Reframe: { framing: { Frame: { short_side: side } } } });
      found[name] ??= { tokens: 1 + traced.grid.rows * traced.grid.columns, times: [] };
      // The first warms up.
      if (run > 0) found[name].times.push(traced.seconds.encode);
    }
  }
  return Object.values(found).map(({ tokens, times }) => ({ tokens, seconds: median(times) }));
}

/// Models side by side, a run of each after the other: { label: { seconds, tokens, opened } }.
export async function models({ packs, photoUrl, runs }) {
  const photo = await blobOf(photoUrl);
  const models = {};
  for (const [label, pack] of Object.entries(packs)) {
    const engine = await Headlamp.start();
    const { PackOpened: opened } = await engine.open(pack, "cpu");
    // Warms up.
    const { grid } = await engine.trace(photo);
    models[label] = { engine, opened, tokens: 1 + grid.rows * grid.columns, times: [] };
  }
  for (let run = 0; run < runs; run++) {
    for (const { engine, times } of Object.values(models)) times.push(await engine.encode());
  }
  const found = ({ opened, tokens, times }) => ({ opened, tokens, seconds: median(times) });
  return Object.fromEntries(Object.entries(models).map(([label, model]) => [label, found(model)]));
}

/// The gallery with pictures added until there are `count`, and what is asked of it, in seconds. A picture is one of
/// `photoUrls`, by turns: what is kept of it is as large as of any other. `head` is [layer, head].
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
  await engine.ask("KeepGallery");
  const often = async (task) => {
    const times = [];
    for (let run = 0; run <= 5; run++) times.push(await seconds(engine, task));
    // The first has the phrase to embed.
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

/// Bytes of all files in a folder that the browser keeps for the page.
async function bytesOf(folder) {
  let bytes = 0;
  for await (const entry of folder.values()) {
    bytes += entry.kind === "file" ? (await entry.getFile()).size : await bytesOf(entry);
  }
  return bytes;
}

/// A video of `count` frames: the seconds of each, and the bytes that all of them take.
export async function video({ count, ...options }) {
  const { engine } = await worker(options);
  const photo = await blobOf(options.photoUrl);
  return engine.frames(Array.from({ length: count }, () => photo));
}

/// What the page asks for at a click, each in seconds until the answer is there, beside the encoder.
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
  // The first round warms up, and has the phrases to embed.
  for (let round = 0; round <= 7; round++) {
    times.encoder.push(await engine.encode());
    for (const [name, task] of Object.entries(tasks)) {
      // Heads' texts that have been found go with the pool: it is the finding that is measured.
      await engine.ask({ UsePool: { lines: [] } });
      times[name].push(await seconds(engine, task));
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list.slice(1))]));
}
