//! TypeScript's declarations, derived from samples of the data.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// The text in a sample where any text may stand. Other texts become literal types.
pub const ANY_TEXT: &str = "any text";

/// Declared types with their names. Later types may refer to earlier ones.
pub struct Declarations {
    header: &'static str,
    /// Each name with the alternatives of its type.
    types: Vec<(&'static str, Vec<String>)>,
}

impl Declarations {
    pub fn new(header: &'static str) -> Self {
        Self { header, types: Vec::new() }
    }

    /// Declares the type of all `samples`. A list of two or four items is a tuple; a list of one or three is a
    /// list of any length.
    pub fn declare(&mut self, name: &'static str, samples: Vec<impl Serialize>) {
        let samples: Vec<Value> = samples.iter().map(|sample| serde_json::to_value(sample).unwrap()).collect();
        let kinds = self.kinds(&samples.iter().collect::<Vec<_>>());
        self.types.push((name, kinds));
    }

    pub fn text(&self) -> String {
        let declaration = |(name, kinds): &(&str, Vec<String>)| match kinds.as_slice() {
            [kind] => format!("\nexport type {name} = {kind};\n"),
            kinds => {
                let lines: String = kinds.iter().map(|kind| format!("\n  | {kind}")).collect();
                format!("\nexport type {name} ={lines};\n")
            }
        };
        format!("/** {} */\n{}", self.header, self.types.iter().map(declaration).collect::<String>())
    }

    /// Returns the name of the samples' type if it has one, otherwise the type itself.
    fn type_of(&self, samples: &[&Value]) -> String {
        let kinds = self.kinds(samples);
        let named = self.types.iter().find(|(_, known)| *known == kinds);
        named.map_or_else(|| kinds.join(" | "), |(name, _)| (*name).to_owned())
    }

    /// Returns the alternatives of the samples' type: one, or several of a union.
    fn kinds(&self, samples: &[&Value]) -> Vec<String> {
        let mut kinds: Vec<String> = Vec::new();
        let mut add = |kind: String| {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        };
        for sample in samples {
            match sample {
                Value::Null | Value::Array(_) | Value::Object(_) => {}
                Value::Bool(_) => add("boolean".to_owned()),
                Value::Number(_) => add("number".to_owned()),
                Value::String(text) if text == ANY_TEXT => add("string".to_owned()),
                Value::String(text) => add(format!("{text:?}")),
            }
        }
        let lists: Vec<&Vec<Value>> = samples.iter().filter_map(|sample| sample.as_array()).collect();
        if !lists.is_empty() {
            add(self.list(&lists));
        }
        let objects: Vec<_> = samples.iter().filter_map(|sample| sample.as_object()).collect();
        let is_variant = |object: &&&serde_json::Map<String, Value>| {
            object.len() == 1 && object.keys().all(|key| key.starts_with(char::is_uppercase))
        };
        let mut variants: BTreeMap<&String, Vec<&Value>> = BTreeMap::new();
        for (name, value) in objects.iter().filter(is_variant).flat_map(|object| object.iter()) {
            variants.entry(name).or_default().push(value);
        }
        for (name, values) in variants {
            add(format!("{{ {name}: {} }}", self.type_of(&values)));
        }
        let plain: Vec<_> = objects.iter().filter(|object| !is_variant(object)).copied().collect();
        if !plain.is_empty() {
            add(self.object(&plain));
        }
        assert!(!kinds.is_empty(), "no sample shows the type: {samples:?}");
        kinds
    }

    fn list(&self, lists: &[&Vec<Value>]) -> String {
        let length = lists[0].len();
        if matches!(length, 2 | 4) {
            let at = |index: usize| self.type_of(&lists.iter().map(|list| &list[index]).collect::<Vec<_>>());
            return format!("[{}]", (0..length).map(at).collect::<Vec<_>>().join(", "));
        }
        let items: Vec<&Value> = lists.iter().flat_map(|list| list.iter()).collect();
        let item = self.type_of(&items);
        if item.contains(" | ") { format!("({item})[]") } else { format!("{item}[]") }
    }

    fn object(&self, objects: &[&serde_json::Map<String, Value>]) -> String {
        let names = objects.iter().flat_map(|object| object.keys()).collect::<std::collections::BTreeSet<_>>();
        let field = |name: &String| {
            let values: Vec<&Value> = objects.iter().filter_map(|object| object.get(name)).collect();
            let is_optional = values.len() < objects.len() || values.iter().any(|value| value.is_null());
            let kind = self.type_of(&values);
            if is_optional { format!("{name}?: {kind} | null") } else { format!("{name}: {kind}") }
        };
        format!("{{ {} }}", names.into_iter().map(field).collect::<Vec<_>>().join("; "))
    }
}
