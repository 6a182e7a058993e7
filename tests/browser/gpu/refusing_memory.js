// The compute worker on a GPU that has no memory left after its check. The check reads two results.
let reads = 0;
const map = GPUBuffer.prototype.mapAsync;
GPUBuffer.prototype.mapAsync = function (...given) {
  reads += 1;
  return map.apply(this, given);
};
const create = GPUDevice.prototype.createBuffer;
GPUDevice.prototype.createBuffer = function (descriptor) {
  return create.call(this, reads < 2 ? descriptor : { ...descriptor, size: 2 ** 45 });
};

await import("/worker_loader.js");
