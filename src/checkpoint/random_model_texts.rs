//! The texts of the tiny random model: a vocabulary that covers any English phrase, and a small pool of texts.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The texts that label the random model's heads, by property.
const POOL: [(&str, &[&str]); 13] = [
    (
        "colour",
        &[
            "a red surface",
            "a green field",
            "a blue sky",
            "a yellow light",
            "an orange glow",
            "a purple flower",
            "a white wall",
            "a black shadow",
            "a grey stone",
            "brown wood",
        ],
    ),
    (
        "shape",
        &[
            "a circle",
            "a square",
            "a triangle",
            "straight lines",
            "wavy lines",
            "a row of dots",
            "a chequered pattern",
        ],
    ),
    (
        "texture",
        &[
            "fine stripes",
            "something smooth",
            "something rough",
            "shiny metal",
            "soft fur",
            "clear glass",
            "wet leaves",
            "dry sand",
            "old paper",
        ],
    ),
    ("number", &["one thing", "two things", "many small things", "nothing at all"]),
    ("animal", &["a cat", "a dog", "a bird", "a fish", "a horse", "an insect"]),
    ("plant", &["a tree", "a mushroom"]),
    ("people", &["a person", "a crowd", "a face", "a hand"]),
    ("vehicle", &["a car", "a boat"]),
    ("building", &["a bridge", "a house", "a kitchen"]),
    ("place", &["a forest", "a beach", "a mountain", "a city at night"]),
    ("weather", &["snow in winter", "rain on a window"]),
    (
        "style",
        &["a blurred picture", "a bright picture", "a dark picture", "a drawing", "a close view", "a far view"],
    ),
    ("writing", &["the letter a"]),
];

/// The token of characters that the vocabulary does not have.
pub const UNKNOWN: &str = "[UNK]";
const START: &str = "[START]";
const END: &str = "[END]";

/// Returns the file of the pool: in each line a text, a TAB and the text's property.
pub fn pool_file() -> String {
    let line = |property: &str, text: &str| format!("{text}\t{property}\n");
    POOL.iter().flat_map(|(property, texts)| texts.iter().map(|text| line(property, text))).collect()
}

/// Returns `tokenizer.json` in the format of the `tokenizers` crate. The tokens are WordPiece: the pool's words,
/// pairs of letters, and single characters. An unknown word is spelled with pairs and characters.
pub fn tokenizer() -> Value {
    let pieces = pieces();
    let id = |piece: &str| pieces.iter().position(|found| found == piece).unwrap_or_default();
    let special = |piece: &str| json!({"id": piece, "ids": [id(piece)], "tokens": [piece]});
    let added = |piece: &str| {
        json!({"id": id(piece), "content": piece, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true})
    };
    let around = |piece: &str| json!({"SpecialToken": {"id": piece, "type_id": 0}});
    let text = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    let vocabulary: Map<String, Value> =
        pieces.iter().enumerate().map(|(id, piece)| (piece.clone(), id.into())).collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [added(UNKNOWN), added(START), added(END)],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": true, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [around(START), text("A"), around(END)],
            "pair": [around(START), text("A"), text("B"), around(END)],
            "special_tokens": {START: special(START), END: special(END)},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": UNKNOWN, "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary},
    })
}

/// Returns the number of tokens.
pub fn vocabulary_size() -> usize {
    pieces().len()
}

/// Returns all tokens, in the order of their numbers.
fn pieces() -> Vec<String> {
    let letters = || 'a'..='z';
    let alphanumeric = || letters().chain('0'..='9');
    let starts = ('!'..='~').filter(|c| !c.is_ascii_uppercase()).map(String::from);
    let pairs = letters().flat_map(|first| letters().map(move |second| format!("{first}{second}")));
    let inner = alphanumeric().map(String::from).chain(pairs.clone()).map(|piece| format!("##{piece}"));
    let words: BTreeSet<&str> =
        POOL.iter().flat_map(|(_, texts)| *texts).flat_map(|text| text.split(' ')).collect();
    let words = words.into_iter().filter(|word| word.len() > 2).map(str::to_owned);
    let special = [UNKNOWN, START, END].map(str::to_owned).into_iter();
    special.chain(starts).chain(pairs).chain(inner).chain(words).collect()
}

#[cfg(test)]
mod tests {
    use tokenizers::Tokenizer;

    use super::*;

    #[test]
    fn phrases_are_spelled_out_between_start_and_end() {
        let tokenizer = Tokenizer::from_bytes(serde_json::to_vec(&tokenizer()).unwrap()).unwrap();
        assert_eq!(tokenizer.get_vocab_size(true), vocabulary_size());
        let tokens = |text: &str| tokenizer.encode(text, true).unwrap().get_tokens().to_vec();
        assert_eq!(tokens("a bird"), ["[START]", "a", "bird", "[END]"]);
        assert_eq!(tokens("Zebra, é!"), ["[START]", "ze", "##br", "##a", ",", "e", "!", "[END]"]);
    }
}
