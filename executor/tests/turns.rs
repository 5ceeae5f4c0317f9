//! Whose turn it is, compared with a model that is written down in the plainest way
#![cfg(not(loom))]
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in its helpers"
)]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use executor::{Contention, Executor, Place, Priority, Rank, TaskHandle, Turn};
use proptest::prelude::*;

/// What a task does at a poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    /// Waits until somebody wakes it.
    Wait,
    /// Gives way.
    Yield,
    /// Gives way and wants to be the first again.
    YieldFirst,
    /// Waits, and has used its slice up.
    WaitSpent,
}

/// A task that notes its number at each poll and then does what the test has left for it.
struct Player {
    task: TaskHandle,
    waker: Arc<Mutex<Option<Waker>>>,
    deed: Arc<Mutex<Deed>>,
}

type Notes = Arc<Mutex<Vec<usize>>>;

fn spawn(executor: &'static Executor, number: usize, notes: &Notes) -> Player {
    let (waker, deed) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(Deed::Wait)));
    let own = Arc::new(Mutex::new(None::<TaskHandle>));
    let (rung, told, itself, notes) = (waker.clone(), deed.clone(), own.clone(), notes.clone());
    let task = executor.spawn(poll_fn(move |context| {
        notes.lock().unwrap().push(number);
        *rung.lock().unwrap() = Some(context.waker().clone());
        let own = itself.lock().unwrap();
        match *told.lock().unwrap() {
            Deed::Wait => {}
            Deed::WaitSpent => own.as_ref().unwrap().place_next(Place::Last),
            Deed::Yield => context.waker().wake_by_ref(),
            Deed::YieldFirst => {
                own.as_ref().unwrap().place_next(Place::First);
                context.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }));
    let task = task.unwrap();
    *own.lock().unwrap() = Some(task.clone());
    Player { task, waker, deed }
}

fn new_executor() -> &'static Executor {
    Box::leak(Box::new(Executor::new()))
}

/// `count` tasks that wait.
fn waiting(count: usize) -> (&'static Executor, Vec<Player>, Notes) {
    let (executor, notes) = (new_executor(), Notes::default());
    let players: Vec<_> = (0..count).map(|n| spawn(executor, n, &notes)).collect();
    executor.run_until_idle();
    notes.lock().unwrap().clear();
    (executor, players, notes)
}

fn wake(player: &Player) {
    player.waker.lock().unwrap().as_ref().unwrap().wake_by_ref();
}

fn run(executor: &Executor, turns: usize) {
    for _ in 0..turns {
        assert_eq!(executor.run_one(), Turn::Ran);
    }
}

fn take(notes: &Notes) -> Vec<usize> {
    std::mem::take(&mut notes.lock().unwrap())
}

#[test]
fn a_woken_task_goes_before_those_that_have_had_their_slice() {
    let (executor, players, notes) = waiting(4);
    for computing in &players[..3] {
        *computing.deed.lock().unwrap() = Deed::Yield;
        wake(computing);
    }
    run(executor, 4);
    wake(&players[3]);
    run(executor, 3);
    assert_eq!(take(&notes), [0, 1, 2, 0, 3, 1, 2]);
}

#[test]
fn a_task_that_has_used_its_slice_up_waits_for_its_turn_also_when_it_is_woken() {
    let (executor, players, notes) = waiting(3);
    *players[0].deed.lock().unwrap() = Deed::Yield;
    *players[1].deed.lock().unwrap() = Deed::WaitSpent;
    wake(&players[0]);
    wake(&players[1]);
    run(executor, 2);
    wake(&players[1]);
    wake(&players[2]);
    *players[0].deed.lock().unwrap() = Deed::Wait;
    executor.run_until_idle();
    assert_eq!(take(&notes), [0, 1, 2, 0, 1]);
}

#[test]
fn a_preempted_task_goes_on_before_its_equals() {
    let (executor, players, notes) = waiting(3);
    players[2].task.set_priority(Priority::new(20).unwrap());
    *players[0].deed.lock().unwrap() = Deed::YieldFirst;
    wake(&players[0]);
    wake(&players[1]);
    run(executor, 1);
    *players[0].deed.lock().unwrap() = Deed::Wait;
    wake(&players[2]);
    executor.run_until_idle();
    assert_eq!(take(&notes), [0, 2, 0, 1]);
}

#[test]
fn tasks_that_wake_each_other_do_not_starve_one_that_computes() {
    let (executor, players, notes) = waiting(3);
    *players[0].deed.lock().unwrap() = Deed::Yield;
    wake(&players[0]);
    run(executor, 1);
    let mut turns = 0;
    take(&notes);
    while !notes.lock().unwrap().contains(&0) {
        wake(&players[1 + turns % 2]);
        run(executor, 1);
        turns += 1;
        assert!(turns < 10_000, "starved");
    }
}

#[test]
fn deadlines_stand_above_priorities_and_the_earliest_is_first() {
    let (executor, players, notes) = waiting(4);
    players[0].task.set_priority(Priority::new(31).unwrap());
    players[1].task.set_deadline(300);
    players[2].task.set_deadline(100);
    players[3].task.set_deadline(200);
    players.iter().for_each(wake);
    players[3].task.set_deadline(400);
    assert_eq!(players[3].task.rank(), Rank::DEADLINE);
    executor.run_until_idle();
    assert_eq!(take(&notes), [2, 1, 3, 0]);
    players[1].task.set_priority(Priority::DEFAULT);
    players.iter().for_each(wake);
    executor.run_until_idle();
    assert_eq!(take(&notes), [2, 3, 0, 1]);
}

#[test]
fn contention_tells_equals_from_higher_ones() {
    let (executor, players, _) = waiting(2);
    let (runs, other) = (&players[0], &players[1]);
    assert_eq!(runs.task.contention(), Contention::None);
    wake(other);
    assert_eq!(runs.task.contention(), Contention::Equals);
    other.task.set_priority(Priority::new(17).unwrap());
    assert_eq!(runs.task.contention(), Contention::Higher);
    other.task.set_priority(Priority::new(15).unwrap());
    assert_eq!(runs.task.contention(), Contention::None);
    assert!(executor.has_ready_from(Rank::of(Priority::new(15).unwrap())));
    assert!(!executor.has_ready_from(runs.task.rank()));
    runs.task.set_deadline(5);
    other.task.set_deadline(6);
    assert_eq!(runs.task.contention(), Contention::None);
    other.task.set_deadline(4);
    assert_eq!(runs.task.contention(), Contention::Higher);
}

#[test]
fn the_bell_tells_only_of_ranks_that_are_watched() {
    static RUNG: AtomicUsize = AtomicUsize::new(0);
    static BELL: Executor = Executor::with_bell(ring, || 0);
    fn ring() {
        RUNG.fetch_add(1, Ordering::Relaxed);
    }
    let rung = || RUNG.swap(0, Ordering::Relaxed);
    let notes = Notes::default();
    let other = spawn(&BELL, 0, &notes);
    let usual = other.task.rank();
    let came = |watch: &dyn Fn()| {
        BELL.run_until_idle();
        rung();
        watch();
        wake(&other);
        (rung(), BELL.has_watched())
    };
    assert_eq!(came(&|| BELL.watch_from(Rank::LOWEST)), (1, true));
    assert_eq!(came(&|| BELL.watch_from(usual)), (1, true));
    assert_eq!(came(&|| BELL.watch_above(usual)), (0, false));
    // It waits already, and now goes before the one that watches.
    other.task.set_priority(Priority::new(17).unwrap());
    assert_eq!((rung(), BELL.has_watched()), (1, true));
    other.task.set_deadline(1);
    assert_eq!(came(&|| BELL.watch_above(Rank::DEADLINE)), (1, true));
}

#[test]
fn a_task_knows_since_when_it_waits_for_its_turn() {
    static NOW: AtomicI64 = AtomicI64::new(10);
    static TIMED: Executor = Executor::with_bell(|| (), || NOW.load(Ordering::Relaxed));
    let notes = Notes::default();
    let players = [0, 1].map(|number| spawn(&TIMED, number, &notes));
    let [first, second] = &players;
    NOW.store(20, Ordering::Relaxed);
    assert_eq!(TIMED.run_one(), Turn::Ran);
    assert_eq!(
        (TIMED.queued_since(), first.task.queued_since()),
        (10, None)
    );
    wake(first);
    assert_eq!(first.task.queued_since(), Some(20));
    // A second wake and another rank change nothing.
    NOW.store(30, Ordering::Relaxed);
    wake(first);
    first.task.set_priority(Priority::new(17).unwrap());
    *first.deed.lock().unwrap() = Deed::Yield;
    assert_eq!(TIMED.run_one(), Turn::Ran);
    assert_eq!(TIMED.queued_since(), 20);
    // Who gives way waits again from then on.
    assert_eq!(first.task.queued_since(), Some(30));
    assert_eq!(second.task.queued_since(), Some(10));
}

/// One thing that happens in a random run.
#[derive(Clone, Debug)]
enum Step {
    Wake(usize),
    Poll(Deed),
    Priority(usize, u8),
    Deadline(usize, i64),
}

const PLAYERS: usize = 6;

fn step() -> impl Strategy<Value = Step> {
    let deed = prop_oneof![
        Just(Deed::Wait),
        Just(Deed::Yield),
        Just(Deed::YieldFirst),
        Just(Deed::WaitSpent)
    ];
    prop_oneof![
        4 => (0..PLAYERS).prop_map(Step::Wake),
        5 => deed.prop_map(Step::Poll),
        1 => (0..PLAYERS, 14..19_u8).prop_map(|(n, level)| Step::Priority(n, level)),
        1 => (0..PLAYERS, 0..4_i64).prop_map(|(n, when)| Step::Deadline(n, when)),
    ]
}

/// The order as one would explain it: two queues per rank, and one by deadline.
#[derive(Default)]
struct Model {
    woken: Vec<VecDeque<usize>>,
    ran: Vec<VecDeque<usize>>,
    rank: Vec<(usize, i64)>,
    spent: Vec<bool>,
}

impl Model {
    fn new() -> Self {
        Self {
            woken: vec![VecDeque::new(); 33],
            ran: vec![VecDeque::new(); 33],
            rank: vec![(16, 0); PLAYERS],
            spent: vec![false; PLAYERS],
        }
    }
    fn queued(&self, player: usize) -> bool {
        self.woken
            .iter()
            .chain(&self.ran)
            .any(|queue| queue.contains(&player))
    }
    fn push(&mut self, player: usize, place: Place) {
        let (rank, deadline) = self.rank[player];
        if rank == 32 {
            let rank_of = &self.rank;
            let queue = &mut self.woken[32];
            let at = queue.partition_point(|other| rank_of[*other].1 <= deadline);
            queue.insert(at, player);
            self.spent[player] = false;
            return;
        }
        let place = if core::mem::take(&mut self.spent[player]) {
            Place::Last
        } else {
            place
        };
        match place {
            Place::First => self.woken[rank].push_front(player),
            Place::Woken => self.woken[rank].push_back(player),
            Place::Last => self.ran[rank].push_back(player),
        }
    }
    fn pop(&mut self) -> Option<usize> {
        (0..33).rev().find_map(|rank| {
            self.woken[rank]
                .pop_front()
                .or_else(|| self.ran[rank].pop_front())
        })
    }
    fn set_rank(&mut self, player: usize, rank: (usize, i64)) {
        if self.rank[player] == rank {
            return;
        }
        let queued = self.queued(player);
        for queue in self.woken.iter_mut().chain(&mut self.ran) {
            queue.retain(|other| *other != player);
        }
        self.rank[player] = rank;
        if queued {
            self.push(player, Place::Last);
        }
    }
}

proptest! {
    #[test]
    fn the_order_is_that_of_the_model(steps in prop::collection::vec(step(), 1..200)) {
        let (executor, players, notes) = waiting(PLAYERS);
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Wake(player) => {
                    if !model.queued(player) {
                        model.push(player, Place::Woken);
                    }
                    wake(&players[player]);
                }
                Step::Poll(deed) => {
                    for player in &players {
                        *player.deed.lock().unwrap() = deed;
                    }
                    executor.run_one();
                    let expected = model.pop();
                    prop_assert_eq!(take(&notes), expected.into_iter().collect::<Vec<_>>());
                    match (expected, deed) {
                        (Some(player), Deed::Yield) => model.push(player, Place::Last),
                        (Some(player), Deed::YieldFirst) => model.push(player, Place::First),
                        (Some(player), Deed::WaitSpent) => model.spent[player] = true,
                        (Some(_), Deed::Wait) | (None, _) => {}
                    }
                }
                Step::Priority(player, level) => {
                    players[player].task.set_priority(Priority::new(level).unwrap());
                    model.set_rank(player, (usize::from(level), 0));
                }
                Step::Deadline(player, when) => {
                    players[player].task.set_deadline(when);
                    model.set_rank(player, (32, when));
                }
            }
        }
    }
}
