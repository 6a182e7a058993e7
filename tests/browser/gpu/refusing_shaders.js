// The compute worker on a GPU whose driver refuses every shader.
const create = GPUDevice.prototype.createShaderModule;
GPUDevice.prototype.createShaderModule = function (descriptor) {
  return create.call(this, { ...descriptor, code: "not taken" });
};

await import("/worker_loader.js");
