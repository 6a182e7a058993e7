//! The page, in Leptos. It holds no tensor and decodes no picture: the worker does both.
//!
//! Each feature has a folder with its state, its requests, its views and its arithmetic. The files directly in a
//! folder are plain arithmetic: they know no browser and are tested natively. The folder's `browser/` has the rest.
//!
//! A feature uses the features before it in this order, and never one after it:
//!
//! 1. [`common`]: controls, colours, formulas and browser helpers that several features share.
//! 2. [`core`]: the client of the worker, the request queue, and the watchdog. It knows no feature.
//! 3. [`model`]: the open model, and the texts and images for the labels of its heads.
//! 4. [`photo`]: the photo, the phrases with their scores, the segmentation, and the chosen head's map.
//! 5. [`heads`]: contributions, head texts, switching parts off, completeness.
//! 6. [`compare`]: a second model beside the open one, on the same photo and the same phrases.
//! 7. [`gallery`]: the person's own pictures, and spurious cues among them.
//! 8. [`video`]: the video view.
//! 9. [`shell`]: everything that drives several features: address and history, masthead, keys, tour, samples, export,
//!    sharing.
//! 10. [`embed`]: the compact page inside another page, and its messages.
//!
//! If a feature needs a value of a later feature, `app` passes the value in, as a signal, a callback or a view.
//!
//! A view changes a signal of its feature. An effect of the feature then asks [`core`] for the work that the change
//! requires. The answer goes to the closure that was passed with the request.

#[cfg(feature = "page")]
pub mod app;
pub mod common;
pub mod compare;
pub mod core;
pub mod embed;
pub mod gallery;
pub mod heads;
pub mod model;
pub mod photo;
pub mod shell;
pub mod video;
