//! A pool that is embedded part by part, with a tiny model of random weights.
#![cfg(not(target_arch = "wasm32"))]

use headlamp::checkpoint::random_model_texts::POOL;
use headlamp::session::pool::Pool;
use headlamp::session::pool_embedding::PoolEmbedding;
use pollster::block_on;

fn lines() -> Vec<String> {
    POOL.map(str::to_owned).to_vec()
}

#[test]
fn parts_give_the_same_pool_as_one_run() {
    let session = test_support::tiny::session(3);
    let whole = block_on(session.embed_pool(lines(), |_done| {})).unwrap();
    let mut pool = PoolEmbedding::new(lines());
    let mut done = Vec::new();
    for count in [1, 4, 0, 30, 100] {
        block_on(pool.embed_next(&session, count)).unwrap();
        done.push(pool.done());
    }
    assert_eq!(done, [1, 5, 5, 35, 60]);
    assert!(pool.is_done());
    let parts = pool.into_pool();
    assert_eq!(parts.lines, whole.lines);
    assert_eq!(parts.embeddings.len(), whole.embeddings.len());
    // A batch's size may change the order of additions.
    let near = |(part, whole): (&f32, &f32)| (part - whole).abs() < 1e-6;
    assert!(parts.embeddings.iter().zip(&whole.embeddings).all(near));
}

#[test]
fn an_unfinished_pool_has_only_its_embedded_texts() {
    let session = test_support::tiny::session(3);
    let mut pool = PoolEmbedding::new(lines());
    block_on(pool.embed_next(&session, 7)).unwrap();
    let size = session.manifest().model.embedding;
    let pool = pool.into_pool();
    assert_eq!((pool.lines.len(), pool.embeddings.len()), (7, 7 * size));
}

#[test]
fn a_stored_pool_is_the_pool_that_was_used() {
    let session = test_support::tiny::session(3);
    let used = block_on(session.embed_pool(lines(), |_done| {})).unwrap().as_stored();
    let [(_, texts), (_, embeddings)] = used.to_files().unwrap();
    let size = session.manifest().model.embedding;
    assert_eq!(Pool::from_files(&texts, &embeddings, size).unwrap(), used);
    assert!(Pool::from_files(&texts, &embeddings, size + 1).is_err(), "the pool of another model was accepted");
}

#[test]
fn a_long_text_is_refused_and_changes_nothing() {
    let session = test_support::tiny::session(3);
    let long = "a very long text about a cat ".repeat(200);
    assert!(session.check_text(&long).is_err());
    session.check_text("a cat").unwrap();
    let mut pool = PoolEmbedding::new(vec!["a cat".to_owned(), long]);
    assert!(block_on(pool.embed_next(&session, 2)).is_err());
    assert_eq!(pool.done(), 0);
    block_on(pool.embed_next(&session, 1)).unwrap();
    assert_eq!(pool.into_pool().lines, ["a cat"]);
}
