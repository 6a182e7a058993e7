// Sends tasks to the worker and receives its answers. Each task is a promise.

/** @import * as Wire from "./wire.js" */
/** @import { Asking } from "./headlamp.js" */

/** The id of the message by which the worker reports that it accepts tasks. */
const GREETING = 0;

/** An error whose message is a sentence for people. */
export class HeadlampError extends Error {
  name = "HeadlampError";
}

/**
 * Returns the content of an answer. Fails if the answer is of another kind.
 * @template {object | string} T
 * @template {string} K
 * @param {T} answer
 * @param {K} kind
 * @returns {Extract<T, Record<K, unknown>>[K]}
 */
export function take(answer, kind) {
  if (typeof answer !== "object" || !(kind in answer)) {
    throw new HeadlampError("The worker answered with the wrong type: client and worker are of different versions.");
  }
  return /** @type {any} */ (answer)[kind];
}

/** @typedef {{ answer: Wire.Answer, buffers: Uint8Array[] }} Answered */
/** @typedef {{ resolve(answered: Answered): void, reject(reason: unknown): void, onProgress: Asking["onProgress"] }} Waiting */

export class Channel {
  #worker;
  /** @type {Map<number, Waiting>} */
  #waiting = new Map();
  #last = GREETING;
  /** Settles when all earlier work has ended. @type {Promise<unknown>} */
  #line = Promise.resolve();
  /** The reason why no task can be sent any more. @type {HeadlampError | null} */
  #failure = null;
  /** @type {Promise<void>} */
  #listening;
  /** @type {() => void} */
  #greet = () => {};

  /** @param {Worker} worker */
  constructor(worker) {
    this.#worker = worker;
    this.#listening = new Promise((resolve) => (this.#greet = resolve));
    worker.onmessage = ({ data }) => this.#hear(data);
    worker.onerror = (event) => {
      event.preventDefault();
      const why = /memory/i.test(event.message ?? "")
        ? "ran out of memory and stopped: load headlamp again, and try a smaller picture"
        : event.message
          ? `stopped (${event.message}): load headlamp again`
          : "could not be loaded: its files must be in the folder of headlamp.js, on the page's own server";
      this.close(`The compute worker ${why}.`);
    };
    // The id of the lost answer is unknown, so all tasks fail. Chromium's workers have no `onmessageerror` property,
    // so a listener is needed.
    const unread = () => this.close("An answer of the compute worker could not be read: load headlamp again.");
    worker.addEventListener("messageerror", unread);
  }

  /**
   * Runs work of several tasks without other tasks in between. Work that is aborted while it waits never starts.
   * @template T @param {() => Promise<T>} work @param {AbortSignal} [signal] @returns {Promise<T>}
   */
  alone(work, signal) {
    const done = this.#line.then(() => {
      signal?.throwIfAborted();
      return work();
    });
    this.#line = done.catch(() => {});
    return unlessAborted(done, signal);
  }

  /**
   * Sends a task to the worker. An abort ends the wait, but the worker still completes a task that it has started.
   * @param {Wire.Task} task
   * @param {Asking & { buffers?: Uint8Array[], files?: Blob[] }} [options]
   * @returns {Promise<Answered>}
   */
  async ask(task, { buffers = [], files = [], onProgress, signal } = {}) {
    signal?.throwIfAborted();
    // A message to a module worker that is still loading is lost.
    await unlessAborted(this.#listening, signal);
    if (this.#failure) throw this.#failure;
    this.#last += 1;
    const id = this.#last;
    /** @type {Promise<Answered>} */
    const answered = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject, onProgress }));
    this.#worker.postMessage(
      { body: { id, task }, buffers, files },
      buffers.map(({ buffer }) => buffer),
    );
    return unlessAborted(answered, signal).finally(() => this.#waiting.delete(id));
  }

  /** @param {string} sentence */
  close(sentence) {
    this.#failure ??= new HeadlampError(sentence);
    this.#worker.terminate();
    this.#greet();
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }

  /** @param {{ body: Wire.Response, buffers: Uint8Array[] }} message */
  #hear({ body: { id, answer }, buffers }) {
    if (id === GREETING) return this.#greet();
    const waiting = this.#waiting.get(id);
    if (typeof answer === "object" && "Progress" in answer) return waiting?.onProgress?.(progressOf(answer.Progress));
    if (answer === "DeviceLost") return this.close("The GPU stopped working: load the pack again, or on the CPU.");
    if (typeof answer === "object" && "Failed" in answer) return waiting?.reject(new HeadlampError(answer.Failed.message));
    waiting?.resolve({ answer, buffers });
  }
}

/**
 * Returns the promise's result, unless `signal` is aborted first.
 * @template T @param {Promise<T>} promise @param {AbortSignal | undefined} signal @returns {Promise<T>}
 */
async function unlessAborted(promise, signal) {
  if (!signal) return promise;
  signal.throwIfAborted();
  /** @type {() => void} */
  let giveUp = () => {};
  /** @type {Promise<never>} */
  const aborted = new Promise((_, reject) => (giveUp = () => reject(signal.reason)));
  signal.addEventListener("abort", giveUp);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    // The same signal may serve many tasks, so the listener must be removed.
    signal.removeEventListener("abort", giveUp);
  }
}

/** @param {Wire.Progress} progress */
function progressOf(progress) {
  if ("Phase" in progress) return { what: progress.Phase.what };
  const { what, done, total } = "Bytes" in progress ? progress.Bytes : progress.Items;
  return { what, done, total };
}
