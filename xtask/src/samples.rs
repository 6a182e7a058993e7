//! Computes the results for the sample photos, which the page shows while the model loads.
//!
//! The command-line tool computes them with the default pack: for each photo one JSON file and one soft map, in
//! `www/samples/computed/`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use xtask::places;

use crate::{assets, tools};
use xtask::steps::{run, step};

/// Numbers are rounded to multiples of `1 / DIGITS`. The page shows fewer digits.
const DIGITS: f64 = 1e5;

/// Computes and writes the results of all sample photos.
pub fn compute() -> anyhow::Result<()> {
    tools::prepare_target_folder()?;
    assets::default_pack(assets::Tool::Alone)?;
    step("compiling the command-line tool", || {
        run(tools::cargo().args(["build", "--workspace", "--bin", "headlamp"]))
    })?;
    let samples = places::checkout().join("www/samples");
    let to = samples.join("computed");
    std::fs::create_dir_all(&to)?;
    let phrases = std::fs::read_to_string(samples.join("phrases.txt"))?;
    let phrases: Vec<&str> = phrases.lines().filter(|line| !line.is_empty()).collect();
    let photos = photos(&samples)?;
    step("explaining the sample photos", || photos.iter().try_for_each(|photo| explain(photo, &phrases, &to)))
}

fn photos(samples: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(samples).with_context(|| format!("cannot read {}", samples.display()))?;
    let mut photos: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    photos.retain(|path| path.extension().is_some_and(|kind| kind == "png" || kind == "jpg"));
    photos.sort();
    Ok(photos)
}

/// Writes the results of one photo: the phrases' scores and contributions, the best phrase's segmentation, and the texts
/// of the head whose contribution to that phrase lies farthest above its mean.
fn explain(photo: &Path, phrases: &[&str], to: &Path) -> anyhow::Result<()> {
    let stem = photo.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut explain = vec!["explain".to_owned(), photo.display().to_string()];
    explain.extend(phrases.iter().flat_map(|phrase| ["--text".to_owned(), (*phrase).to_owned()]));
    let explained = headlamp(&explain)?;
    let top = strongest(&explained["scores"]).context("no phrase was scored")?;

    let scratch = places::target().join("mask.png");
    let soft = to.join(format!("{stem}.png"));
    let mut segment = vec!["segment".to_owned(), photo.display().to_string()];
    segment.extend(["--text".to_owned(), phrases[top].to_owned()]);
    let others = phrases.iter().enumerate().filter(|(index, _)| *index != top);
    segment.extend(others.flat_map(|(_, phrase)| ["--against".to_owned(), (*phrase).to_owned()]));
    for (option, file) in [("--out", &scratch), ("--soft", &soft)] {
        segment.extend([option.to_owned(), file.display().to_string()]);
    }
    let segmented = headlamp(&segment)?;

    let (layer, head) = strongest_head(&explained, top).context("the model has no heads")?;
    let of_head = [("--layer", layer), ("--head", head)];
    let mut heads = vec!["heads".to_owned()];
    heads.extend(of_head.iter().flat_map(|(option, number)| [(*option).to_owned(), number.to_string()]));
    let labelled = headlamp(&heads)?;

    let model = std::fs::read(places::packs().join("default/pack.json"))?;
    let vision = &serde_json::from_slice::<Value>(&model)?["model"]["vision"];
    let attribution = ["texts", "scores", "probabilities", "heads", "mlps", "embedding", "means"];
    let attribution: serde_json::Map<_, _> =
        attribution.iter().map(|name| ((*name).to_owned(), rounded(&explained[*name]))).collect();
    let computed = json!({
        "pack": explained["pack"],
        "image_size": vision["image_size"],
        "patch": vision["patch"],
        "residual": explained["residual"],
        "attribution": attribution,
        "phrase": phrases[top],
        "threshold": rounded(&segmented["threshold"]),
        "is_empty": segmented["empty"],
        "layer": layer,
        "head": head,
        "labels": rounded(&labelled["heads"][0]["labels"]),
        "images": labelled["images"],
    });
    let file = to.join(format!("{stem}.json"));
    std::fs::write(&file, format!("{computed}\n")).with_context(|| format!("cannot write {}", file.display()))
}

/// Runs the command-line tool on the CPU with the default pack, and returns its JSON.
fn headlamp(arguments: &[String]) -> anyhow::Result<Value> {
    let mut command = tools::command(places::target().join("debug/headlamp"));
    command.args(arguments).arg("--json").args(["--device", "cpu", "--pack"]).arg(places::packs().join("default"));
    let output = command.output().context("cannot start the command-line tool")?;
    if !output.status.success() {
        bail!("headlamp {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Returns the index of the largest number.
fn strongest(values: &Value) -> Option<usize> {
    let values = values.as_array()?.iter().enumerate();
    let values = values.filter_map(|(index, value)| Some((index, value.as_f64()?)));
    values.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
}

/// Returns the layer and head whose contribution to a text lies farthest above its mean.
fn strongest_head(explained: &Value, text: usize) -> Option<(usize, usize)> {
    let means = &explained["means"]["heads"];
    let mut best = None::<(f64, (usize, usize))>;
    for (layer, heads) in explained["heads"].as_array()?.iter().enumerate() {
        for (head, parts) in heads.as_array()?.iter().enumerate() {
            let part = parts[text].as_f64()? - means[layer][head][text].as_f64()?;
            if best.is_none_or(|(most, _)| part > most) {
                best = Some((part, (layer, head)));
            }
        }
    }
    best.map(|(_, at)| at)
}

/// Returns the value with every number in it rounded.
fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            number.as_f64().map_or_else(|| value.clone(), |number| ((number * DIGITS).round() / DIGITS).into())
        }
        Value::Array(values) => values.iter().map(rounded).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), rounded(value))).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_at_every_depth() {
        let value = json!({ "a": [[0.123_456_789], "0.123456789"], "b": { "c": -1.999_999_9 } });
        assert_eq!(rounded(&value), json!({ "a": [[0.12346], "0.123456789"], "b": { "c": -2.0 } }));
    }

    #[test]
    fn each_text_has_its_own_strongest_head() {
        let heads = json!([[[0.1, 0.5], [0.2, 0.4]], [[0.9, -0.1], [0.0, 0.45]]]);
        let means = json!({ "heads": [[[0.0, 0.0], [0.0, 0.0]], [[0.85, 0.0], [0.0, 0.0]]] });
        let explained = json!({ "heads": heads, "means": means });
        assert_eq!(strongest_head(&explained, 0), Some((0, 1)), "head 1.0 has a large mean");
        assert_eq!(strongest_head(&explained, 1), Some((0, 0)));
        assert_eq!(strongest(&json!([0.1, 0.3, -2.0])), Some(1));
    }
}
