//! A model that is saved as one file: it opens again with the same bytes, and its heads have the same texts.
#![cfg(not(target_arch = "wasm32"))]

use burn::tensor::Device;
use headlamp::checkpoint::pack::{
    ArchivePiece, POOL, POOL_EMBEDDINGS, STATISTICS, TOKENIZER, WEIGHTS, archive_pieces,
};
use headlamp::checkpoint::random_model::{self, RandomWeights};
use headlamp::checkpoint::{Pack, random_model_texts};
use headlamp::decompose::Decomposition;
use headlamp::protocol::HeadLabel;
use headlamp::session::Session;
use headlamp::session::pack_to_save::PackToSave;
use headlamp::session::pool_texts::PoolTexts;
use headlamp::statistics::Statistics;
use test_support::tiny;

const PICTURES: usize = 24;

fn opened(pack: &Pack) -> Session {
    Session::open(pack.clone(), Device::flex()).unwrap()
}

/// Returns texts with properties.
fn grouped_texts() -> PoolTexts {
    let texts = PoolTexts::parse(&random_model_texts::pool_file()).unwrap();
    assert!(texts.properties.len() > 1, "the pool has no properties");
    texts
}

fn gathered(session: &Session) -> Statistics {
    let mut random = RandomWeights::new(11);
    let mut statistics = session.new_statistics();
    for _picture in 0..PICTURES {
        let crop = random_model::crop(session.model().config.vision.image_size, &mut random);
        let trace = pollster::block_on(session.model().vision.trace(&crop)).unwrap();
        statistics.push(&Decomposition::new(&session.model().readout, &trace));
    }
    statistics
}

/// Joins the pieces as the page does: new files from memory, the others from where the pack is stored.
fn joined(saved: &PackToSave, stored: &Pack) -> Vec<u8> {
    let pieces = archive_pieces(&saved.manifest).unwrap().into_iter();
    let bytes = pieces.map(|piece| match piece {
        ArchivePiece::Bytes(bytes) => bytes,
        ArchivePiece::File(file) => {
            saved.new_file(&file.path).or_else(|| stored.bytes(&file.path)).unwrap().to_vec()
        }
    });
    bytes.collect::<Vec<_>>().concat()
}

fn read(archive: &[u8]) -> Pack {
    Pack::from_archive("saved.headlamp.tar", archive.len() as u64, archive).unwrap()
}

fn labels(session: &mut Session) -> Vec<HeadLabel> {
    session.labels_of_all_heads(5).unwrap().into_iter().flatten().flatten().collect()
}

#[test]
fn a_saved_model_has_the_labels_in_use() {
    let pack = tiny::pack(3);
    let mut session = opened(&pack);
    let statistics = gathered(&session);
    let texts = grouped_texts();
    let pool = pollster::block_on(session.embed_pool(texts.clone(), |_done| {})).unwrap();
    session.use_pool(Some(pool));
    session.use_statistics(Some(statistics.clone()));

    let saved = session.pack_to_save().unwrap();
    assert_eq!(saved.archive_name(), "headlamp-random-for-tests-only.headlamp.tar");
    let archive = joined(&saved, &pack);
    let again = read(&archive);
    assert_eq!(again.manifest, saved.manifest);
    let listed: Vec<&str> = again.manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(listed, [POOL_EMBEDDINGS, POOL, STATISTICS, TOKENIZER, WEIGHTS]);
    for file in [WEIGHTS, TOKENIZER] {
        assert!(again.bytes(file).is_some() && again.bytes(file) == pack.bytes(file), "{file} changed");
    }
    assert!(again.bytes(STATISTICS) == Some(&statistics.to_bytes().unwrap()[..]), "the statistics changed");

    let mut reopened = opened(&again);
    // The properties of the texts are in the file too.
    assert_eq!(reopened.pool().unwrap().texts, texts);
    assert_eq!(reopened.statistics().unwrap().images(), PICTURES as u64);
    let (before, after) = (labels(&mut session), labels(&mut reopened));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.text, after.text);
        // Stored embeddings have 16 bits, and stored covariances 32 bits.
        let apart = (before.variance_explained - after.variance_explained).abs();
        assert!(apart < 2e-3, "{before:?} became {after:?}");
    }
    // Saved a second time, with nothing new, the archive is the same.
    let second = reopened.pack_to_save().unwrap();
    assert!(joined(&second, &again) == archive, "the second archive differs");
}

#[test]
fn new_labels_replace_the_packs_own() {
    let pack = tiny::pack(3);
    let mut session = opened(&pack);
    session.use_statistics(Some(gathered(&session)));
    let first = read(&joined(&session.pack_to_save().unwrap(), &pack));
    let mut session = opened(&first);
    let mut more = gathered(&session);
    more.merge(&gathered(&session)).unwrap();
    session.use_statistics(Some(more));
    let second = read(&joined(&session.pack_to_save().unwrap(), &first));
    let count = |pack: &Pack| pack.manifest.files.iter().filter(|file| file.path == STATISTICS).count();
    assert_eq!((count(&first), count(&second)), (1, 1));
    assert_eq!(opened(&second).statistics().unwrap().images(), 2 * PICTURES as u64);
}
