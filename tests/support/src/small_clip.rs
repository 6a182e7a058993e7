//! A small CLIP of random weights in Hugging Face's layout, with a tokenizer of a few whole words.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::TemporaryFolder;

/// The files of the checkpoint. The weights come first.
const FILES: [&str; 4] = ["model.safetensors", "config.json", "preprocessor_config.json", "tokenizer.json"];

/// A folder with the checkpoint.
pub struct SmallClip(TemporaryFolder);

impl SmallClip {
    /// Writes the checkpoint into a new folder.
    pub fn new(name: &str) -> Self {
        let folder = TemporaryFolder::new(name);
        let fixture = xtask::places::checkout().join("tests/reference/fixtures/checkpoints/hf_safetensors");
        for file in &FILES[..3] {
            std::fs::copy(fixture.join(file), folder.path().join(file)).unwrap();
        }
        std::fs::write(folder.path().join(FILES[3]), tokenizer().to_string()).unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Returns the paths of the files.
    pub fn files(&self) -> Vec<PathBuf> {
        FILES.map(|file| self.0.path().join(file)).to_vec()
    }
}

/// Returns a tokenizer for the fixture's 64 tokens. The last two start and end a text.
fn tokenizer() -> Value {
    let special = |name: &str| json!({ "SpecialToken": { "id": name, "type_id": 0 } });
    let sequence = json!({ "Sequence": { "id": "A", "type_id": 0 } });
    let single = [special("<s>"), sequence, special("</s>")];
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "post_processor": { "type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": {
            "<s>": { "id": "<s>", "ids": [62], "tokens": ["<s>"] },
            "</s>": { "id": "</s>", "ids": [63], "tokens": ["</s>"] },
        } },
        "decoder": null,
        "model": { "type": "WordLevel", "unk_token": "?", "vocab": {
            "?": 0, "a": 1, "photo": 2, "of": 3, "cat": 4, "dog": 5, "red": 6, "<s>": 62, "</s>": 63,
        } },
    })
}
