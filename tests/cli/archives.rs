//! Packs in one file: the tool writes them, opens them, and adds texts and statistics.

use std::path::Path;
use std::process::Command;

use test_support::tool::{error_of, folder, gallery, headlamp, json, output_of, pack};

/// Returns the texts of all heads with the pack at `path`.
fn heads(path: &Path) -> serde_json::Value {
    json(headlamp().args(["heads", "--device", "cpu", "--pack"]).arg(path))
}

fn pack_from(source: &Path, out: &Path) -> Command {
    let mut command = headlamp();
    command.args(["pack", "from"]).arg(source).arg("--out").arg(out);
    command
}

#[test]
fn an_archive_is_the_same_pack_as_its_folder() {
    let place = folder("archive");
    let archive = place.join("tiny.headlamp.tar");
    output_of(headlamp().args(["pack", "random", "--seed", "7", "--out"]).arg(&archive));
    assert_eq!(heads(&archive), heads(pack()));
    let inspected = |path: &Path| json(headlamp().arg("inspect").arg(path));
    assert_eq!(inspected(&archive), inspected(pack()));
    // Folder to archive, and archive to folder.
    let again = place.join("again.headlamp.tar");
    output_of(&mut pack_from(pack(), &again));
    assert!(std::fs::read(&again).unwrap() == std::fs::read(&archive).unwrap(), "the archives differ");
    let unpacked = place.join("unpacked");
    output_of(&mut pack_from(&archive, &unpacked));
    for entry in std::fs::read_dir(pack()).unwrap() {
        let file = entry.unwrap().path();
        let copy = unpacked.join(file.file_name().unwrap());
        assert!(std::fs::read(&file).unwrap() == std::fs::read(&copy).unwrap(), "{} differs", copy.display());
    }
}

/// The system's own tar lists and unpacks an archive.
#[test]
fn ordinary_tools_read_an_archive() {
    let place = folder("archive-tools");
    let archive = place.join("tiny.headlamp.tar");
    output_of(&mut pack_from(pack(), &archive));
    let listed = output_of(Command::new("tar").arg("-tf").arg(&archive));
    let mut files: Vec<&str> = listed.lines().collect();
    assert_eq!(files.remove(0), "pack.json");
    assert!(files.len() == 5 && files.is_sorted(), "{files:?}");
    output_of(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&place));
    for name in ["pack.json", "weights.safetensors"] {
        assert!(std::fs::read(place.join(name)).unwrap() == std::fs::read(pack().join(name)).unwrap(), "{name}");
    }
}

#[test]
fn a_pack_gets_other_texts_and_statistics() {
    let place = folder("archive-labels");
    let (texts, statistics) = (place.join("texts.txt"), place.join("statistics.safetensors"));
    std::fs::write(&texts, "a red photo\na cat\na photo of a dog\n").unwrap();
    let pictures = gallery("archive-gallery", &["chelsea.png", "coffee.png", "china.jpg"]);
    let stats = ["--device", "cpu", "--pack"];
    output_of(headlamp().arg("stats").arg(&pictures).args(stats).arg(pack()).arg("--out").arg(&statistics));
    let archive = place.join("labelled.headlamp.tar");
    output_of(pack_from(pack(), &archive).arg("--pool").arg(&texts).arg("--statistics").arg(&statistics));
    let found = heads(&archive);
    assert_eq!((&found["images"], &found["pool"]), (&3.into(), &3.into()));
    // The same as when the texts and the statistics are given to the command.
    let mut given = headlamp();
    given.args(["heads", "--device", "cpu", "--pack"]).arg(pack());
    let given = json(given.arg("--texts").arg(&texts).arg("--statistics").arg(&statistics));
    for (stored, given) in found["heads"].as_array().unwrap().iter().zip(given["heads"].as_array().unwrap()) {
        let words = |head: &serde_json::Value| {
            let labels = head["labels"].as_array().unwrap().clone();
            labels.iter().map(|label| label["text"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(words(stored), words(given));
    }
    let refused = error_of(pack_from(pack(), &place.join("b")).arg("--statistics").arg(&texts), 1);
    assert!(refused.contains("texts.txt"), "{refused}");
}

/// The properties of a pool's texts stay in the pack's file.
#[test]
fn a_grouped_pool_stays_grouped_in_an_archive() {
    let place = folder("archive-groups");
    let groups = "a cat\tanimals\na dog\tanimals\na red photo\tcolours\na blue photo\tcolours\n";
    let texts = place.join("grouped.txt");
    std::fs::write(&texts, groups).unwrap();
    let archive = place.join("grouped.headlamp.tar");
    output_of(pack_from(pack(), &archive).arg("--pool").arg(&texts));
    assert_eq!(output_of(Command::new("tar").arg("-xOf").arg(&archive).arg("pool.txt")), groups);
}

#[test]
fn archives_are_refused_where_they_do_not_fit() {
    let place = folder("archive-refusals");
    let archive = place.join("tiny.headlamp.tar");
    output_of(&mut pack_from(pack(), &archive));
    assert!(error_of(&mut pack_from(pack(), &archive), 1).contains("there already"));
    let refused = error_of(pack_from(&archive, &place.join("new")).args(["--quant", "q4"]), 2);
    assert!(refused.contains("keeps its weights"), "{refused}");
    let bytes = std::fs::read(&archive).unwrap();
    let cut = place.join("cut.headlamp.tar");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let refused = error_of(headlamp().args(["heads", "--pack"]).arg(&cut), 1);
    assert!(refused.contains("cut.headlamp.tar") && refused.contains("cut off"), "{refused}");
    assert!(error_of(headlamp().arg("inspect").arg(&cut), 1).contains("cut off"));
    std::fs::write(&cut, "no archive").unwrap();
    assert!(error_of(headlamp().args(["heads", "--pack"]).arg(&cut), 1).contains("cut.headlamp.tar"));
}
