//! How a gallery grows: up to ten thousand pictures of the default model, in memory. `cargo xtask bench growth` runs it;
//! what the browser's files add is in tests/browser/bench/growth.rs.

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
/// About what the page's thumbnails have.
const THUMBNAIL: usize = 12_000;
const HEAD: (usize, usize) = (11, 3);
/// Pictures that the page asks for.
const MOST: usize = 500;
const RUNS: usize = 5;

/// A file that outlives the gallery which has it open.
#[derive(Clone, Default)]
struct Kept(Rc<RefCell<Vec<u8>>>);

impl GalleryFile for Kept {
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
    let files: [Kept; 5] = Default::default();
    let mut gallery = Gallery::open(files.clone(), &session);
    println!(
        "(medians of {RUNS} runs, in memory and natively; what the model takes for a picture is not in it)\n\n\
         | pictures | take one in | order by a head | by the whole model | by a phrase | open again | kept |\n\
         |---:|---:|---:|---:|---:|---:|---:|"
    );
    let mut first = None;
    for size in SIZES {
        let (start, added) = (Instant::now(), size - gallery.entries().len());
        fill(&mut gallery, &session, &traced, size);
        let add = start.elapsed().as_secs_f64() / added as f64;
        let [by_head, by_whole, by_phrase] = asked(&gallery, &session, &text);
        assert!(gallery.commit().is_ok());
        drop(gallery);
        let open = median(|| drop(Gallery::open(files.clone(), &session)));
        gallery = Gallery::open(files.clone(), &session);
        assert_eq!(gallery.entries().len(), size, "all of it is there again");
        let bytes: u64 = files.iter().map(GalleryFile::len).sum();
        let numbers = [size as f64, add, by_head, by_whole, by_phrase, open, bytes as f64];
        print(numbers, *first.get_or_insert(numbers));
    }
}

/// A row: pictures, seconds, bytes, each with how many times the first it is. All but what is added should grow with
/// the pictures.
fn print(numbers: [f64; 7], first: [f64; 7]) {
    let cell = |(index, number): (usize, f64)| {
        let said = match index {
            0 => format!("{number}"),
            6 => format!("{:.1} MB", number / 1e6),
            _ => format!("{:.2} ms", number * 1e3),
        };
        let first = first[index];
        if number == first { said } else { format!("{said} ({:.1}x)", number / first) }
    };
    println!("| {} |", numbers.into_iter().enumerate().map(cell).collect::<Vec<_>>().join(" | "));
}

fn traced(session: &Session, name: &str) -> Traced {
    let file = std::fs::read(places::checkout().join("www/samples").join(name)).unwrap_or_default();
    let photo = pollster::block_on(media::decode(name, &file)).unwrap_or_else(|err| panic!("{err}"));
    pollster::block_on(session.trace(&photo, Framing::CentreCrop)).unwrap_or_else(|err| panic!("{err}"))
}

/// Takes pictures in, the samples by turns, until there are `size`.
fn fill(gallery: &mut Gallery<Kept>, session: &Session, traced: &[Traced], size: usize) {
    let readout = &session.model().readout;
    let before = gallery.entries().len();
    for index in before..size {
        let entry = GalleryEntry { name: format!("{index}.png"), bytes: 1, modified: 0 };
        let image = session.decompose(&traced[index % traced.len()]);
        assert!(gallery.add(entry, &image, readout, &[0; THUMBNAIL]).is_ok(), "memory has room");
    }
}

/// Seconds of each order: by a head, by the whole model, by a phrase.
fn asked(gallery: &Gallery<Kept>, session: &Session, text: &[f32]) -> [f64; 3] {
    let readout = &session.model().readout;
    let Some(query) = gallery.imprint(0, readout) else { unreachable!("it was filled") };
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

/// Seconds, after a run that warms up.
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
