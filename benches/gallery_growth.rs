//! Measures a gallery of up to ten thousand pictures of the default model, in memory: `cargo xtask bench growth`.
//! tests/browser/bench/growth.rs measures the same with the browser's files.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use headlamp::checkpoint::Pack;
use headlamp::geometry::Framing;
use headlamp::media;
use headlamp::model::Backend;
use headlamp::protocol::GalleryEntry;
use headlamp::retrieve::Property;
use headlamp::session::gallery::{Gallery, GalleryFile, NoRoom};
use headlamp::session::{Session, Traced};
use xtask::places;

const SIZES: [usize; 3] = [100, 1_000, 10_000];
const SAMPLES: [&str; 3] = ["coffee.png", "flower.jpg", "chelsea.png"];
/// About the size of the page's thumbnails, in bytes.
const THUMBNAIL: usize = 12_000;
const HEAD: (usize, usize) = (11, 3);
/// Number of pictures that the page requests.
const MOST: usize = 500;
const RUNS: usize = 5;

/// A file in memory that outlives the gallery that uses it.
#[derive(Clone, Default)]
struct SharedFile(Rc<RefCell<Vec<u8>>>);

impl GalleryFile for SharedFile {
    fn len(&self) -> u64 {
        GalleryFile::len(&*self.0.borrow())
    }

    fn read(&self, at: u64, count: usize) -> Vec<u8> {
        self.0.borrow().read(at, count)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        GalleryFile::append(&mut *self.0.borrow_mut(), bytes)
    }

    fn truncate(&mut self, len: u64) {
        GalleryFile::truncate(&mut *self.0.borrow_mut(), len);
    }
}

fn main() {
    let pack =
        Pack::read(&places::packs().join("default")).unwrap_or_else(|err| panic!("the default pack: {err}"));
    let mut session =
        Session::open(pack, Backend::Kernels).unwrap_or_else(|err| panic!("the default pack: {err}"));
    let phrase = ["a photo of a cat".to_owned()];
    let text = pollster::block_on(session.embed(&phrase, false)).unwrap_or_else(|err| panic!("{err}")).concat();
    let session = session;
    let traced = SAMPLES.map(|name| traced(&session, name));
    let files: [SharedFile; 5] = Default::default();
    let mut gallery = Gallery::open(files.clone(), &session);
    println!(
        "(medians of {RUNS} runs, in memory and natively; without the time of the model)\n\n\
         | pictures | add one | order by a head | by the whole model | by a phrase | open again | size |\n\
         |---:|---:|---:|---:|---:|---:|---:|"
    );
    let mut first = None;
    for size in SIZES {
        let (start, added) = (Instant::now(), size - gallery.entries().len());
        fill(&mut gallery, &session, &traced, size);
        let add = start.elapsed().as_secs_f64() / added as f64;
        let [by_head, by_whole, by_phrase] = order_seconds(&gallery, &session, &text);
        assert!(gallery.commit().is_ok());
        drop(gallery);
        let open = median(|| drop(Gallery::open(files.clone(), &session)));
        gallery = Gallery::open(files.clone(), &session);
        assert_eq!(gallery.entries().len(), size, "the gallery is complete after opening");
        let bytes: u64 = files.iter().map(GalleryFile::len).sum();
        let numbers = [size as f64, add, by_head, by_whole, by_phrase, open, bytes as f64];
        print(numbers, *first.get_or_insert(numbers));
    }
}

/// Prints a row: pictures, seconds, bytes, each with its ratio to the first row. All except the time to add a picture
/// should grow with the number of pictures.
fn print(numbers: [f64; 7], first: [f64; 7]) {
    let cell = |(index, number): (usize, f64)| {
        let text = match index {
            0 => format!("{number}"),
            6 => format!("{:.1} MB", number / 1e6),
            _ => format!("{:.2} ms", number * 1e3),
        };
        let first = first[index];
        if number == first { text } else { format!("{text} ({:.1}x)", number / first) }
    };
    println!("| {} |", numbers.into_iter().enumerate().map(cell).collect::<Vec<_>>().join(" | "));
}

fn traced(session: &Session, name: &str) -> Traced {
    let file = std::fs::read(places::checkout().join("www/samples").join(name)).unwrap_or_default();
    let photo = pollster::block_on(media::decode(name, &file)).unwrap_or_else(|err| panic!("{err}"));
    pollster::block_on(session.trace(&photo, Framing::CentreCrop)).unwrap_or_else(|err| panic!("{err}"))
}

/// Adds the sample pictures in turn, until the gallery has `size` pictures.
fn fill(gallery: &mut Gallery<SharedFile>, session: &Session, traced: &[Traced], size: usize) {
    let readout = &session.model().readout;
    let before = gallery.entries().len();
    for index in before..size {
        let entry = GalleryEntry { name: format!("{index}.png"), bytes: 1, modified: 0 };
        let image = session.decompose(&traced[index % traced.len()]);
        assert!(gallery.add(entry, &image, readout, &[0; THUMBNAIL]).is_ok(), "memory has room");
    }
}

/// Measures the seconds of each order: by a head, by the whole model, by a phrase.
fn order_seconds(gallery: &Gallery<SharedFile>, session: &Session, text: &[f32]) -> [f64; 3] {
    let readout = &session.model().readout;
    let Some(query) = gallery.codes(0, readout) else { unreachable!("it was filled") };
    let like = |heads: &[(usize, usize)]| {
        median(|| {
            let property = Property::new(readout, heads.iter().copied());
            std::hint::black_box(gallery.like(&query, &property, readout, MOST));
        })
    };
    let scoring = median(|| {
        std::hint::black_box(gallery.scoring(text, &Property::Whole, readout, MOST));
    });
    [like(&[HEAD]), like(&[]), scoring]
}

/// Returns the median of the seconds, after a warm-up run.
fn median(mut work: impl FnMut()) -> f64 {
    work();
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_run| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}
