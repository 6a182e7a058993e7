// The compute worker, with its calls of WebGPU counted: what it launches is told on the channel "gpu-calls", as of its
// start, whenever it asks for memory to be read.
import "./count.js";
import "/worker_loader.js";
