//! Builds a `tokenizer.json` for CLIP's byte-pair encoding from CLIP's published list of merges.
//!
//! The tokens equal those of open_clip's `SimpleTokenizer`, except for rare characters. `SimpleTokenizer` repairs
//! texts with `ftfy`. This tokenizer repairs quotes, ligatures, character widths and control characters, but not
//! wrongly decoded text. It decodes only the HTML entities that HTML itself needs. Hugging Face's own
//! `tokenizer.json` repairs none of this.

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};

use super::error::CheckpointError;

/// The path of CLIP's list of merges, `bpe_simple_vocab_16e6.txt.gz`, relative to the page.
pub const MERGES_PATH: &str = "tokenizers/clip.txt.gz";

/// The same list, compiled into the tool. The page fetches the 1.3 MB only when it needs them.
#[cfg(feature = "cli")]
pub const MERGES: &[u8] = include_bytes!("../../www/tokenizers/clip.txt.gz");

/// The number of tokens: 256 bytes, each inside a word and at the end of a word; the merges; a text's start and end.
pub const VOCABULARY: usize = 49_408;

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// The number of merges that CLIP uses. The list has more.
const USED: usize = VOCABULARY - 2 * 256 - 2;

/// The most bytes of the unpacked list that are read. The list has 3.2 MB.
const LARGEST_LIST: u64 = 16 << 20;

/// Returns the `tokenizer.json` of every CLIP. `merges` is the list of merges, packed or unpacked: a server may
/// unpack the list before it sends it.
///
/// # Errors
/// [`CheckpointError::Malformed`] if `merges` is not CLIP's list.
pub fn tokenizer_json(merges: &[u8]) -> Result<Vec<u8>, CheckpointError> {
    let malformed = |reason: &str| CheckpointError::Malformed {
        file: MERGES_PATH.to_owned(),
        kind: "list of merges",
        reason: reason.to_owned(),
    };
    let mut list = String::new();
    let read = match merges.starts_with(&[0x1f, 0x8b]) {
        true => GzDecoder::new(merges).take(LARGEST_LIST).read_to_string(&mut list),
        false => merges.take(LARGEST_LIST).read_to_string(&mut list),
    };
    read.map_err(|err| malformed(&err.to_string()))?;
    // The first line is a comment.
    let pairs: Option<Vec<(&str, &str)>> =
        list.lines().skip(1).take(USED).map(|line| line.split_once(' ')).collect();
    let pairs = pairs
        .filter(|pairs| pairs.len() == USED)
        .ok_or_else(|| malformed("it is cut off, or it is not CLIP's list"))?;
    serde_json::to_vec(&tokenizer(&pairs)).map_err(|err| malformed(&err.to_string()))
}

/// Returns the tokenizer with these merges as JSON.
fn tokenizer(merges: &[(&str, &str)]) -> Value {
    let letters = byte_letters();
    let inside = letters.iter().map(char::to_string);
    let last = letters.iter().map(|letter| format!("{letter}</w>"));
    let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
    let ends = [START, END].map(str::to_owned);
    let pieces = inside.chain(last).chain(merged).chain(ends);
    let vocabulary: Map<String, Value> = pieces.enumerate().map(|(id, piece)| (piece, id.into())).collect();
    let special = |piece: &str, id: usize| json!({"id": piece, "ids": [id], "tokens": [piece]});
    let around = |piece: &str| json!({"SpecialToken": {"id": piece, "type_id": 0}});
    let text = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    let words = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+";
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        // Empty, so that a text that spells out the start or end token does not get that token.
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": clean_up()},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": words}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        ]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [around(START), text("A"), around(END)],
            "pair": [around(START), text("A"), text("B"), around(END)],
            "special_tokens": {START: special(START, VOCABULARY - 2), END: special(END, VOCABULARY - 1)},
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges,
        },
    })
}

/// Returns the steps that clean a text before it is tokenized, in the order of open_clip's `basic_clean`,
/// `whitespace_clean` and `lower`.
fn clean_up() -> Vec<Value> {
    const QUOTES: [(&str, &str); 2] = [("[\u{2bc}\u{2018}-\u{201b}]", "'"), ("[\u{201c}-\u{201f}]", "\"")];
    const CONTROLS: &str = r"[\x00-\x08\x0b\x0e-\x1f\x7f\x{206a}-\x{206f}\x{feff}\x{fff9}-\x{fffc}]";
    const LIGATURES: [(&str, &str); 7] = [
        ("\u{fb00}", "ff"),
        ("\u{fb01}", "fi"),
        ("\u{fb02}", "fl"),
        ("\u{fb03}", "ffi"),
        ("\u{fb04}", "ffl"),
        ("\u{fb05}", "\u{17f}t"),
        ("\u{fb06}", "st"),
    ];
    const ENTITIES: [(&str, &str); 7] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ];
    let exactly =
        |(from, to): (&str, &str)| json!({"type": "Replace", "pattern": {"String": from}, "content": to});
    let matching =
        |(from, to): (&str, &str)| json!({"type": "Replace", "pattern": {"Regex": from}, "content": to});
    // Twice, because an entity may itself be written with entities.
    let mut steps: Vec<Value> = ENTITIES.into_iter().chain(ENTITIES).map(exactly).collect();
    steps.extend(LIGATURES.map(exactly));
    // The fullwidth letters of East Asian texts lie 0xfee0 above the usual letters.
    let wide = ('!'..='~').filter_map(|narrow| Some((char::from_u32(u32::from(narrow) + 0xfee0)?, narrow)));
    steps.extend(wide.map(|(wide, narrow)| exactly((wide.to_string().as_str(), narrow.to_string().as_str()))));
    steps.extend(QUOTES.map(matching));
    steps.push(matching((CONTROLS, "")));
    steps.push(json!({"type": "NFC"}));
    steps.push(matching((r"\s+", " ")));
    steps.push(json!({"type": "Lowercase"}));
    steps
}

/// Returns a printable letter for each byte, as GPT-2 chose them, in the order of the vocabulary. A byte that is
/// printable in Latin-1 is its own letter; the others have letters from U+0100 on.
fn byte_letters() -> Vec<char> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let printable_bytes = (0..=255_u8).filter(printable).map(char::from);
    let others = (0..=255_u8).filter(|byte| !printable(byte));
    printable_bytes.chain(others.zip('\u{100}'..).map(|(_byte, letter)| letter)).collect()
}
