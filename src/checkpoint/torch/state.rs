//! The tensors of a pickle: those of a state dict, of a training checkpoint around one, of a pickled module, or of a
//! TorchScript module. Names are the keys and attributes on the way, joined by dots.

use std::collections::HashMap;

use safetensors::Dtype;

use super::pickle::{Id, Pickle, Value};

/// Beyond these, a pickle is no model's.
const DEEPEST: usize = 64;
const MOST_PARTS: usize = 200_000;
const LONGEST_NAME: usize = 256;
const MOST_AXES: usize = 8;

/// What a module keeps its parts in, and what names leave out.
const TRANSPARENT: [&str; 3] = ["_parameters", "_buffers", "_modules"];

/// Values that lie together in the file.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub key: String,
    pub dtype: Dtype,
    pub values: u64,
}

impl Storage {
    pub fn bytes(&self) -> u64 {
        self.values.saturating_mul(self.dtype.bitsize() as u64 / 8)
    }
}

/// A view into a storage.
#[derive(Debug)]
pub(super) struct Tensor {
    pub name: String,
    pub storage: Storage,
    /// In values.
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// All tensors that the pickle's root leads to.
pub(super) fn tensors(pickle: &Pickle) -> Result<Vec<Tensor>, String> {
    let mut found: Vec<Tensor> = Vec::new();
    let mut ahead = vec![(pickle.root, String::new(), 0)];
    let mut seen = 0;
    while let Some((id, name, depth)) = ahead.pop() {
        if let Some((storage, offset, shape, strides)) = view(pickle, id) {
            found.push(Tensor { name, storage, offset, shape, strides });
        } else if depth < DEEPEST {
            let parts = parts(pickle, id);
            seen += parts.len();
            // Shared parts are seen anew on each way to them, so a small pickle may lead to very many.
            if seen > MOST_PARTS {
                return Err("it leads to more tensors than any model has".into());
            }
            for (key, value) in parts {
                ahead.extend(joined(pickle, &name, *key).map(|name| (*value, name, depth + 1)));
            }
        }
    }
    if found.is_empty() { Err("it holds no tensors".into()) } else { Ok(found) }
}

/// All storages that the pickle mentions, by their keys: those of tensors in lists, which have no names, among them.
pub(super) fn storages(pickle: &Pickle) -> HashMap<String, Storage> {
    let found = pickle.ids().filter_map(|id| storage(pickle, id));
    found.map(|storage| (storage.key.clone(), storage)).collect()
}

/// A list of texts.
pub(super) fn strings(pickle: &Pickle) -> Result<Vec<&str>, String> {
    let texts = pickle.members(pickle.root).map(|members| members.iter().map(|id| pickle.text(*id)));
    let texts: Option<Vec<&str>> = texts.and_then(Iterator::collect);
    texts.ok_or_else(|| "its list of storages is missing".to_owned())
}

/// The named parts of a dictionary or module.
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

/// The name of the part `key` of what is called `name`; none where it is too long for any model's.
fn joined(pickle: &Pickle, name: &str, key: Id) -> Option<String> {
    let key = self::key(pickle, key)?;
    if TRANSPARENT.contains(&key.as_str()) {
        return Some(name.to_owned());
    }
    let name = if name.is_empty() { key } else { format!("{name}.{key}") };
    (name.len() <= LONGEST_NAME).then_some(name)
}

/// Storage, offset, shape and strides.
type View = (Storage, usize, Vec<usize>, Vec<usize>);

/// The view that `_rebuild_tensor_v2(storage, offset, shape, strides, ...)` would make, bare or as a parameter.
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

/// The storage that `('storage', type, key, device, values, ...)` refers to.
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

/// A key in words. It is copied for each mention, so that a long one, which no model has, would make much of little.
fn key(pickle: &Pickle, id: Id) -> Option<String> {
    match pickle.get(id) {
        Value::Text(key) => (key.len() <= LONGEST_NAME).then(|| key.clone()),
        Value::Int(key) => Some(key.to_string()),
        _ => None,
    }
}
