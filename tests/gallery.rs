//! The files of a gallery, with a tiny model of random weights. Writing them may stop at any time.
#![cfg(not(target_arch = "wasm32"))]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use headlamp::geometry::{Framing, Size};
use headlamp::media::Photo;
use headlamp::protocol::GalleryEntry;
use headlamp::retrieve::Property;
use headlamp::session::gallery::{FILES, Gallery, GalleryFile, NoRoom};
use headlamp::session::{Session, Traced};
use pollster::block_on;

const SEED: u64 = 11;
const STATISTICS: [usize; 2] = [3, 4];

/// A file that stays when its gallery is closed, on a disk that may be full.
#[derive(Clone, Default)]
struct Disk {
    bytes: Rc<RefCell<Vec<u8>>>,
    is_full: Rc<Cell<bool>>,
}

impl GalleryFile for Disk {
    fn len(&self) -> u64 {
        GalleryFile::len(&*self.bytes.borrow())
    }

    fn read(&self, at: u64, count: usize) -> Vec<u8> {
        self.bytes.borrow().read(at, count)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        if self.is_full.get() { Err(NoRoom) } else { GalleryFile::append(&mut *self.bytes.borrow_mut(), bytes) }
    }

    fn truncate(&mut self, len: u64) {
        GalleryFile::truncate(&mut *self.bytes.borrow_mut(), len);
    }
}

type Files = [Disk; FILES.len()];

fn session() -> Session {
    test_support::tiny::session(SEED)
}

fn traced(session: &Session) -> Traced {
    let size = Size { width: 64, height: 64 };
    let rgb = (0..3 * size.width * size.height).map(|index| (index * 7 % 251) as u8).collect();
    block_on(session.trace(&Photo { size, held: size, rgb }, Framing::CentreCrop)).unwrap()
}

fn add(gallery: &mut Gallery<Disk>, session: &Session, traced: &Traced, count: usize) {
    for _picture in 0..count {
        let index = gallery.entries().len();
        let entry = GalleryEntry { name: format!("{index}.png"), bytes: 1, modified: 0 };
        let image = session.decompose(traced);
        gallery.add(entry, &image, &session.model().readout, &[index as u8; 5]).unwrap();
    }
}

/// Opens the gallery in `files` as the next visit does. Returns the number of pictures, and of images in the
/// statistics.
fn opened(files: &Files, session: &Session) -> (usize, u64) {
    let gallery = Gallery::open(files.clone(), session);
    (gallery.entries().len(), gallery.statistics().images())
}

#[test]
fn pictures_after_the_last_statistics_are_traced_again() {
    let (session, files) = (session(), Files::default());
    let traced = traced(&session);
    let mut gallery = Gallery::open(files.clone(), &session);
    add(&mut gallery, &session, &traced, 40);
    drop(gallery);
    assert_eq!(opened(&files, &session), (32, 32));
    let mut gallery = Gallery::open(files.clone(), &session);
    add(&mut gallery, &session, &traced, 5);
    gallery.commit().unwrap();
    assert_eq!(opened(&files, &session), (37, 37));
    assert_eq!(gallery.thumbnail(36), [36; 5]);
}

#[test]
fn truncated_statistics_only_lose_the_last_pictures() {
    let (session, files) = (session(), Files::default());
    let traced = traced(&session);
    let mut gallery = Gallery::open(files.clone(), &session);
    add(&mut gallery, &session, &traced, 48);
    drop(gallery);
    assert_eq!(opened(&files, &session), (48, 48));
    // Any of the files may have been incomplete when the browser closed.
    for file in STATISTICS {
        let copy: Files = std::array::from_fn(|place| {
            let bytes = files[place].bytes.borrow().clone();
            let kept = if place == file { bytes.len() / 2 } else { bytes.len() };
            Disk { bytes: Rc::new(RefCell::new(bytes[..kept].to_vec())), ..Disk::default() }
        });
        let (pictures, images) = opened(&copy, &session);
        assert!(pictures >= 32 && images == pictures as u64, "{pictures} pictures, {images} counted");
        let mut gallery = Gallery::open(copy.clone(), &session);
        add(&mut gallery, &session, &traced, 48 - pictures);
        gallery.commit().unwrap();
        assert_eq!(opened(&copy, &session), (48, 48));
    }
}

#[test]
fn a_full_disk_neither_repeats_nor_loses_pictures() {
    let (session, files) = (session(), Files::default());
    let traced = traced(&session);
    let mut gallery = Gallery::open(files.clone(), &session);
    add(&mut gallery, &session, &traced, 20);
    // There is no room for statistics, which are written with the 32nd picture. The picture itself is stored.
    STATISTICS.iter().for_each(|file| files[*file].is_full.set(true));
    add(&mut gallery, &session, &traced, 13);
    assert_eq!((gallery.entries().len(), gallery.statistics().images()), (33, 33));
    assert_eq!(gallery.commit(), Err(NoRoom));
    assert_eq!(opened(&files, &session), (16, 16));
    // There is no room for pictures either.
    let mut gallery = Gallery::open(files.clone(), &session);
    files[1].is_full.set(true);
    let entry = GalleryEntry { name: "one more.png".into(), bytes: 1, modified: 0 };
    let image = session.decompose(&traced);
    assert_eq!(gallery.add(entry, &image, &session.model().readout, &[]), Err(NoRoom));
    assert_eq!((gallery.entries().len(), gallery.statistics().images()), (16, 16));
    drop(gallery);
    files.iter().for_each(|file| file.is_full.set(false));
    let mut gallery = Gallery::open(files.clone(), &session);
    add(&mut gallery, &session, &traced, 16);
    assert_eq!(opened(&files, &session), (32, 32));
}

#[test]
fn the_picture_unlike_the_others_is_outlying() {
    let (session, files) = (session(), Files::default());
    let readout = &session.model().readout;
    let size = Size { width: 64, height: 64 };
    let dark = Photo { size, held: size, rgb: vec![20; 3 * size.width * size.height] };
    let (same, other) = (traced(&session), block_on(session.trace(&dark, Framing::CentreCrop)).unwrap());
    let mut gallery = Gallery::open(files, &session);
    add(&mut gallery, &session, &same, 3);
    add(&mut gallery, &session, &other, 1);
    add(&mut gallery, &session, &same, 1);
    let property = Property::new(readout, [(0, 1), (2, 0)]);
    let order = gallery.outlying(&property, readout, 3);
    assert_eq!(order.len(), 3);
    assert_eq!(order[0].0, 3, "{order:?}");
    // Four equal pictures are a quarter as far from the mean as the fifth picture.
    assert!((order[0].1 - 4.0 * order[1].1).abs() < 1e-2 * order[0].1, "{order:?}");
}
