//! Finds the tensors of a pickle. The pickle may be a state dict, a training checkpoint that contains one, a pickled
//! module, or a TorchScript module. A tensor's name is the sequence of keys and attributes that lead to it, joined by
//! dots.

use std::collections::HashMap;

use safetensors::Dtype;

use super::pickle::{Id, Pickle, Value};

// No model's pickle exceeds these limits.
const DEEPEST: usize = 64;
const MOST_PARTS: usize = 200_000;
const LONGEST_NAME: usize = 256;
const MOST_AXES: usize = 8;

/// The attributes in which a module keeps its parts. Names of tensors leave them out.
const TRANSPARENT: [&str; 3] = ["_parameters", "_buffers", "_modules"];

/// A block of values in the file. Tensors are views into storages.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub key: String,
    pub dtype: Dtype,
    pub values: u64,
}

impl Storage {
    /// Returns the storage's length in bytes.
    pub fn bytes(&self) -> u64 {
        self.values.saturating_mul(self.dtype.bitsize() as u64 / 8)
    }
}

/// A view into a storage.
#[derive(Debug)]
pub(super) struct PickledTensor {
    pub name: String,
    pub storage: Storage,
    /// The first value in the storage, counted in values.
    pub offset: usize,
    pub shape: Vec<usize>,
    /// The step between neighbours along each axis, counted in values.
    pub strides: Vec<usize>,
}

/// Returns all tensors that can be reached from the pickle's root.
///
/// # Errors
/// A reason in words, if there is no tensor, or there are more parts than any model has.
pub(super) fn tensors(pickle: &Pickle) -> Result<Vec<PickledTensor>, String> {
    let mut found: Vec<PickledTensor> = Vec::new();
    let mut ahead = vec![(pickle.root, String::new(), 0)];
    let mut seen = 0;
    while let Some((id, name, depth)) = ahead.pop() {
        if let Some((storage, offset, shape, strides)) = view(pickle, id) {
            found.push(PickledTensor { name, storage, offset, shape, strides });
        } else if depth < DEEPEST {
            let parts = parts(pickle, id);
            seen += parts.len();
            // A shared part counts once per path that leads to it, so a small pickle may have very many parts.
            if seen > MOST_PARTS {
                return Err("it holds more tensors than any model has".into());
            }
            for (key, value) in parts {
                ahead.extend(joined(pickle, &name, *key).map(|name| (*value, name, depth + 1)));
            }
        }
    }
    if found.is_empty() { Err("it holds no tensors".into()) } else { Ok(found) }
}

/// Returns all storages that the pickle mentions, by key. They include storages of tensors in lists, which have no
/// names.
pub(super) fn storages(pickle: &Pickle) -> HashMap<String, Storage> {
    let found = pickle.ids().filter_map(|id| storage(pickle, id));
    found.map(|storage| (storage.key.clone(), storage)).collect()
}

/// Returns the texts of a pickle that is a list of texts.
///
/// # Errors
/// A reason in words, if the pickle is anything else.
pub(super) fn strings(pickle: &Pickle) -> Result<Vec<&str>, String> {
    let texts = pickle.members(pickle.root).map(|members| members.iter().map(|id| pickle.text(*id)));
    let texts: Option<Vec<&str>> = texts.and_then(Iterator::collect);
    texts.ok_or_else(|| "its list of storages is missing".to_owned())
}

/// Returns the named parts of a dictionary or module, as pairs of key and value.
fn parts(pickle: &Pickle, id: Id) -> &[(Id, Id)] {
    match pickle.get(id) {
        Value::Dict(entries) => entries,
        Value::Object { state: Some(state), .. } => match pickle.get(*state) {
            Value::Dict(entries) => entries,
            _ => &[],
        },
        Value::Object { entries, .. } => entries,
        _ => &[],
    }
}

/// Returns the name of the part `key` of the module `name`; `None` if the name is longer than any model's names.
fn joined(pickle: &Pickle, name: &str, key: Id) -> Option<String> {
    let key = self::key(pickle, key)?;
    if TRANSPARENT.contains(&key.as_str()) {
        return Some(name.to_owned());
    }
    let name = if name.is_empty() { key } else { format!("{name}.{key}") };
    (name.len() <= LONGEST_NAME).then_some(name)
}

/// A view: storage, offset, shape and strides.
type View = (Storage, usize, Vec<usize>, Vec<usize>);

/// Returns the view that a call of `_rebuild_tensor_v2(storage, offset, shape, strides, ...)` would make. The call
/// may be wrapped in a parameter.
fn view(pickle: &Pickle, mut id: Id) -> Option<View> {
    for _wrapping in 0..3 {
        let Value::Object { class, arguments, .. } = pickle.get(id) else { return None };
        let arguments = pickle.members(*arguments)?;
        match pickle.global(*class)?.as_str() {
            "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => {
                let [source, offset, shape, strides, ..] = arguments else { return None };
                let sizes = |id: Id| {
                    let sizes = pickle.members(id).filter(|sizes| sizes.len() <= MOST_AXES)?;
                    sizes.iter().map(|size| pickle.size(*size)).collect::<Option<Vec<usize>>>()
                };
                let (shape, strides) = (sizes(*shape)?, sizes(*strides)?);
                let fits = shape.len() == strides.len();
                return fits.then_some((storage(pickle, *source)?, pickle.size(*offset)?, shape, strides));
            }
            "torch._utils._rebuild_parameter"
            | "torch._utils._rebuild_parameter_with_state"
            | "torch.nn.parameter.Parameter" => id = *arguments.first()?,
            _ => return None,
        }
    }
    None
}

/// Returns the storage that the tuple `('storage', type, key, device, values, ...)` refers to.
fn storage(pickle: &Pickle, id: Id) -> Option<Storage> {
    let Value::Persistent(reference) = pickle.get(id) else { return None };
    let [kind, class, key, _device, values, ..] = pickle.members(*reference)? else { return None };
    if pickle.text(*kind) != Some("storage") {
        return None;
    }
    let class = pickle.global(*class)?;
    let dtype = match class.rsplit('.').next()? {
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    };
    Some(Storage { key: self::key(pickle, *key)?, dtype, values: pickle.size(*values)? as u64 })
}

/// Returns a key as text. Each mention copies the key, so a long key would let a small pickle fill the memory; no
/// model has keys that long, and they are refused.
fn key(pickle: &Pickle, id: Id) -> Option<String> {
    match pickle.get(id) {
        Value::Text(key) => (key.len() <= LONGEST_NAME).then(|| key.clone()),
        Value::Int(key) => Some(key.to_string()),
        _ => None,
    }
}
