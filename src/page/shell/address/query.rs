//! The query of an address: its parameters in their order, percent-encoded.

/// Returns the parameters of a query, with or without its question mark. Every text is a valid query: a stray percent
/// sign stands for itself, and invalid UTF-8 becomes replacement characters.
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

/// Returns "?name=value&…"; empty without parameters.
pub fn query(parameters: &[(&str, String)]) -> String {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Escapes the characters that a query or an address does not allow. The rest stays readable.
fn encoded(value: &str) -> String {
    const PLAIN: &[u8] = b"-._~*,:/@!$'();?";
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b' ' => text.push('+'),
            _ if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => {
                hexadecimal(*high).zip(hexadecimal(*low)).map(|(high, low)| high << 4 | low)
            }
            _ => None,
        };
        bytes.push(match (first, escaped) {
            (_, Some(byte)) => {
                rest = &after[2..];
                byte
            }
            (b'+', None) => b' ',
            (byte, None) => *byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn what_is_written_is_read_back() {
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
