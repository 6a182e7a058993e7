//! A pool that is embedded part by part, with a tiny model of random weights.
#![cfg(not(target_arch = "wasm32"))]

use headlamp::checkpoint::random_model_texts::pool_file;
use headlamp::session::pool::Pool;
use headlamp::session::pool_embedding::PoolEmbedding;
use headlamp::session::pool_texts::PoolTexts;
use pollster::block_on;

fn texts() -> PoolTexts {
    PoolTexts::parse(&pool_file()).unwrap()
}

#[test]
fn parts_give_the_same_pool_as_one_run() {
    let session = test_support::tiny::session(3);
    let whole = block_on(session.embed_pool(texts(), |_done| {})).unwrap();
    let mut pool = PoolEmbedding::new(texts());
    let mut done = Vec::new();
    for count in [1, 4, 0, 30, 100] {
        pool = pool.into_pool().expect_err("some texts are not embedded yet");
        block_on(pool.embed_next(&session, count)).unwrap();
        done.push(pool.done());
    }
    assert_eq!(done, [1, 5, 5, 35, 60]);
    let parts = pool.into_pool().unwrap();
    assert_eq!(parts.texts, whole.texts);
    assert_eq!(parts.embeddings.len(), whole.embeddings.len());
    // A batch's size may change the order of additions.
    let near = |(part, whole): (&f32, &f32)| (part - whole).abs() < 1e-6;
    assert!(parts.embeddings.iter().zip(&whole.embeddings).all(near));
}

#[test]
fn a_stored_pool_is_the_pool_that_was_used() {
    let session = test_support::tiny::session(3);
    let used = block_on(session.embed_pool(texts(), |_done| {})).unwrap().as_stored();
    let [(_, lines), (_, embeddings)] = used.to_files().unwrap();
    let size = session.manifest().model.embedding;
    assert_eq!(Pool::from_files(&lines, &embeddings, size).unwrap(), used);
    assert!(Pool::from_files(&lines, &embeddings, size + 1).is_err(), "the pool of another model was accepted");
}

#[test]
fn a_long_text_is_refused_and_changes_nothing() {
    let session = test_support::tiny::session(3);
    let long = "a very long text about a cat ".repeat(200);
    assert!(session.check_text(&long).is_err());
    session.check_text("a cat").unwrap();
    let mut pool = PoolEmbedding::new(PoolTexts::parse(&format!("a cat\n{long}")).unwrap());
    assert!(block_on(pool.embed_next(&session, 2)).is_err());
    assert_eq!(pool.done(), 0);
    block_on(pool.embed_next(&session, 1)).unwrap();
    assert_eq!(pool.done(), 1);
}
