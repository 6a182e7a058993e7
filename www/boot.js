// Shows a sentence if the page cannot be loaded, until the page itself can show messages.
(() => {
  const say = (sentence) => {
    const line = document.getElementById("boot");
    if (line) line.textContent = sentence;
  };
  const sentence =
    typeof WebAssembly === "object"
      ? "The page could not be loaded. Check the connection, then reload."
      : "This browser has no WebAssembly, or it is switched off. headlamp computes everything here, and needs it.";
  const failed = () => say(sentence);
  addEventListener("error", failed, true);
  addEventListener("unhandledrejection", failed);
})();
