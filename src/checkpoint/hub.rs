//! The addresses of files at a model hub. Nothing here fetches them.

/// The hub that is used if the user names no other.
pub const DEFAULT_HUB: &str = "https://huggingface.co";

/// The names of weights files, the best first: the safest format first, then the model's own names.
pub const WEIGHTS_FILES: [&str; 4] =
    ["model.safetensors", "open_clip_model.safetensors", "open_clip_pytorch_model.bin", "pytorch_model.bin"];

/// A model's repository at a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    pub organisation: String,
    pub name: String,
}

impl Repository {
    /// Parses `ORG/NAME`. Returns `None` for anything else, for example a path that leaves the hub's models.
    pub fn parse(text: &str) -> Option<Self> {
        let (organisation, name) = text.split_once('/')?;
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        let whole = plain(organisation) && plain(name);
        whole.then(|| Self { organisation: organisation.to_owned(), name: name.to_owned() })
    }

    /// Returns the address of a file in the model's current version.
    pub fn address(&self, hub: &str, file: &str) -> String {
        let Self { organisation, name } = self;
        format!("{}/{organisation}/{name}/resolve/main/{file}", hub.trim_end_matches('/'))
    }
}

impl std::fmt::Display for Repository {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.organisation, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_two_plain_names() {
        let repository = Repository::parse("openai/clip-vit-base-patch32").unwrap();
        let address = repository.address("http://127.0.0.1:1/", "config.json");
        assert_eq!(address, "http://127.0.0.1:1/openai/clip-vit-base-patch32/resolve/main/config.json");
        for wrong in ["", "openai", "openai/", "/x", "a/b/c", "../x", "a/..", "a b/c", "a/b?c"] {
            assert_eq!(Repository::parse(wrong), None, "{wrong:?}");
        }
    }
}
