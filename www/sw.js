// headlamp's service worker: after one visit the page works without a network.
//
// `cargo xtask build` and `serve` insert the list of files and the name of the build. All files of the page are
// stored, in one cache per build, because page and worker must come from the same build. A new build waits until the
// person accepts it. Packs do not depend on the build; the worker stores them (src/worker/pack_store.rs).
"use strict";

const BUILD = "%BUILD%";
const FILES = new Set(%FILES%);

const PAGE = `headlamp-page-${BUILD}`;

/** Returns the name of the page's file at an address, or null if the address is not a file of the page. */
function pageFile(url) {
  const scope = self.registration.scope;
  const plain = url.split(/[?#]/)[0];
  if (!plain.startsWith(scope)) return null;
  const name = plain.slice(scope.length) || "index.html";
  return FILES.has(name) ? name : null;
}

async function keepPage() {
  const cache = await caches.open(PAGE);
  // Bypass the browser's own cache, which may contain files of another build.
  const requests = [...FILES].map((name) => new Request(new URL(name, self.registration.scope), { cache: "reload" }));
  await cache.addAll(requests);
}

async function dropOldPages() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith("headlamp-page-") && name !== PAGE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function fromPage(request, name) {
  const cache = await caches.open(PAGE);
  const kept = await cache.match(new URL(name, self.registration.scope));
  return kept ? direct(kept) : fetch(request);
}

/** Returns the response without its redirect. Some hosts redirect index.html to its folder, and browsers refuse a
 *  redirected response for a page. */
function direct(response) {
  if (!response.redirected) return response;
  const { body, status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}

self.addEventListener("install", (event) => event.waitUntil(keepPage()));
self.addEventListener("activate", (event) => event.waitUntil(dropOldPages()));
self.addEventListener("message", (event) => {
  if (event.data === "skipWaiting") self.skipWaiting();
});
self.addEventListener("fetch", (event) => {
  const name = event.request.method === "GET" ? pageFile(event.request.url) : null;
  if (name) event.respondWith(fromPage(event.request, name));
});
