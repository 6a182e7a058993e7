//! Formulas as MathML, which every browser draws without a library.

/// An identifier: one letter in italics, several upright.
pub fn id(name: &str) -> String {
    format!("<mi>{name}</mi>")
}

pub fn number(number: &str) -> String {
    format!("<mn>{number}</mn>")
}

/// An operator, a bracket, a comma.
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

/// A large operator, such as a sum, with its index below.
pub fn large(sign: &str, below: String) -> String {
    format!("<munder><mo>{sign}</mo>{below}</munder>")
}

/// A mark above: a bar, a hat.
pub fn marked(base: String, mark: &str) -> String {
    format!("<mover accent=\"true\">{base}<mo>{mark}</mo></mover>")
}

/// Several indices with commas between them.
pub fn indices(names: &str) -> String {
    let names: Vec<String> = names.chars().map(|name| id(&name.to_string())).collect();
    format!("<mrow>{}</mrow>", names.join(&op(",")))
}

/// ⟨a, b⟩
pub fn inner(a: String, b: String) -> String {
    row([op("⟨"), a, op(","), b, op("⟩")])
}

/// |a|
pub fn norm(a: String) -> String {
    row([op("|"), a, op("|")])
}

/// (a)
pub fn round(a: String) -> String {
    row([op("("), a, op(")")])
}

/// A formula on a line of its own.
pub fn display<const N: usize>(parts: [String; N]) -> String {
    format!("<math display=\"block\">{}</math>", row(parts))
}
