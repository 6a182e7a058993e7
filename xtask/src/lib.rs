//! Code that `cargo xtask` and the tests share: the folders, the steps, the served model, the web server, the browser, the
//! npm package.

pub mod browser;
pub mod npm;
pub mod places;
pub mod served_model;
pub mod site;
pub mod steps;
