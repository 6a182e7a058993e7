//! The `tokenizers` crate compared with its Python version: the ids for the text tower.

use serde_json::Value;
use tokenizers::Tokenizer;

use super::{ingredient, json};
use test_support::reference::path_of;

/// A text and its ids.
pub struct Tokenised {
    pub text: String,
    pub ids: Vec<u32>,
}

fn ids_of(ids: &Value) -> Vec<u32> {
    ids.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

/// Returns the texts of `check.json`.
pub fn texts() -> Vec<Tokenised> {
    let file = json(&path_of("default_pack/texts.json"));
    let (texts, ids) = (file["texts"].as_array().unwrap(), file["ids"].as_array().unwrap());
    assert_eq!(texts.len(), ids.len());
    let text = |text: &Value| text.as_str().unwrap().to_owned();
    texts.iter().zip(ids).map(|(t, ids)| Tokenised { text: text(t), ids: ids_of(ids) }).collect()
}

/// Returns texts that are difficult to tokenise: case, accents, CJK, unknown signs, long words, spaces, digits.
fn tricky() -> Vec<Tokenised> {
    let file = json(&path_of("default_pack/tokens.json"));
    let entries = file.as_array().unwrap().iter();
    entries
        .map(|entry| Tokenised { text: entry["text"].as_str().unwrap().into(), ids: ids_of(&entry["ids"]) })
        .collect()
}

/// Returns MiniLM's tokenizer without the padding and truncation that its file sets.
pub fn tokenizer() -> Tokenizer {
    let mut tokenizer = Tokenizer::from_file(ingredient("minilm-tokenizer.json")).unwrap();
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).unwrap();
    tokenizer
}

#[test]
fn ids_agree_with_python() {
    let tokenizer = tokenizer();
    let texts: Vec<Tokenised> = texts().into_iter().chain(tricky()).collect();
    assert!(texts.len() > 20);
    for Tokenised { text, ids } in texts {
        assert_eq!(tokenizer.encode(text.as_str(), true).unwrap().get_ids(), ids, "{text:?}");
    }
}
