//! Code that `cargo xtask` and the tests share: the folders, the web server, the browser, the npm package.

pub mod browser;
pub mod npm;
pub mod places;
pub mod site;
