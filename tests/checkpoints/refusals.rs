//! Files that are wrong, partial or hostile: each is refused before a large allocation, with a message that helps.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use headlamp::checkpoint::detect::{GivenSettings, MissingSetting};
use headlamp::checkpoint::index::{IndexReader, IndexStep};
use headlamp::checkpoint::{CheckpointError, Quantisation};
use headlamp::model::Activation;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::converted;
use test_support::TemporaryFolder;
use test_support::reference::{bytes_of, path_of};

/// A folder of checkpoints.
struct Folder(TemporaryFolder);

impl Folder {
    fn new(name: &str) -> Self {
        Self(TemporaryFolder::new(&format!("refusals-{name}")))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        path
    }
}

fn refusal(path: &std::path::Path) -> String {
    match converted(path, &GivenSettings::default(), Quantisation::Q8) {
        Ok(_) => panic!("{} was not refused", path.display()),
        Err(err) => err.to_string(),
    }
}

/// Opens bytes as if they were a whole file.
fn opened(bytes: &[u8]) -> Result<(), CheckpointError> {
    let mut reader = IndexReader::new("a file", bytes.len() as u64);
    loop {
        let range = reader.wanted();
        let at = |place: u64| usize::try_from(place).unwrap().min(bytes.len());
        match reader.push(&bytes[at(range.start)..at(range.end)])? {
            IndexStep::Unfinished(next) => reader = next,
            IndexStep::Finished(_) => return Ok(()),
        }
    }
}

/// A replacement for a tensor: a shape, and one value for all elements. The shape `[0]` removes the tensor.
type Change = Option<(Vec<usize>, f32)>;

/// Returns Hugging Face's fixture with changed tensors.
fn changed(change: impl Fn(&str) -> Change) -> Vec<u8> {
    let bytes = bytes_of("checkpoints/hf_safetensors/model.safetensors");
    let parsed = SafeTensors::deserialize(&bytes).unwrap();
    let mut owned: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, view) in parsed.iter() {
        let entry = match change(name) {
            None => (view.shape().to_vec(), view.data().to_vec()),
            Some((shape, _)) if shape == [0] => continue,
            Some((shape, value)) => {
                let value = half::bf16::from_f32(value).to_le_bytes();
                let data = value.repeat(shape.iter().product());
                (shape, data)
            }
        };
        owned.insert(name.to_owned(), entry);
    }
    let views = owned
        .iter()
        .map(|(name, (shape, data))| (name.as_str(), TensorView::new(Dtype::BF16, shape.clone(), data).unwrap()));
    safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()
}

fn with_configs(folder: &Folder) {
    for name in ["config.json", "preprocessor_config.json"] {
        folder.write(name, &bytes_of(&format!("checkpoints/hf_safetensors/{name}")));
    }
}

#[test]
fn missing_or_misshapen_tensors_are_named() {
    let folder = Folder::new("partial");
    with_configs(&folder);
    let said = |change: &dyn Fn(&str) -> Change| refusal(&folder.write("model.safetensors", &changed(change)));
    let gone = |part: &'static str| move |name: &str| name.contains(part).then(|| (vec![0], 0.0));
    let norm = "vision_model.encoder.layers.1.layer_norm2.weight";
    let said_of = said(&gone(norm));
    assert!(said_of.contains(norm) && said_of.contains("lacks 1"), "{said_of}");
    assert!(said(&gone("text_model.")).contains("text_model.embeddings.token_embedding.weight"));
    assert!(said(&gone("layers.1.")).contains("number of layers of the image tower is 2"));
    assert!(said(&gone("visual_projection")).contains("visual_projection.weight"));
    let misshapen = |name: &str| (name == norm).then(|| (vec![17], 0.0));
    assert!(said(&misshapen).contains("[17]") && said(&misshapen).contains(norm));
    let infinite = |name: &str| (name == norm).then(|| (vec![16], f32::INFINITY));
    assert!(said(&infinite).contains("not finite"));
    let odd = |name: &str| name.ends_with("position_embedding.weight").then(|| (vec![19, 16], 0.0));
    assert!(said(&odd).contains("not a square"), "{}", said(&odd));
}

#[test]
fn files_that_are_no_checkpoint_are_named_by_kind() {
    let folder = Folder::new("strange");
    let cases: [(&str, &[u8], &str); 8] = [
        ("a.safetensors", b"", "almost empty"),
        ("b.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("c.safetensors", b"<!DOCTYPE html><html></html>", "web page"),
        ("d.safetensors", b"GGUF\x03\x00\x00\x00 and more", "neither a safetensors file"),
        ("e.safetensors", b"\xff\x00\x00\x00\x00\x00\x00\x00{}", "cut off"),
        ("f.pt", b"PK\x03\x04 no archive at all", "cut off"),
        ("g.pt", b"\x80\x02. and nothing else", "PyTorch"),
        ("h.safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00{}", "neither the names of a CLIP"),
    ];
    for (name, bytes, expected) in cases {
        let said = refusal(&folder.write(name, bytes));
        assert!(said.contains(expected), "{name}: {said}");
    }
    let empty = Folder::new("empty");
    assert!(refusal(empty.0.path()).contains("no weights"));
    assert!(refusal(folder.0.path()).contains("several files"));
}

#[test]
fn files_truncated_anywhere_are_refused() {
    for name in ["hf_safetensors/model.safetensors", "hf_bin/pytorch_model.bin", "hf_legacy/pytorch_model.bin"] {
        let whole = bytes_of(&format!("checkpoints/{name}"));
        opened(&whole).unwrap();
        for part in 1..40 {
            assert!(opened(&whole[..whole.len() * part / 40]).is_err(), "{name} at {part}/40");
        }
    }
}

/// Changing any one byte must give a result or an error, in opening and in conversion.
#[test]
fn no_changed_byte_makes_a_reader_panic() {
    let folder = Folder::new("changed");
    with_configs(&folder);
    for name in ["hf_bin/pytorch_model.bin", "hf_legacy/pytorch_model.bin", "open_clip_training/epoch_3.pt"] {
        let whole = bytes_of(&format!("checkpoints/{name}"));
        let pickle = whole.windows(4).position(|four| four == b"\x80\x02}q" || four == b"\x80\x02cc").unwrap_or(0);
        let starts = (pickle..pickle + 900).chain(whole.len() - 900..whole.len());
        for (round, at) in starts.enumerate() {
            let mut bytes = whole.clone();
            bytes[at] = bytes[at].wrapping_add([1, 0x80, 0x55][round % 3]);
            let _either = opened(&bytes);
            if round % 25 == 0 {
                let path = folder.write("pytorch_model.bin", &bytes);
                let _either = converted(&path, &GivenSettings::default(), Quantisation::Q8);
            }
        }
    }
}

/// Returns an old PyTorch file around a pickle: magic number, protocol and system before the pickle, the keys of
/// storages after it.
fn legacy(pickle: &[u8]) -> Vec<u8> {
    [b"\x80\x02K\x01.\x80\x02K\x01.\x80\x02}.".as_slice(), pickle, b"\x80\x02]."].concat()
}

#[test]
fn a_pickle_is_never_executed() {
    let folder = Folder::new("pickle");
    let mark = folder.0.path().join("ran");
    let command = format!("touch {}", mark.display());
    // os.system(command), as a pickle of an attacker would call it.
    let mut pickle = b"\x80\x02cos\nsystem\nX".to_vec();
    pickle.extend(u32::try_from(command.len()).unwrap().to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"\x85R.");
    let said = refusal(&folder.write("evil.pt", &legacy(&pickle)));
    assert!(said.contains("no tensors"), "{said}");
    assert!(!mark.exists());
}

#[test]
fn pickles_that_expand_are_refused() {
    // Sixty dictionaries. Each holds the one before it twice, which gives 2^60 paths to the innermost.
    let mut bomb = b"\x80\x02}q\x00".to_vec();
    for round in 0..60_u8 {
        bomb.extend([b'}', b'(', b'K', 1, b'h', round, b'K', 2, b'h', round, b'u', b'q', round + 1]);
    }
    bomb.push(b'.');
    // A million lists, each inside the next.
    let nested = [b"\x80\x02".as_slice(), &b"]".repeat(1_000_000), &b"a".repeat(999_999), b"."].concat();
    // A tensor of 2^60 values over a storage of the same size. The file holds none of the values.
    let long = b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x10";
    let tensor = [
        b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n(".as_slice(),
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu",
        long,
        b"tQK\x00",
        long,
        b"\x85K\x01\x85\x89}tRs.",
    ]
    .concat();
    let endless = [b"\x80\x02".as_slice(), &b"N0".repeat(3_000_000), b"."].concat();
    for (name, pickle) in [("bomb", bomb), ("nested", nested), ("tensor", tensor), ("endless", endless)] {
        let err = opened(&legacy(&pickle)).unwrap_err();
        assert!(matches!(err, CheckpointError::Malformed { .. } | CheckpointError::Size { .. }), "{name}: {err}");
    }
}

#[test]
fn pickles_with_many_copies_are_refused() {
    let name = [b"\x80\x04X\x2c\x01\x00\x00".as_slice(), &[b'a'; 300], b"X\x01\x00\x00\x00b\x93."].concat();
    // A list of 5,000 pairs that becomes a dictionary a thousand times.
    let dictionaries = b"ccollections\nOrderedDict\nh\x00\x85R0".repeat(1_000);
    let pairs = [b"\x80\x02](".as_slice(), &b"NN\x86".repeat(5_000), b"eq\x00", &dictionaries, b"."].concat();
    for (pickle, expected) in [(name, "a name that is longer"), (pairs, "longer than the pickle of any model")] {
        let said = opened(&legacy(&pickle)).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

/// Training runs store the states of random generators in lists, where tensors have no names.
#[test]
fn an_old_file_may_hold_tensors_in_lists() {
    let tensor = |key: u8| {
        let storage = [b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00".as_slice(), &[key]];
        let view = b"X\x03\x00\x00\x00cpuK\x01tQK\x00K\x01\x85K\x01\x85\x89}tR".as_slice();
        [b"ctorch._utils\n_rebuild_tensor_v2\n(".as_slice(), &storage.concat(), view].concat()
    };
    let value = b"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x3f".as_slice();
    let whole = [
        b"\x80\x02K\x01.\x80\x02K\x01.\x80\x02}.".as_slice(),
        &[b"\x80\x02}(X\x01\x00\x00\x00a".as_slice(), &tensor(b'0')].concat(),
        &[b"X\x01\x00\x00\x00l](".as_slice(), &tensor(b'1'), b"eu."].concat(),
        b"\x80\x02](X\x01\x00\x00\x000X\x01\x00\x00\x001e.",
        value,
        value,
    ]
    .concat();
    opened(&whole).unwrap();
    assert!(opened(&whole[..whole.len() - 1]).is_err());
}

/// The length of a header may start with the same bytes as a pickle or a web page.
#[test]
fn a_safetensors_header_may_be_of_any_length() {
    for length in [0x0280, 0x0580, 0x3c20] {
        let header = format!("{:length$}", "{}");
        opened(&[&(length as u64).to_le_bytes()[..], header.as_bytes()].concat()).unwrap();
    }
}

#[test]
fn unknown_settings_are_asked_for() {
    let folder = Folder::new("unknown");
    let weights = folder.write("model.safetensors", &bytes_of("checkpoints/hf_safetensors/model.safetensors"));
    let err = converted(&weights, &GivenSettings::default(), Quantisation::Q8).err().unwrap();
    let said = err.to_string();
    let CheckpointError::MissingSettings(missing) = err else { panic!("{said}") };
    assert_eq!(missing.0.len(), 4, "{said}");
    assert!(missing.0.contains(&MissingSetting::Activation) && said.contains("quick_gelu"), "{said}");
    let answers = GivenSettings {
        vision_heads: Some(2),
        text_heads: Some(4),
        activation: Some(Activation::Gelu),
        mean: Some([0.5; 3]),
        std: Some([0.5; 3]),
        ..GivenSettings::default()
    };
    let answered = converted(&weights, &answers, Quantisation::F32).unwrap().manifest;
    let told =
        converted(&path_of("checkpoints/hf_safetensors"), &GivenSettings::default(), Quantisation::F32).unwrap();
    assert_eq!(answered.model, told.manifest.model);
    assert_eq!(answered.files, told.manifest.files);
}
