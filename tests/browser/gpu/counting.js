// The compute worker, with counted calls of WebGPU. Whenever the worker reads memory, the script posts the counts since
// the start on the channel "gpu-calls".
const counts = { bindGroups: 0, dispatches: 0, reads: 0 };
const channel = new BroadcastChannel("gpu-calls");

const counted = (type, method, name, then = () => {}) => {
  const original = type.prototype[method];
  type.prototype[method] = function (...given) {
    counts[name] += 1;
    then();
    return original.apply(this, given);
  };
};

counted(GPUDevice, "createBindGroup", "bindGroups");
counted(GPUComputePassEncoder, "dispatchWorkgroups", "dispatches");
counted(GPUBuffer, "mapAsync", "reads", () => channel.postMessage(counts));

await import("/worker_loader.js");
