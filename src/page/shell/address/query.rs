//! The query of an address: its parameters in order, percent-encoded.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// The bytes of a value that are escaped: all bytes except letters, digits, and signs that have no meaning inside a
/// query. A space is written as `+`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'*')
    .remove(b',')
    .remove(b':')
    .remove(b'/')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b';')
    .remove(b'?')
    .remove(b' ');

/// Reads the parameters of a query, with or without its question mark. Every text is a valid query: a percent sign
/// without two digits stands for itself, and bytes that are not UTF-8 become replacement characters.
pub fn parameters(query: &str) -> Vec<(String, String)> {
    let query = query.strip_prefix('?').unwrap_or(query);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// Writes "?name=value&…"; empty without parameters.
pub fn query(parameters: &[(&str, String)]) -> String {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

fn encoded(value: &str) -> String {
    Cow::from(utf8_percent_encode(value, ESCAPED)).replace(' ', "+")
}

fn decoded(text: &str) -> String {
    percent_decode(text.replace('+', " ").as_bytes()).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn encoded_parameters_are_read_back() {
        let values = ["a photo of a cat", "50 % + 50 %", "a&b=c#d?e", "ein Schäferhund 🐕", "", "packs/tiny/"];
        let given: Vec<(&str, String)> = values.iter().map(|value| ("text", (*value).to_owned())).collect();
        let read = parameters(&query(&given));
        assert_eq!(read, values.map(|value| pair("text", value)));
        assert_eq!(query(&[("image", "samples/china.jpg".to_owned())]), "?image=samples/china.jpg");
        assert_eq!(query(&[]), "");
    }

    #[test]
    fn broken_escapes_stand_for_themselves() {
        assert_eq!(
            parameters("?a=100%&b=%4&c=%zz&d"),
            [pair("a", "100%"), pair("b", "%4"), pair("c", "%zz"), pair("d", "")]
        );
        assert_eq!(parameters("a=%ff&&=x"), [pair("a", "\u{fffd}"), pair("", "x")]);
        assert_eq!(parameters("?"), []);
    }
}
