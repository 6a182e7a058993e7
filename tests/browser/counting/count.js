// Before the worker itself: WebGPU's own methods, replaced by ones that count.
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
