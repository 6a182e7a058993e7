//! What the project's own commands and its browser tests share: places, a static server, a browser.

pub mod browser;
pub mod places;
pub mod site;
