//! What the project's own commands and its browser tests share: places, a static server, a browser, the npm package.

pub mod browser;
pub mod npm;
pub mod places;
pub mod site;
