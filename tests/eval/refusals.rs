//! Invalid data sets: one line of error that names the fault.

use crate::sets::{data, eval};
use test_support::tool::{error_of, folder};

#[test]
fn a_data_set_without_names_or_pictures_is_refused() {
    let empty = folder("empty-set");
    assert!(error_of(&mut eval("ablation", &empty), 1).contains("labels.tsv"));
    assert!(error_of(&mut eval("segmentation", &empty), 1).contains("--classes"));
    assert!(error_of(&mut eval("waterbirds", &empty), 1).contains("metadata.csv"));
    std::fs::create_dir(empty.join("n01440764")).unwrap();
    assert!(error_of(&mut eval("ablation", &empty), 1).contains("--classes"));
}

#[test]
fn inconsistent_metadata_is_refused() {
    let set = folder("odd-birds");
    let refused = |text: &str| {
        std::fs::write(set.join("metadata.csv"), text).unwrap();
        error_of(&mut eval("waterbirds", &set), 1)
    };
    assert!(refused("img_id,img_filename,y,split\n").contains("place"));
    assert!(refused("img_filename,y,split,place\na.png,2,2,0\n").contains("y is not 0 to 1"));
    assert!(refused("img_filename,y,split,place\na.png,1,0,0\n").contains("no picture"));
}

#[test]
fn heads_outside_the_model_are_refused() {
    let mut command = eval("waterbirds", &data("waterbirds"));
    assert!(error_of(command.args(["--heads", "11.6"]), 2).contains("there is no head"));
    assert!(error_of(eval("waterbirds", &data("waterbirds")).args(["--heads", "eleven"]), 2).contains("eleven"));
}

#[test]
fn invalid_or_truncated_matlab_files_are_refused() {
    let classes = data("segmentation/classnames.txt");
    let whole = std::fs::read(data("segmentation/gtsegs_ijcv.mat")).unwrap();
    let set = folder("broken-mat");
    for (name, bytes) in [("text", &b"no HDF5"[..]), ("empty", b""), ("cut", &whole[..whole.len() / 3])] {
        let file = set.join(name);
        std::fs::write(&file, bytes).unwrap();
        let refused = error_of(eval("segmentation", &file).arg("--classes").arg(&classes), 1);
        assert!(refused.contains(name), "{refused}");
    }
}

#[test]
fn masks_that_are_missing_or_of_another_size_are_refused() {
    let set = folder("odd-masks");
    for part in ["images", "masks"] {
        std::fs::create_dir(set.join(part)).unwrap();
    }
    std::fs::copy(data("segmentation/classnames.txt"), set.join("classnames.txt")).unwrap();
    std::fs::copy(data("segmentation/images/00000.png"), set.join("images/a.png")).unwrap();
    std::fs::copy(data("segmentation/masks/00001.png"), set.join("masks/b.png")).unwrap();
    assert!(error_of(&mut eval("segmentation", &set), 1).contains("no mask"));
    std::fs::rename(set.join("masks/b.png"), set.join("masks/a.png")).unwrap();
    assert!(error_of(&mut eval("segmentation", &set), 1).contains("64 x 80"));
}

#[test]
fn templates_without_a_placeholder_are_refused() {
    let templates = folder("templates").join("templates.txt");
    std::fs::write(&templates, "a photo of {}\na photo\n").unwrap();
    let refused = error_of(eval("ablation", &data("imagenet")).arg("--templates").arg(templates), 1);
    assert!(refused.contains("a photo\u{201d} has no {}"), "{refused}");
}
