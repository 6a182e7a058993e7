// A page that shows headlamp in a frame and drives it by messages (docs/EMBED.md).
const frame = document.querySelector("#headlamp");
const status = document.querySelector("#status");

// The frame's address says what the frame shows first, and which page may send messages to the frame.
const address = new URL("../", location.href);
address.search = new URLSearchParams([
  ["embed", "1"],
  ["image", "samples/coffee.png"],
  ["text", "a photo of a cat"],
  ["text", "a photo of a cup of coffee"],
  ["origin", location.origin],
  // The parameters of this page's own address are passed on: ?pack=packs/tiny/&device=cpu
  ...new URLSearchParams(location.search),
]);
frame.src = address;

const waiting = new Map();
let last = 0;

/** Sends a message to the frame. Resolves with the result; rejects with an error whose message is a sentence. */
function ask(message) {
  return new Promise((resolve, reject) => {
    last += 1;
    waiting.set(last, { resolve, reject });
    frame.contentWindow.postMessage({ headlamp: 1, id: last, ...message }, address.origin);
  });
}

const events = {
  ready({ model }) {
    document.querySelector("fieldset").disabled = false;
    status.textContent = `Ready: ${model.name}, ${model.layers} layers of ${model.heads} heads.`;
  },
  progress: ({ what, done, total }) => (status.textContent = total ? `${what}: ${Math.round((100 * done) / total)} %` : what),
  error: ({ error }) => (status.textContent = error),
  resize: ({ height }) => (frame.style.height = `${height}px`),
  change: ({ phrase, head }) => (status.textContent = `Chosen in the frame: ${phrase ?? "the best phrase"}, head ${head?.join(".")}`),
};

addEventListener("message", ({ source, origin, data }) => {
  if (source !== frame.contentWindow || origin !== address.origin || data?.headlamp !== 1) return;
  if (data.event) return events[data.event]?.(data);
  const { resolve, reject } = waiting.get(data.id) ?? {};
  waiting.delete(data.id);
  if (data.ok) resolve?.(data.result);
  else reject?.(new Error(data.error));
});

function show(result) {
  document.querySelector("#scores").replaceChildren(
    ...result.texts.map((text, index) => {
      const line = document.createElement("li");
      line.textContent = `${text}: ${result.scores[index].toFixed(3)}`;
      return line;
    }),
  );
  if (result.mask) {
    const picture = document.querySelector("#mask-picture");
    picture.src = URL.createObjectURL(result.mask);
    picture.alt = `The mask of “${result.phrase}”`;
    picture.hidden = false;
  }
  status.textContent = `${result.image.name}: “${result.phrase}”, head ${result.head?.join(".")}`;
}

const asking = (work) => async (event) => {
  event.preventDefault();
  try {
    show(await work(event));
  } catch (error) {
    status.textContent = error.message;
  }
};

document.querySelector("#ask").addEventListener(
  "submit",
  asking((event) => ask({ do: "prompts", texts: event.target.elements.texts.value.split("\n") })),
);
document.querySelector("input[name=photo]").addEventListener(
  "change",
  asking(({ target: { files } }) => ask({ do: "load", image: files[0], name: files[0].name })),
);
document.querySelector("#drawn").addEventListener(
  "click",
  asking(async () => {
    const canvas = new OffscreenCanvas(320, 240);
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#8fc1e3";
    pen.fillRect(0, 0, 320, 240);
    pen.fillStyle = "#c0392b";
    pen.fillRect(110, 70, 100, 100);
    return ask({ do: "load", image: canvas.transferToImageBitmap(), name: "drawing" });
  }),
);
document.querySelector("#strongest").addEventListener(
  "click",
  asking(async () => {
    const { heads } = await ask({ do: "result" });
    const all = heads.flatMap((layer, at) => layer.map((part, head) => ({ part, head: [at, head] })));
    const { head } = all.reduce((best, next) => (Math.abs(next.part) > Math.abs(best.part) ? next : best));
    return ask({ do: "choose", head });
  }),
);
document.querySelector("#mask").addEventListener("click", asking(() => ask({ do: "result", mask: true })));
