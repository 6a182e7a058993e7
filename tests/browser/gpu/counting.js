// The compute worker, with its calls of WebGPU counted: how many there were since its start is told on the channel
// "gpu-calls" whenever it asks for memory to be read.
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
