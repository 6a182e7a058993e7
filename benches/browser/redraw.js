// The body of a function of (selector, what) that runs in headlamp's page. It clicks on an element and waits until the page
// shows the result. `what` is "head" (the map of the head over the photo, and its texts), "phrase" or "ablation" (new
// scores and the new segmentation). Returns the milliseconds until the document has changed, and until a frame with the
// change was drawn.
const [selector, what] = arguments;
const at = (query) => document.querySelector(query);
const overlay = at("canvas#overlay");
const stamp = (query) => Number(at(query)?.dataset.stamp ?? 0);
const clicked = at(selector);
const before = { scores: stamp("#scores"), overlay: stamp("#overlay") };

let wasCleared = false;
const isShown = {
  head() {
    const panel = at("#head-panel").dataset;
    const { layer, head } = clicked.dataset;
    // The page removes the map of the previous head first.
    wasCleared ||= overlay.dataset.layerKind === "none";
    const hasTexts = at("#head-panel ol.labels:not(.waiting) > li") !== null;
    const isChosen = panel.layer === layer && panel.head === head;
    return wasCleared && isChosen && overlay.dataset.layerKind === "head" && hasTexts;
  },
  phrase: () => clicked.getAttribute("aria-pressed") === "true" && stamp("#overlay") > before.overlay,
  ablation: () => stamp("#scores") > before.scores && stamp("#overlay") > before.overlay,
}[what];

return new Promise((done) => {
  const start = performance.now();
  const observer = new MutationObserver(() => {
    if (!isShown()) return;
    observer.disconnect();
    const changed = performance.now() - start;
    requestAnimationFrame(() => {
      // The message arrives after the frame is drawn: the browser draws after the animation callbacks.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => done({ changed, drawn: performance.now() - start });
      port2.postMessage(null);
    });
  });
  observer.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  clicked.click();
});
