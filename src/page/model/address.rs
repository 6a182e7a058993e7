//! The source of a model, as an address names it.

/// The pack that opens unless the address names another.
pub const DEFAULT_PACK: &str = "packs/default/";

/// The place of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelAddress {
    /// The address of a pack's folder.
    Folder(String),
    /// A repository of the usual hub: "openai/clip-vit-base-patch32".
    Hub(String),
}

impl Default for ModelAddress {
    fn default() -> Self {
        Self::Folder(DEFAULT_PACK.to_owned())
    }
}

impl ModelAddress {
    /// Returns whether the address leads to a model on this machine only.
    pub fn is_on_this_machine_only(&self) -> bool {
        matches!(self, Self::Folder(folder) if is_converted_here(folder))
    }
}

/// Returns whether a folder belongs to a model that was converted on this machine.
pub fn is_converted_here(folder: &str) -> bool {
    folder.contains("converted-here/")
}
