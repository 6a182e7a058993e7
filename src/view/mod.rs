//! What the page shows, as plain arithmetic: nothing here knows a browser, so that all of it is tested
//! natively. The views themselves are in `app`.

pub mod ablation;
pub mod address;
pub mod chart;
pub mod colour;
pub mod completeness;
pub mod computed;
pub mod figure;
pub mod findings;
pub mod formulas;
pub mod head_grid;
pub mod history;
pub mod host;
pub mod labelled;
pub mod labels;
pub mod mathml;
pub mod models;
pub mod natural_order;
pub mod phrases;
pub mod playback;
pub mod policy;
pub mod queue;
pub mod raster;
pub mod shelf;
pub mod shortcuts;
pub mod tiles;
pub mod timeline;
pub mod tour;
pub mod tracks;
pub mod units;
pub mod zoom;
