// onnxruntime-web in its own worker, so that the page stays responsive.
// Messages in: first { threads, provider, models: { name: url } }, then { name, feeds, runs }.
// Messages out: first the seconds to load and the loaded files, then the seconds of each run.

let ort, sessions;

onmessage = async ({ data }) => {
  try {
    postMessage(data.models ? await open(data) : await run(data));
  } catch (error) {
    postMessage({ error: String(error) });
  }
};

async function open({ threads, provider, models }) {
  const start = performance.now();
  ort = await import(provider === "webgpu" ? "/ort/ort.webgpu.min.mjs" : "/ort/ort.wasm.min.mjs");
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = new URL("/ort/", location.origin).href;
  sessions = {};
  for (const [name, url] of Object.entries(models)) {
    const options = { executionProviders: [provider], graphOptimizationLevel: "all" };
    sessions[name] = await ort.InferenceSession.create(url, options);
  }
  const files = performance.getEntriesByType("resource").map((entry) => entry.name);
  return { load: (performance.now() - start) / 1000, files: [...new Set(files)] };
}

async function run({ name, feeds, runs }) {
  const tensors = {};
  for (const [input, { type, values, shape }] of Object.entries(feeds)) {
    tensors[input] = new ort.Tensor(type, values, shape);
  }
  const seconds = [];
  let result;
  for (let index = 0; index < runs; index++) {
    const start = performance.now();
    result = await sessions[name].run(tensors);
    // A run on a GPU ends when its result is on the CPU.
    await result.embedding.getData();
    seconds.push((performance.now() - start) / 1000);
  }
  return { seconds };
}
