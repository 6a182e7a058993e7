//! The CPU's own kernels compared with Burn in f32, on the same 8-bit pack: the effect of their rounding.

use headlamp::decompose::Decomposition;
use headlamp::geometry::Size;
use headlamp::media::Photo;
use headlamp::model::{Backend, Model};
use headlamp::zero_shot;

use super::pack::{load, pack};
use super::photos::{self, SAMPLES};
use super::tokens::texts;
use super::{embed, trace};

/// The least allowed cosine between an embedding and the one in f32. The least measured is 0.99999.
const COSINE: f64 = 0.9999;
/// The same bound as for every other way to run the model.
const RESIDUAL: f64 = 1e-5;
/// Views of each sample. There are enough to detect a change in one of a hundred views.
const VIEWS: usize = 17;

fn kernels() -> Model {
    let mut pack = pack();
    let mut weights = pack.weights().unwrap();
    Model::load(pack.manifest.model, &mut weights, &Backend::Kernels).unwrap()
}

/// Cuts a part out of a photo. Each `number` gives another part.
fn view(photo: &Photo, number: usize) -> Photo {
    let Size { width, height } = photo.held;
    let side = width.min(height) * (10 + number) / (10 + VIEWS);
    let (left, top) = ((width - side) * (number % 4) / 3, (height - side) * (number % 3) / 2);
    let rows = photo.rgb.chunks(3 * width).skip(top).take(side);
    let rgb = rows.flat_map(|row| &row[3 * left..3 * (left + side)]).copied().collect();
    let size = Size { width: side, height: side };
    Photo { size, held: size, rgb }
}

fn top(image: &[f32], texts: &[Vec<f32>]) -> usize {
    let scores = texts.iter().map(|text| zero_shot::dot(image, text));
    scores.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0
}

/// A gallery of views: each embedding stays the same, its parts sum to it, and 99 of 100 views keep their top
/// phrase.
#[test]
fn rounding_keeps_the_top_phrase_of_every_picture() {
    let (rounded, f32) = (kernels(), load(pack()));
    let tokens: Vec<Vec<u32>> = texts().into_iter().map(|text| text.ids).collect();
    let (rounded_texts, texts) = (embed(&rounded, &tokens), embed(&f32, &tokens));
    let cosines = rounded_texts.iter().zip(&texts).map(|(a, b)| zero_shot::dot(a, b));
    let least = cosines.fold(1.0, f64::min);
    println!("texts: cosine {least:.6} at the least");
    assert!(least >= COSINE, "texts: cosine {least}");
    let (mut least, mut most, mut others, mut seen) = (1.0_f64, 0.0_f64, 0, 0);
    for photo in SAMPLES.map(photos::sample) {
        for number in 0..VIEWS {
            let crop = photos::crop(&view(&photo, number), &f32.config.vision);
            let (of_kernels, exact) = (trace(&rounded, &crop), trace(&f32, &crop));
            let exact = zero_shot::normalised(&exact.embedding);
            let image = Decomposition::new(&rounded.readout, &of_kernels);
            least = least.min(zero_shot::dot(&image.embedding(), &exact));
            most = most.max(image.residual());
            others += usize::from(top(&image.embedding(), &rounded_texts) != top(&exact, &texts));
            seen += 1;
        }
    }
    println!(
        "{seen} views: cosine {least:.6} at the least, residual {most:.1e}, {others} with another top phrase"
    );
    assert!(least >= COSINE, "cosine {least}");
    assert!(most < RESIDUAL, "the components miss an embedding by {most:.1e}");
    assert!(others * 100 <= seen, "{others} of {seen} have another top phrase");
}
