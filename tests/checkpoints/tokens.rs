//! CLIP's tokens equal open_clip's.

use headlamp::checkpoint::clip_tokens;
use serde_json::Value;
use tokenizers::Tokenizer;

use test_support::reference::bytes_of;

#[test]
fn unusual_texts_get_the_tokens_of_open_clip() {
    let tokenizer = clip_tokens::tokenizer_json(clip_tokens::MERGES).unwrap();
    let tokenizer = Tokenizer::from_bytes(tokenizer).unwrap();
    assert_eq!(tokenizer.get_vocab_size(true), clip_tokens::VOCABULARY);
    let entries: Vec<Value> = serde_json::from_slice(&bytes_of("clip_tokens.json")).unwrap();
    assert!(entries.len() > 40);
    for entry in entries {
        let text = entry["text"].as_str().unwrap();
        let expected: Vec<u64> = entry["tokens"].as_array().unwrap().iter().flat_map(Value::as_u64).collect();
        let found: Vec<u64> =
            tokenizer.encode(text, true).unwrap().get_ids().iter().copied().map(u64::from).collect();
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn a_truncated_merge_list_is_refused() {
    let cut = &clip_tokens::MERGES[..clip_tokens::MERGES.len() / 2];
    for merges in [cut, b"#version: 0.2\na b\n".as_slice(), b""] {
        assert!(clip_tokens::tokenizer_json(merges).unwrap_err().to_string().contains("tokenizers/clip.txt.gz"));
    }
}
