// The compute worker in a browser that never answers whether there is a GPU.
GPU.prototype.requestAdapter = () => new Promise(() => {});

await import("/worker_loader.js");
