//! What watchers of the board are told.

use super::*;

fn told(watcher: &Watcher) -> Vec<(Bytes, Bytes, bool)> {
    std::iter::from_fn(|| watcher.due.take()).map(|u| (u.key, u.value, u.kept)).collect()
}

fn post(board: &Board, key: &'static str, value: &'static str) {
    board.post(key.into(), Some(Post { value: value.into(), ..Post::default() }));
}

#[test]
fn the_last_of_each_node_is_told_at_once_and_then_each_new_one_of_no_other() {
    let board = Arc::new(Board::default());
    post(&board, "a", "1");
    post(&board, "a", "2");
    post(&board, "b", "3");
    let watcher = board.watch(vec!["a".into(), "c".into(), "a".into()]);
    assert_eq!(told(&watcher), [("a".into(), "2".into(), true)]);
    post(&board, "b", "4");
    post(&board, "c", "5");
    post(&board, "a", "6");
    assert_eq!(told(&watcher), [("c".into(), "5".into(), false), ("a".into(), "6".into(), false)]);
    let mut watcher = watcher;
    watcher.add("b".into());
    watcher.add("b".into());
    post(&board, "c", "7");
    assert_eq!(told(&watcher), [("b".into(), "4".into(), true), ("c".into(), "7".into(), false)]);
}

#[test]
fn a_slow_watcher_is_told_the_newest_of_each_node_once() {
    let board = Arc::new(Board::default());
    post(&board, "a", "1");
    let watcher = board.watch(vec!["a".into()]);
    for value in ["2", "3", "4"] {
        post(&board, "a", value);
    }
    assert_eq!(told(&watcher), [("a".into(), "4".into(), false)]);
    post(&board, "a", "5");
    assert_eq!(told(&watcher), [("a".into(), "5".into(), false)]);
}

#[test]
fn who_has_gone_leaves_nothing_behind_and_a_tombstone_is_no_command() {
    let board = Arc::new(Board::default());
    let (one, other) = (board.watch(vec!["a".into()]), board.watch(vec!["a".into(), "b".into()]));
    drop(one);
    assert_eq!(lock(&board.posts).watchers.values().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    drop(other);
    assert!(lock(&board.posts).watchers.is_empty());
    post(&board, "a", "1");
    board.post("a".into(), None);
    assert_eq!((board.len(), told(&board.watch(vec!["a".into()]))), (0, Vec::new()));
}
