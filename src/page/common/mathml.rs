//! Formulas as MathML, which every browser draws without a library.

/// Writes an identifier. The browser shows one letter in italics, and several letters upright.
pub fn id(name: &str) -> String {
    format!("<mi>{name}</mi>")
}

pub fn number(number: &str) -> String {
    format!("<mn>{number}</mn>")
}

/// Writes an operator, a bracket or a comma.
pub fn op(sign: &str) -> String {
    format!("<mo>{sign}</mo>")
}

pub fn row<const N: usize>(parts: [String; N]) -> String {
    format!("<mrow>{}</mrow>", parts.concat())
}

pub fn sub(base: String, below: String) -> String {
    format!("<msub>{base}{below}</msub>")
}

pub fn sup(base: String, above: String) -> String {
    format!("<msup>{base}{above}</msup>")
}

pub fn over(above: String, below: String) -> String {
    format!("<mfrac>{above}{below}</mfrac>")
}

/// Writes a large operator, such as a sum, with its index below.
pub fn large(sign: &str, below: String) -> String {
    format!("<munder><mo>{sign}</mo>{below}</munder>")
}

/// Writes a mark above `base`: a bar or a hat.
pub fn marked(base: String, mark: &str) -> String {
    format!("<mover accent=\"true\">{base}<mo>{mark}</mo></mover>")
}

/// Writes several indices with commas between them.
pub fn indices(names: &str) -> String {
    let names: Vec<String> = names.chars().map(|name| id(&name.to_string())).collect();
    format!("<mrow>{}</mrow>", names.join(&op(",")))
}

/// Writes ⟨a, b⟩.
pub fn inner(a: String, b: String) -> String {
    row([op("⟨"), a, op(","), b, op("⟩")])
}

/// Writes |a|.
pub fn norm(a: String) -> String {
    row([op("|"), a, op("|")])
}

/// Writes (a).
pub fn round(a: String) -> String {
    row([op("("), a, op(")")])
}

/// Writes a formula on a line of its own.
pub fn display<const N: usize>(parts: [String; N]) -> String {
    format!("<math display=\"block\">{}</math>", row(parts))
}
